#include "raven/train/sentence_batches.h"

#include <algorithm>

#include "raven/core/error.h"

namespace raven::train {

SentenceBatch make_sentence_batch(const text::Sentences& sentences,
                                  const std::vector<std::int64_t>& chosen, std::int64_t end) {
  std::int64_t longest = 0;
  for (const auto i : chosen) longest = std::max(longest, std::ssize(sentences[i]));
  const auto rows = std::ssize(chosen);
  SentenceBatch batch{
      .inputs = torch::zeros({rows, longest + 1}, torch::kInt64),
      .targets = torch::full({rows, longest + 1}, SentenceBatch::kNoTarget, torch::kInt64)};
  auto inputs = batch.inputs.accessor<std::int64_t, 2>();
  auto targets = batch.targets.accessor<std::int64_t, 2>();
  for (std::int64_t b = 0; b < rows; ++b) {
    const auto sentence = sentences[chosen[static_cast<std::size_t>(b)]];
    inputs[b][0] = end;
    std::int64_t u = 0;
    for (const auto unit : sentence) {
      targets[b][u] = unit;
      inputs[b][++u] = unit;
    }
    targets[b][u] = end;
    batch.num_units += u + 1;
  }
  return batch;
}

std::vector<std::int64_t> sizes_of(const text::Sentences& sentences) {
  std::vector<std::int64_t> sizes;
  sizes.reserve(static_cast<std::size_t>(sentences.size()));
  for (std::int64_t i = 0; i < sentences.size(); ++i) sizes.push_back(std::ssize(sentences[i]) + 1);
  return sizes;
}

SentenceSource::SentenceSource(text::Sentences sentences, std::int64_t end, std::int64_t max_units,
                               std::uint64_t seed, const data::Share& share)
    : sentences_(std::move(sentences)),
      sizes_(sizes_of(sentences_)),
      end_(end),
      max_units_(max_units),
      seed_(seed) {
  begin_epoch(0);
  // An epoch has as many batches as every other.
  deal_.emplace(share, batches_per_epoch(), /*endless=*/true);
  deal_->begin_at({});
}

void SentenceSource::begin_epoch(std::int64_t epoch) {
  batches_ = data::training_batches(sizes_, max_units_, seed_, epoch);
  epoch_ = epoch;
}

Batch SentenceSource::next() {
  const auto position = deal_->own();
  if (position.epoch != epoch_) begin_epoch(position.epoch);
  auto batch =
      make_sentence_batch(sentences_, batches_[static_cast<std::size_t>(position.batch)], end_);
  deal_->advance();
  const auto num_units = batch.num_units;
  return {std::move(batch), num_units};
}

void SentenceSource::seek(const data::LoaderPosition& position) {
  if (position.epoch < 0) throw ConfigError(fmt::format("there is no epoch {}", position.epoch));
  begin_epoch(position.epoch);
  if (position.batch < 0 || position.batch >= std::ssize(batches_)) {
    throw ConfigError(fmt::format("epoch {} has no batch {}, it has {}; the text is another one",
                                  position.epoch, position.batch, batches_.size()));
  }
  deal_->begin_at(position);
}

}  // namespace raven::train

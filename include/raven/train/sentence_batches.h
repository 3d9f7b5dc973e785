// Batches of sentences for a language model.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "raven/data/batching.h"
#include "raven/text/sentences.h"
#include "raven/train/batch.h"

namespace raven::train {

/// B sentences of at most U units with their end.
struct SentenceBatch {
  /// Marks a target that there is not.
  static constexpr std::int64_t kNoTarget = -100;

  torch::Tensor inputs;        // (B, U) int64: start, units; 0 beyond
  torch::Tensor targets;       // (B, U) int64: units, end; kNoTarget beyond
  std::int64_t num_units = 0;  // ends counted

  [[nodiscard]] SentenceBatch to(const torch::Device& device) const {
    return {.inputs = inputs.to(device), .targets = targets.to(device), .num_units = num_units};
  }
};

/// `end`: the unit that ends a sentence, which is its start as well.
SentenceBatch make_sentence_batch(const text::Sentences& sentences,
                                  const std::vector<std::int64_t>& chosen, std::int64_t end);

/// Units of each sentence with its end: what a batch counts.
std::vector<std::int64_t> sizes_of(const text::Sentences& sentences);

/// The sentences in an order that follows from (seed, epoch): batches of sentences of about the
/// same length, at most `max_units` padded units in each (data::training_batches()).
class SentenceSource : public BatchSource {
 public:
  /// Throws ConfigError when a sentence is longer than max_units.
  SentenceSource(text::Sentences sentences, std::int64_t end, std::int64_t max_units,
                 std::uint64_t seed, const data::Share& share = {});

  Batch next() override;
  [[nodiscard]] data::LoaderPosition position() const override { return deal_->first(); }
  void seek(const data::LoaderPosition& position) override;
  [[nodiscard]] std::int64_t batches_per_epoch() const override { return std::ssize(batches_); }

 private:
  void begin_epoch(std::int64_t epoch);

  text::Sentences sentences_;
  std::vector<std::int64_t> sizes_;
  std::int64_t end_, max_units_;
  std::uint64_t seed_;
  data::BatchList batches_;  // of the epoch
  std::int64_t epoch_ = 0;
  std::optional<data::Deal> deal_;
};

}  // namespace raven::train

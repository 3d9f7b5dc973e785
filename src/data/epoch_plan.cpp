#include "data/epoch_plan.h"

#include <algorithm>
#include <utility>

#include "raven/core/error.h"

namespace raven::data {

std::vector<std::int64_t> planned_sizes(const Manifest& manifest, const LoaderOptions& options,
                                        const SampleReader& reader) {
  if (manifest.utterances.empty()) {
    throw ConfigError(fmt::format("{}: lists no utterances", manifest.file.string()));
  }
  std::vector<std::int64_t> sizes;
  sizes.reserve(manifest.utterances.size());
  for (const auto& utterance : manifest.utterances) {
    auto frames = utterance.frames;
    if (frames > options.max_frames && utterance.length_is_approximate) {
      frames = options.split_long_batches
                   ? options.max_frames
                   : std::min(reader.told_frames(utterance).value_or(frames), frames);
    }
    if (frames > options.max_frames) {
      throw ConfigError(fmt::format(
          "{}: '{}' has {} frames, more than a batch may hold; raise data.max_frames (now {}) "
          "or leave it out",
          utterance.origin.text(manifest.file), utterance.id, frames, options.max_frames));
    }
    sizes.push_back(frames);
  }
  return sizes;
}

EpochPlan::EpochPlan(std::vector<std::int64_t> sizes, const LoaderOptions& options)
    : sizes_(std::move(sizes)),
      options_(options),
      batches_(plan(0)),
      num_batches_(std::ssize(batches_)) {}

const std::vector<std::int64_t>& EpochPlan::batch(const LoaderPosition& position) {
  if (position.epoch != epoch_) {
    batches_ = plan(position.epoch);
    epoch_ = position.epoch;
  }
  return batches_[static_cast<std::size_t>(position.batch)];
}

std::int64_t EpochPlan::most_frames() const {
  std::int64_t most = 0;
  for (const auto& batch : batches_) {
    std::int64_t longest = 0;
    for (const auto item : batch)
      longest = std::max(longest, sizes_[static_cast<std::size_t>(item)]);
    most = std::max(most, longest * std::ssize(batch));
  }
  return most;
}

BatchList EpochPlan::plan(std::int64_t epoch) const {
  return options_.training ? training_batches(sizes_, options_.max_frames, options_.seed, epoch)
                           : pack_in_order(sizes_, options_.max_frames);
}

}  // namespace raven::data

// Which utterances make which batch of which epoch.
#pragma once

#include <cstdint>
#include <vector>

#include "raven/data/batching.h"
#include "raven/data/loader.h"
#include "raven/data/sample_reader.h"

namespace raven::data {

/// Frames for which batches are made: as listed. Where a published list says more than a batch may
/// hold, that may be a wrong count, which is no reason to do without the clip: its file is asked,
/// and where batches may be split the clip counts as long as a batch. Throws ConfigError for a
/// longer utterance and an empty list.
std::vector<std::int64_t> planned_sizes(const Manifest& manifest, const LoaderOptions& options,
                                        const SampleReader& reader);

/// Batches of an epoch, in the order in which they are handed out.
class EpochPlan {
 public:
  EpochPlan(std::vector<std::int64_t> sizes, const LoaderOptions& options);

  [[nodiscard]] std::int64_t num_batches() const { return num_batches_; }
  [[nodiscard]] const std::vector<std::int64_t>& sizes() const { return sizes_; }

  const std::vector<std::int64_t>& batch(const LoaderPosition& position);

  /// Padded frames of the largest batch; the same in every epoch.
  [[nodiscard]] std::int64_t most_frames() const;

 private:
  [[nodiscard]] BatchList plan(std::int64_t epoch) const;

  const std::vector<std::int64_t> sizes_;
  const LoaderOptions options_;
  std::int64_t epoch_ = 0;
  BatchList batches_;
  std::int64_t num_batches_;
};

}  // namespace raven::data

// Which utterances share a batch: as many as a budget of padded frames holds (docs/method.md,
// section 6).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "raven/core/random.h"

namespace raven::data {

/// Batches of indices into a list of sizes.
using BatchList = std::vector<std::vector<std::int64_t>>;

/// Packs utterances of similar length: sorted by (size, permutation), descending, then cut wherever
/// one more would exceed (count x longest) frames. Boundaries do not depend on the permutation,
/// which only moves utterances of equal length; empty: 0, 1, 2, ... Throws ConfigError when one
/// alone exceeds the budget.
BatchList pack_by_length(std::span<const std::int64_t> sizes, std::int64_t max_frames,
                         std::span<const std::int64_t> permutation = {});

/// The same, but in the order of the list, which suits reading and evaluating.
BatchList pack_in_order(std::span<const std::int64_t> sizes, std::int64_t max_frames);

/// Which of a batch stay when it must not exceed max_frames: all where they fit; else by lot, each
/// as long as there is room. In the order of the list.
std::vector<std::int64_t> draw_within(std::span<const std::int64_t> sizes, std::int64_t max_frames,
                                      Random& random);

/// Batches of a training epoch, in the order of training; both draws come from (seed, epoch).
BatchList training_batches(std::span<const std::int64_t> sizes, std::int64_t max_frames,
                           std::uint64_t seed, std::int64_t epoch);

/// Batches of one of `ranks` processes: every ranks-th, beginning with number `rank`. The list is
/// repeated from its start until all have the same number of batches.
BatchList share_of_rank(const BatchList& batches, std::int64_t rank, std::int64_t ranks);

}  // namespace raven::data

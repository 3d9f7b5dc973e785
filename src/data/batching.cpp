#include "raven/data/batching.h"

#include <algorithm>
#include <numeric>

#include "raven/core/error.h"

namespace raven::data {
namespace {

/// Cuts a list of utterances wherever one more would exceed the budget.
BatchList cut(std::span<const std::int64_t> order, std::span<const std::int64_t> sizes,
              std::int64_t max_frames) {
  BatchList batches;
  std::int64_t longest = 0;
  for (const auto item : order) {
    const auto size = sizes[static_cast<std::size_t>(item)];
    if (size > max_frames) {
      throw ConfigError(fmt::format(
          "an utterance of {} frames does not fit into data.max_frames = {}", size, max_frames));
    }
    const auto count = batches.empty() ? 0 : static_cast<std::int64_t>(batches.back().size());
    if (count == 0 || (count + 1) * std::max(longest, size) > max_frames) {
      batches.emplace_back();
      longest = 0;
    }
    longest = std::max(longest, size);
    batches.back().push_back(item);
  }
  return batches;
}

std::vector<std::int64_t> counting(std::size_t count) {
  std::vector<std::int64_t> order(count);
  std::iota(order.begin(), order.end(), std::int64_t{0});
  return order;
}

}  // namespace

BatchList pack_by_length(std::span<const std::int64_t> sizes, std::int64_t max_frames,
                         std::span<const std::int64_t> permutation) {
  RAVEN_CHECK(permutation.empty() || permutation.size() == sizes.size(),
              "permutation of {} for {} utterances", permutation.size(), sizes.size());
  const auto key = [&](std::int64_t item) {
    const auto i = static_cast<std::size_t>(item);
    return std::pair(sizes[i], permutation.empty() ? item : permutation[i]);
  };
  auto order = counting(sizes.size());
  std::sort(order.begin(), order.end(),
            [&](std::int64_t a, std::int64_t b) { return key(a) > key(b); });
  return cut(order, sizes, max_frames);
}

BatchList pack_in_order(std::span<const std::int64_t> sizes, std::int64_t max_frames) {
  return cut(counting(sizes.size()), sizes, max_frames);
}

std::vector<std::int64_t> draw_within(std::span<const std::int64_t> sizes, std::int64_t max_frames,
                                      Random& random) {
  const auto count = std::ssize(sizes);
  if (count == 0 || count * *std::ranges::max_element(sizes) <= max_frames)
    return counting(sizes.size());
  std::vector<std::int64_t> chosen;
  std::int64_t longest = 0;
  for (const auto item : random.permutation(count)) {
    const auto with_it = std::max(longest, sizes[static_cast<std::size_t>(item)]);
    if ((std::ssize(chosen) + 1) * with_it > max_frames) continue;
    chosen.push_back(item);
    longest = with_it;
  }
  std::ranges::sort(chosen);
  return chosen;
}

BatchList training_batches(std::span<const std::int64_t> sizes, std::int64_t max_frames,
                           std::uint64_t seed, std::int64_t epoch) {
  const auto number = static_cast<std::uint64_t>(epoch);
  Random order(seed, number, 0, Draw::kOrder);
  auto batches =
      pack_by_length(sizes, max_frames, order.permutation(static_cast<std::int64_t>(sizes.size())));
  Random(seed, number, 0, Draw::kBatchOrder).shuffle(batches);
  return batches;
}

BatchList share_of_rank(const BatchList& batches, std::int64_t rank, std::int64_t ranks) {
  RAVEN_CHECK(rank >= 0 && rank < ranks, "rank {} of {}", rank, ranks);
  BatchList share;
  const auto count = static_cast<std::int64_t>(batches.size());
  const auto each = (count + ranks - 1) / ranks;
  for (std::int64_t k = 0; k < each; ++k)
    share.push_back(batches[static_cast<std::size_t>((k * ranks + rank) % count)]);
  return share;
}

}  // namespace raven::data

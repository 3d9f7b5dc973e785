#include "raven/data/batching.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "raven/core/error.h"
#include "raven/core/random.h"

namespace raven::data {
namespace {

std::vector<std::int64_t> random_sizes(std::int64_t count, std::uint64_t seed) {
  Random random(seed);
  std::vector<std::int64_t> sizes;
  for (std::int64_t i = 0; i < count; ++i) sizes.push_back(1 + random.below(300));
  return sizes;
}

std::multiset<std::vector<std::int64_t>> sizes_of(const BatchList& batches,
                                                  const std::vector<std::int64_t>& sizes) {
  std::multiset<std::vector<std::int64_t>> all;
  for (const auto& batch : batches) {
    std::vector<std::int64_t> row;
    for (const auto item : batch) row.push_back(sizes[static_cast<std::size_t>(item)]);
    all.insert(row);
  }
  return all;
}

TEST(Batching, HoldsEveryItemOnceWithinTheBudget) {
  const auto sizes = random_sizes(500, 1);
  for (const auto& batches : {pack_by_length(sizes, 1200), pack_in_order(sizes, 1200),
                              training_batches(sizes, 1200, 7, 3)}) {
    std::set<std::int64_t> seen;
    for (const auto& batch : batches) {
      ASSERT_FALSE(batch.empty());
      std::int64_t longest = 0;
      for (const auto item : batch) {
        EXPECT_TRUE(seen.insert(item).second);
        longest = std::max(longest, sizes[static_cast<std::size_t>(item)]);
      }
      EXPECT_LE(longest * std::ssize(batch), 1200);
    }
    EXPECT_EQ(seen.size(), sizes.size());
  }
}

TEST(Batching, KeepsTheListedOrderWhenAsked) {
  const std::vector<std::int64_t> sizes = {3, 9, 2, 2, 2, 10};
  EXPECT_EQ(pack_in_order(sizes, 10), (BatchList{{0}, {1}, {2, 3, 4}, {5}}));
}

TEST(Batching, EpochsChangeOrderAndMembersButNotShapes) {
  std::vector<std::int64_t> sizes = random_sizes(100, 2);
  sizes.insert(sizes.end(), 100, 150);
  const auto first = training_batches(sizes, 1000, 7, 0),
             second = training_batches(sizes, 1000, 7, 1);
  EXPECT_NE(first, second);
  EXPECT_EQ(sizes_of(first, sizes), sizes_of(second, sizes));
  EXPECT_EQ(first, training_batches(sizes, 1000, 7, 0));
  EXPECT_NE(first, training_batches(sizes, 1000, 8, 0));
  auto members = [](BatchList list) {
    for (auto& batch : list) std::sort(batch.begin(), batch.end());
    return std::set<std::vector<std::int64_t>>(list.begin(), list.end());
  };
  EXPECT_NE(members(first), members(second));
}

TEST(Batching, RanksCoverEveryBatchInEqualShares) {
  const auto batches = pack_by_length(random_sizes(100, 3), 700);
  std::set<std::vector<std::int64_t>> seen;
  for (std::int64_t rank = 0; rank < 4; ++rank) {
    const auto share = share_of_rank(batches, rank, 4);
    EXPECT_EQ(std::ssize(share), (std::ssize(batches) + 3) / 4);
    seen.insert(share.begin(), share.end());
  }
  EXPECT_EQ(seen.size(), batches.size());
  EXPECT_EQ(share_of_rank({{1, 2}}, 2, 3), (BatchList{{1, 2}}));  // fewer batches than ranks
  EXPECT_EQ(share_of_rank(batches, 0, 1), batches);
}

TEST(Batching, RefusesWhatIsLongerThanTheBudget) {
  EXPECT_THROW(pack_in_order(std::vector<std::int64_t>{5, 31}, 30), ConfigError);
}

TEST(Batching, DrawsAsManyAsFitWhereABatchIsTooLong) {
  const std::vector<std::int64_t> sizes = {8, 3, 8, 8, 2, 7};
  Random random(1);
  EXPECT_EQ(draw_within(sizes, 48, random).size(), 6U);  // 6 x 8: all
  std::set<std::vector<std::int64_t>> drawn;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Random by_seed(seed), again(seed);
    const auto chosen = draw_within(sizes, 16, by_seed);
    EXPECT_EQ(draw_within(sizes, 16, again), chosen);
    std::int64_t longest = 0;
    for (const auto i : chosen) longest = std::max(longest, sizes[static_cast<std::size_t>(i)]);
    EXPECT_LE(std::ssize(chosen) * longest, 16);
    EXPECT_GE(chosen.size(), 2U);
    EXPECT_TRUE(std::ranges::is_sorted(chosen));
    drawn.insert(chosen);
  }
  EXPECT_GT(drawn.size(), 3U);
  EXPECT_TRUE(draw_within({}, 16, random).empty());
}

}  // namespace
}  // namespace raven::data

#include "raven/data/deal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <utility>
#include <vector>

namespace raven::data {
namespace {

constexpr std::int64_t kBatches = 7;  // of an epoch

std::int64_t number(const LoaderPosition& position) {
  return position.epoch * kBatches + position.batch;
}

/// Batches that `ranks` processes take in `steps` steps of `step_batches` from `start` on, each in
/// the order of steps.
std::vector<std::int64_t> dealt(std::int64_t ranks, std::int64_t step_batches, std::int64_t steps,
                                std::int64_t start) {
  std::vector<std::vector<std::int64_t>> of_step(static_cast<std::size_t>(steps));
  for (std::int64_t rank = 0; rank < ranks; ++rank) {
    const Share share{.rank = rank, .ranks = ranks, .step_batches = step_batches};
    Deal deal(share, kBatches, /*endless=*/true);
    deal.begin_at({.epoch = start / kBatches, .batch = start % kBatches});
    EXPECT_EQ(deal.takes_part(), rank < step_batches);
    for (auto& batches : of_step) {
      for (std::int64_t i = 0; i < share.own_batches(); ++i) {
        EXPECT_EQ((number(deal.own()) - start) % step_batches, i * ranks + rank);
        batches.push_back(number(deal.own()));
        deal.advance();
      }
    }
  }
  std::vector<std::int64_t> all;
  for (const auto& batches : of_step) all.insert(all.end(), batches.begin(), batches.end());
  return all;
}

TEST(Deal, GivesEveryNumberOfProcessesTheSameSteps) {
  for (const std::int64_t ranks : {1, 2, 3, 4, 5, 8}) {
    for (const std::int64_t step_batches : {1, 3, 4, 5}) {
      auto all = dealt(ranks, step_batches, /*steps=*/6, /*start=*/3);
      ASSERT_EQ(std::ssize(all), 6 * step_batches);
      for (std::int64_t step = 0; step < 6; ++step) {
        std::set<std::int64_t> of_step;
        for (std::int64_t i = 0; i < step_batches; ++i)
          of_step.insert(all[static_cast<std::size_t>(step * step_batches + i)]);
        EXPECT_EQ(*of_step.begin(), 3 + step * step_batches) << ranks << " processes";
        EXPECT_EQ(*of_step.rbegin(), 3 + (step + 1) * step_batches - 1) << ranks << " processes";
        EXPECT_EQ(std::ssize(of_step), step_batches) << ranks << " processes";
      }
    }
  }
}

// 4, then 2, then 3, then 1 processes within one epoch.
TEST(Deal, LosesAndRepeatsNothingWhenTheNumberOfProcessesChanges) {
  std::vector<std::int64_t> seen;
  std::int64_t start = 0;
  for (const std::int64_t ranks : {4, 2, 3, 1}) {
    const auto some = dealt(ranks, /*step_batches=*/3, /*steps=*/1, start);
    seen.insert(seen.end(), some.begin(), some.end());
    start += 3;
  }
  EXPECT_THAT(seen, testing::UnorderedElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11));
}

TEST(Deal, TellsWhereTheNextStepBegins) {
  Deal deal({.rank = 0, .ranks = 3, .step_batches = 4}, kBatches, /*endless=*/true);
  deal.begin_at({});
  deal.advance();
  deal.advance();  // its batches 0 and 3 of the first step
  EXPECT_EQ(number(deal.first()), 4);
  EXPECT_EQ(number(deal.own()), 4);
}

TEST(Deal, OfAPassHasAnEnd) {
  Deal deal({}, kBatches, /*endless=*/false);
  deal.begin_at({.epoch = 0, .batch = 6});
  deal.advance();
  EXPECT_EQ(deal.own(), (LoaderPosition{.epoch = 0, .batch = 7}));
}

TEST(Share, OfUnequalParts) {
  const auto own = [](std::int64_t rank, std::int64_t ranks, std::int64_t batches) {
    return Share{.rank = rank, .ranks = ranks, .step_batches = batches}.own_batches();
  };
  EXPECT_EQ(own(0, 3, 4), 2);
  EXPECT_EQ(own(1, 3, 4), 1);
  EXPECT_EQ(own(2, 3, 4), 1);
  EXPECT_EQ(own(3, 4, 3), 0);
  EXPECT_EQ(own(1, 4, 0), 1);
}

}  // namespace
}  // namespace raven::data

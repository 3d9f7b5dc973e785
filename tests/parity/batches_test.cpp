// Batches under a frame budget against the published sampler's.
#include <gtest/gtest.h>

#include "raven/core/error.h"
#include "raven/data/batching.h"
#include "support/parity.h"

namespace raven::data {
namespace {

using Indices = std::vector<std::int64_t>;

TEST(BatchesParity, FixedAndShuffledBatchesAreThePublishedOnes) {
  const auto golden = parity::json("batches.json");
  std::size_t shuffled_lists = 0;
  for (const auto& example : parity::cases(golden)) {
    const auto sizes = example.at("sizes").get<Indices>();
    const auto budget = example.at("budget").get<std::int64_t>();
    EXPECT_EQ(pack_by_length(sizes, budget), example.at("fixed").get<BatchList>());
    for (const auto& epoch : example.at("shuffled")) {
      const auto permutation = epoch.at("permutation").get<Indices>();
      EXPECT_EQ(pack_by_length(sizes, budget, permutation), epoch.at("batches").get<BatchList>());
      ++shuffled_lists;
    }
  }
  EXPECT_GT(shuffled_lists, 0U);
}

TEST(BatchesParity, RefusesWhatThePublishedSamplerRefuses) {
  const auto golden = parity::json("batches.json");
  ASSERT_FALSE(golden.at("refused").empty());
  for (const auto& example : golden.at("refused")) {
    EXPECT_THROW(pack_by_length(example.at("sizes").get<Indices>(),
                                example.at("budget").get<std::int64_t>()),
                 ConfigError);
  }
}

/// The order in which batches were dealt out to ranks, one to each in turn.
BatchList dealt(const std::vector<BatchList>& per_rank) {
  BatchList order;
  for (std::size_t k = 0; k < per_rank.at(0).size(); ++k) {
    for (const auto& rank : per_rank) order.push_back(rank.at(k));
  }
  return order;
}

TEST(BatchesParity, RanksShareBatchesAsPublished) {
  const auto golden = parity::json("batches.json");
  std::size_t shares = 0;
  for (const auto& example : parity::cases(golden)) {
    const auto fixed = example.at("fixed").get<BatchList>();
    for (const auto& epoch : example.at("ranks")) {
      const auto per_rank = epoch.at("per_rank").get<std::vector<BatchList>>();
      const auto world = epoch.at("world").get<std::int64_t>();
      auto order = dealt(per_rank);
      order.resize(fixed.size());  // without the repeated ones at the end
      for (std::int64_t rank = 0; rank < world; ++rank, ++shares) {
        EXPECT_EQ(share_of_rank(order, rank, world), per_rank.at(static_cast<std::size_t>(rank)));
      }
    }
  }
  EXPECT_GT(shares, 0U);
}

}  // namespace
}  // namespace raven::data

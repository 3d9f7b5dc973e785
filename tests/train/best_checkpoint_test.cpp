#include "raven/train/best_checkpoint.h"

#include <gtest/gtest.h>

#include <limits>

namespace raven::train {
namespace {

TEST(BestCheckpoint, IsThatOfTheLowestNumber) {
  BestCheckpoint best({.by = {"a", "b"}, .patience = {}});
  best.judge(0, {{"a", -9}});
  EXPECT_FALSE(best.best()) << "there is no checkpoint before the first step";
  best.judge(5, {{"c", 1}});
  EXPECT_FALSE(best.best());
  best.judge(10, {{"a", 3}, {"b", 2}});
  EXPECT_TRUE(best.is_at(10));
  EXPECT_EQ(best.best()->value, 2);
  best.judge(20, {{"a", 2}});
  EXPECT_TRUE(best.is_at(10)) << "as good is no better";
  best.judge(30, {{"b", std::numeric_limits<double>::quiet_NaN()}});
  EXPECT_EQ(best.best()->evaluations_since, 1);
  best.judge(40, {{"a", 1.5}, {"b", 7}});
  EXPECT_TRUE(best.is_at(40));
  EXPECT_FALSE(best.is_at(10));
  EXPECT_EQ(best.best()->evaluations_since, 0);
  EXPECT_FALSE(best.is_over()) << "without patience it is never over";
}

TEST(BestCheckpoint, IsOverAfterSoManyEvaluationsThatWereNoBetter) {
  BestCheckpoint best({.by = {"a"}, .patience = 2});
  EXPECT_FALSE(best.is_over());
  best.judge(1, {{"a", 1}});
  best.judge(2, {{"a", 2}});
  EXPECT_FALSE(best.is_over());
  BestCheckpoint again({.by = {"a"}, .patience = 2});
  again.restore(best.best());
  EXPECT_TRUE(again.is_at(1));
  again.judge(3, {{"a", 3}});
  EXPECT_TRUE(again.is_over());
  BestCheckpoint patient({.by = {"a"}, .patience = 5});
  patient.restore(again.best());
  EXPECT_FALSE(patient.is_over());
}

TEST(BestCheckpoint, NothingIsKeptWhereNothingIsAskedFor) {
  BestCheckpoint none(best_settings(config::KeptBest::kNone, {}));
  none.judge(1, {{"valid_loss", 1}});
  none.restore(artifacts::BestSoFar{.step = 1});
  EXPECT_FALSE(none.best());
  BestCheckpoint loss(best_settings(config::KeptBest::kLoss, 3, {"valid_wer_ctc"}));
  loss.judge(1, {{"valid_loss", 1}, {"valid_wer_ctc", 0.2}});
  EXPECT_EQ(loss.best()->value, 1);
  BestCheckpoint error(best_settings(config::KeptBest::kError, 3, {"valid_wer_ctc"}));
  error.judge(1, {{"valid_loss", 1}, {"valid_wer_ctc", 0.2}});
  EXPECT_EQ(error.best()->value, 0.2);
}

}  // namespace
}  // namespace raven::train

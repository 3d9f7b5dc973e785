#include "raven/train/finite_watch.h"

#include <gtest/gtest.h>

#include <limits>

namespace raven::train {
namespace {

TEST(FiniteWatch, FlagsNaNAndInfAmongManyValues) {
  const auto good = torch::tensor(1e30F), zero = torch::zeros({});
  EXPECT_EQ(FiniteWatch::bad_flag({good, zero}).item<float>(), 0.0F);
  EXPECT_EQ(FiniteWatch::bad_flag({good, zero / 0}).item<float>(), 1.0F);
  EXPECT_EQ(FiniteWatch::bad_flag({good * 1e30F, zero}).item<float>(), 1.0F);
}

TEST(FiniteWatch, GivesBackTheBadStepOnce) {
  FiniteWatch watch;
  EXPECT_FALSE(watch.check().has_value());
  watch.record({.number = 3, .batches = {}}, torch::zeros({}));
  EXPECT_FALSE(watch.check().has_value());
  watch.record({.number = 4, .batches = {Batch(1, 1)}}, torch::ones({}));
  const auto bad = watch.check();
  ASSERT_TRUE(bad.has_value());
  EXPECT_EQ(bad->number, 4);
  EXPECT_EQ(bad->batches.size(), 1U);
  EXPECT_FALSE(watch.check().has_value());
}

}  // namespace
}  // namespace raven::train

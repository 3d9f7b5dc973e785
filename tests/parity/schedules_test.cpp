// Learning rates and momenta against the published implementation's.
#include <gtest/gtest.h>

#include "raven/train/schedule.h"
#include "support/parity.h"

namespace raven::train {
namespace {

constexpr double kTolerance = 1e-12;

TEST(SchedulesParity, LearningRatesAndMomentaAreThePublishedOnes) {
  const auto golden = parity::cases(parity::json("schedules.json"));
  for (const auto& [name, expected] : golden.items()) {
    SCOPED_TRACE(name);
    const auto total = expected.at("total").get<std::int64_t>();
    const LearningRate rate{
        .peak = expected.at("base_lr"),
        .minimum = expected.at("min_lr"),
        .length = {.steps = total, .warmup_steps = expected.at("warmup").get<std::int64_t>()}};
    const Momentum momentum{.start = expected.at("base_momentum"),
                            .schedule = config::MomentumSchedule::kCosine,
                            .steps = total};
    const auto& steps = expected.at("steps");
    ASSERT_GT(steps.size(), 3U);
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const auto step = steps[i].get<std::int64_t>();
      const auto learning_rate = expected.at("learning_rate")[i].get<double>(),
                 beta = expected.at("momentum")[i].get<double>();
      EXPECT_NEAR(rate.at(step), learning_rate, kTolerance + parity::rounding(learning_rate))
          << step;
      EXPECT_NEAR(momentum.at(step), beta, kTolerance + parity::rounding(beta)) << step;
    }
  }
}

}  // namespace
}  // namespace raven::train

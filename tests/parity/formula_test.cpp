#include "support/formula.h"

#include <gtest/gtest.h>

#include "support/parity.h"

namespace raven {
namespace {

TEST(Formula, GivesTheFilesNumbers) {
  const auto golden = parity::json("formula.json");
  const auto salt = golden.at("salt").get<std::string>();
  ASSERT_FALSE(golden.at("u").empty());
  for (const auto& [name, values] : golden.at("u").items()) {
    for (std::size_t k = 0; k < values.size(); ++k) {
      const auto expected = values[k].get<double>();
      EXPECT_NEAR(formula::uniform(formula::fnv1a64(salt + name), k), expected,
                  parity::rounding(expected))
          << name;
    }
  }
}

TEST(Formula, FillsWholeTensors) {
  const auto golden = parity::json("formula.json");
  ASSERT_FALSE(golden.at("tensors").empty());
  for (const auto& [name, expected] : golden.at("tensors").items()) {
    const auto shape = expected.at("shape").get<std::vector<std::int64_t>>();
    const auto values = formula::weights(golden.at("salt").get<std::string>(), name, shape)
                            .flatten()
                            .to(torch::kDouble);
    for (std::size_t k = 0; k < expected.at("first").size(); ++k) {
      const auto first = expected.at("first")[k].get<double>();
      EXPECT_NEAR(values[static_cast<std::int64_t>(k)].item<double>(), first,
                  parity::rounding(first))
          << name;
    }
    const auto sum = expected.at("sum").get<double>();
    const auto squares = expected.at("sum_of_squares").get<double>();
    EXPECT_NEAR(values.sum().item<double>(), sum,
                1e-12 * std::max(1.0, std::abs(sum)) + parity::rounding(sum))
        << name;
    EXPECT_NEAR(values.square().sum().item<double>(), squares,
                1e-12 * squares + parity::rounding(squares))
        << name;
  }
}

}  // namespace
}  // namespace raven

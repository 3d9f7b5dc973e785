// CTC prefix scores against tests/parity/data/ctc_prefix.json.
#include <gtest/gtest.h>

#include "raven/decode/ctc_prefix_score.h"
#include "support/formula.h"
#include "support/parity.h"
#include "support/tolerance.h"

namespace raven {
namespace {

using nlohmann::json;

torch::Tensor posteriors(const json& logits) {
  EXPECT_EQ(logits.at("then"), "add 1.5 to column 0, log-softmax");
  auto values =
      formula::noise(logits.at("salt").get<std::string>() + logits.at("name").get<std::string>(),
                     logits.at("shape").get<std::vector<std::int64_t>>(), logits.at("centre"),
                     logits.at("spread"));
  values.select(1, 0) += 1.5;
  return values.log_softmax(-1).unsqueeze(0);  // (1, T, V)
}

/// Scores by unit, of the listed candidates and the end, or of all.
std::map<std::int64_t, double> scores_of(const decode::CtcPrefixScore& ctc, const json& candidates,
                                         std::int64_t end_unit) {
  torch::Tensor units;
  std::vector<std::int64_t> listed;
  if (!candidates.is_null()) {
    listed = candidates.get<std::vector<std::int64_t>>();
    listed.push_back(end_unit);
    units = torch::tensor(listed, torch::kInt64).view({1, 1, -1});
  }
  const auto scores = ctc.score(units).view(-1);
  std::map<std::int64_t, double> by_unit;
  for (std::int64_t i = 0; i < scores.numel(); ++i) {
    by_unit[listed.empty() ? i : listed[static_cast<std::size_t>(i)]] = scores[i].item<double>();
  }
  return by_unit;
}

TEST(CtcPrefixParity, ScoresEveryCandidateAlongAPrefix) {
  torch::NoGradGuard no_grad;
  const auto file = parity::json("ctc_prefix.json");
  std::size_t compared = 0;
  for (const auto& content : parity::cases(file)) {
    ASSERT_EQ(content.at("blank"), models::kBlank);
    const auto end_unit = content.at("eos").get<std::int64_t>();
    decode::CtcPrefixScore ctc(posteriors(content.at("logits")), {}, end_unit);
    std::vector<std::int64_t> prefix;
    double prefix_score = 0;
    std::map<std::int64_t, double> scores;
    for (const auto& step : content.at("steps")) {
      const auto wanted = step.at("prefix").get<std::vector<std::int64_t>>();
      if (!wanted.empty()) {
        ASSERT_EQ((std::vector<std::int64_t>(wanted.begin(), wanted.end() - 1)), prefix);
        prefix = wanted;
        prefix_score += scores.at(prefix.back());
        const auto first = torch::zeros({1}, torch::kInt64);
        ctc.select(first, first.view({1, 1}), torch::full({1, 1}, prefix.back()),
                   torch::full({1, 1}, prefix_score, torch::kFloat64));
      }
      scores = scores_of(ctc, step.at("candidates"), end_unit);
      for (const auto& [unit, value] : step.at("scores").items()) {
        const auto expected = value.get<double>(), actual = scores.at(std::stoll(unit));
        const auto where =
            fmt::format("{} after {} unit {}", content.at("logits").at("name").dump(),
                        fmt::join(prefix, " "), unit);
        if (expected < tolerance::decoding::kExcluded) {
          EXPECT_LT(actual, tolerance::decoding::kExcluded) << where;
        } else {
          EXPECT_NEAR(actual, expected,
                      tolerance::decoding::kCtcPrefix + parity::rounding(expected))
              << where;
        }
        ++compared;
      }
    }
  }
  EXPECT_GT(compared, 0U);
}

}  // namespace
}  // namespace raven

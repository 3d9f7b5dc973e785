#include "raven/models/recognition_probe.h"

#include <gtest/gtest.h>

#include "support/tolerance.h"

namespace raven::models {
namespace {

constexpr auto kNone = static_cast<int>(kNoLabel);
constexpr std::int64_t kUnits = 6, kWidth = 8;

RecognitionProbe small_probe() {
  torch::manual_seed(1);
  RecognitionProbe probe(
      config::DecoderConfig{.dim = 4, .heads = 2, .ffn_dim = 6, .blocks = 1, .dropout = 0}, kWidth,
      kUnits);
  probe->eval();
  return probe;
}

TEST(RecognitionProbe, LearnsButGivesTheFeaturesNoGradient) {
  auto probe = small_probe();
  const auto features = torch::randn({2, 5, kWidth}).requires_grad_();
  const auto losses = probe->losses(features, torch::ones({2, 5}, torch::kBool),
                                    {.units = torch::tensor({{2, 3}, {4, kNone}}, torch::kInt64),
                                     .num_frames = torch::tensor({5, 5}),
                                     .num_labels = torch::tensor({2, 1})});
  (losses.ctc + losses.attention).backward();
  EXPECT_FALSE(features.grad().defined());
  for (const auto& parameter : probe->named_parameters()) {
    EXPECT_TRUE(parameter.value().grad().defined()) << parameter.key();
  }
  EXPECT_EQ(losses.utterances, 2);
}

TEST(RecognitionProbe, LeavesOutUtterancesWithoutLabels) {
  auto probe = small_probe();
  const auto features = torch::randn({3, 5, kWidth});
  const auto valid = torch::arange(5).unsqueeze(0) < torch::tensor({5, 4, 3}).unsqueeze(1);
  const auto all =
      probe->losses(features, valid,
                    {.units = torch::tensor({{2, 3}, {kNone, kNone}, {4, 2}}, torch::kInt64),
                     .num_frames = torch::tensor({5, 4, 3}),
                     .num_labels = torch::tensor({2, 0, 2})});
  const auto rows = torch::tensor({0, 2});
  const auto labelled = probe->losses(features.index_select(0, rows), valid.index_select(0, rows),
                                      {.units = torch::tensor({{2, 3}, {4, 2}}),
                                       .num_frames = torch::tensor({5, 3}),
                                       .num_labels = torch::tensor({2, 2})});
  EXPECT_EQ(all.utterances, 2);
  EXPECT_EQ(all.count.item<std::int64_t>(), 6);  // two labels and an end each
  EXPECT_LE(tolerance::relative_distance(all.ctc, labelled.ctc),
            tolerance::relative(torch::kFloat32));
  EXPECT_LE(tolerance::relative_distance(all.attention, labelled.attention),
            tolerance::relative(torch::kFloat32));
}

TEST(RecognitionProbe, IsSilentWithoutAnyLabels) {
  auto probe = small_probe();
  const auto losses = probe->losses(torch::randn({2, 5, kWidth}), torch::ones({2, 5}, torch::kBool),
                                    {.units = torch::full({2, 0}, kNoLabel, torch::kInt64),
                                     .num_frames = torch::tensor({5, 5}),
                                     .num_labels = torch::tensor({0, 0})});
  EXPECT_EQ(losses.utterances, 0);
  EXPECT_EQ(losses.ctc.item<double>() + losses.attention.item<double>(), 0);
}

}  // namespace
}  // namespace raven::models

#include "raven/decode/decode.h"

#include <gtest/gtest.h>

#include <limits>

#include "models/small_models.h"
#include "raven/core/error.h"
#include "support/tolerance.h"

namespace raven::decode {
namespace {

using config::DecodeKind;

constexpr std::int64_t kUnits = 6;

models::Recognizer small_recognizer() {
  torch::manual_seed(1);
  const auto model = models::small_model();
  models::Recognizer recognizer(models::RecognizerOptions{
      .modality = models::Modality::kVideo,
      .encoder = model.encoder,
      .frontend = model.video_frontend,
      .decoder = {.dim = 4, .heads = 2, .ffn_dim = 6, .blocks = 1, .dropout = 0},
      .units = kUnits});
  recognizer->eval();
  return recognizer;
}

models::LanguageModel small_language_model(std::int64_t units) {
  models::LanguageModel model(
      config::LanguageModelConfig{.embed_dim = 4, .dim = 4, .heads = 2, .ffn_dim = 6, .blocks = 1},
      units);
  model->eval();
  return model;
}

Encoded two_clips() {
  torch::manual_seed(2);
  return {.frames = 3 * torch::randn({2, 7, 8}),
          .valid = torch::arange(7).unsqueeze(0) < torch::tensor({7, 5}).unsqueeze(1),
          .ids = {"first", "second"}};
}

TEST(GreedyCtc, LeavesOutRepetitionsAndBlanks) {
  const auto path = torch::tensor({{1, 1, 0, 1, 2, 2, 0, 3}, {0, 4, 4, 5, 5, 1, 1, 1}});
  const auto log_probs = torch::one_hot(path, kUnits).to(torch::kFloat32).mul(9).log_softmax(-1);
  const auto valid = torch::arange(8).unsqueeze(0) < torch::tensor({8, 5}).unsqueeze(1);
  const auto best = greedy_ctc(log_probs, valid, {"a", "b"});
  EXPECT_EQ(best[0].units, (std::vector<std::int64_t>{1, 1, 2, 3}));
  EXPECT_EQ(best[1].units, (std::vector<std::int64_t>{4, 5}));
  EXPECT_NEAR(best[1].score, 5 * log_probs.max().item<double>(), 1e-4);
}

TEST(GreedyCtc, NamesTheUtteranceWhosePosteriorsAreNotNumbers) {
  auto log_probs = torch::randn({2, 3, 4}).log_softmax(-1);
  log_probs[1][1][2] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW(greedy_ctc(log_probs, {}, {"a", "b"}), DataError);
  EXPECT_NO_THROW(greedy_ctc(log_probs.narrow(0, 0, 1), {}, {"a"}));
}

TEST(Decode, UsesTheScoresOfItsKind) {
  const auto names = [](const config::DecodeConfig& config) {
    std::string list;
    const auto best =
        decode(small_recognizer(), two_clips(), config, small_language_model(kUnits)).at(1).at(0);
    for (const auto& [name, part] : best.parts) list += name + " ";
    return list;
  };
  EXPECT_EQ(names({}), "ctc decoder ");
  EXPECT_EQ(names({.ctc_weight = 1}), "ctc ");
  EXPECT_EQ(names({.ctc_weight = 0}), "decoder ");
  EXPECT_EQ(names({.kind = DecodeKind::kAttention}), "decoder ");
  EXPECT_EQ(names({.kind = DecodeKind::kGreedyCtc}), "ctc ");
  EXPECT_EQ(names({.length_bonus = 0.5, .lm_weight = 0.3}), "ctc decoder length_bonus lm ");
}

TEST(Decode, GivesNothingWithoutFrames) {
  for (const auto kind : {DecodeKind::kHybrid, DecodeKind::kGreedyCtc}) {
    const auto none =
        decode(small_recognizer(), {.frames = torch::empty({1, 0, 8}), .valid = {}, .ids = {"a"}},
               {.kind = kind});
    ASSERT_EQ(none.size(), 1U);
    EXPECT_TRUE(none[0].empty());
    auto clips = two_clips();
    clips.valid[1] = false;
    const auto some = decode(small_recognizer(), clips, {.kind = kind, .beam_size = 2});
    EXPECT_FALSE(some[0].empty());
    EXPECT_TRUE(some[1].empty());
  }
}

TEST(Decode, RefusesALanguageModelThatIsMissingOrOfOtherUnits) {
  EXPECT_THROW(decode(small_recognizer(), two_clips(), {.lm_weight = 0.3}), ConfigError);
  EXPECT_THROW(
      decode(small_recognizer(), two_clips(), {.lm_weight = 0.3}, small_language_model(kUnits + 1)),
      ConfigError);
}

TEST(Decode, RefusesLimitsThatAllowNothing) {
  EXPECT_THROW(decode(small_recognizer(), two_clips(), {.max_length_ratio = -0.5}), ConfigError);
}

TEST(Decode, NamesTheUtteranceWhoseFramesAreNotNumbers) {
  auto clips = two_clips();
  clips.frames[1][2][3] = std::numeric_limits<float>::infinity();
  for (const auto kind : {DecodeKind::kHybrid, DecodeKind::kAttention, DecodeKind::kGreedyCtc}) {
    try {
      decode(small_recognizer(), clips, {.kind = kind, .beam_size = 3});
      FAIL();
    } catch (const DataError& error) {
      EXPECT_NE(std::string(error.what()).find("'second'"), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace raven::decode

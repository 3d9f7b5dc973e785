#include "raven/decode/decode.h"

#include <gtest/gtest.h>

#include <cmath>
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

TEST(GreedyCtc, IsAsSureOfAUnitAsItsBestFrame) {
  const auto shares =
      torch::tensor({{{0.1, 0.9, 0.0}, {0.4, 0.6, 0.0}, {0.8, 0.1, 0.1}, {0.3, 0.0, 0.7}}});
  const auto best = greedy_ctc(shares.log(), {}, {"a"}).at(0);
  ASSERT_EQ(best.units, (std::vector<std::int64_t>{1, 2}));
  const auto found = confidence(best);
  EXPECT_NEAR(found[0], 0.9, 1e-6);
  EXPECT_NEAR(found[1], 0.7, 1e-6);
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

TEST(Decode, TellsWhatEachUnitAddsToAScore) {
  const auto clips = two_clips();
  for (const auto& of_clip : decode(small_recognizer(), clips, {.lm_weight = 0.3, .nbest = 40},
                                    small_language_model(kUnits))) {
    ASSERT_FALSE(of_clip.empty());
    for (std::size_t k = 0; k < of_clip.size(); ++k) {
      const auto& one = of_clip[k];
      if (k >= 40) {
        EXPECT_TRUE(one.unit_parts.empty()) << "nobody asked";
        continue;
      }
      for (const auto& [name, total] : one.parts) {
        const auto& of_units = one.unit_parts.at(name);
        ASSERT_EQ(of_units.size(), one.units.size()) << name;
        double sum = 0;
        for (const auto value : of_units) sum += std::isnan(value) ? 0 : value;
        EXPECT_NEAR(sum, total, 1e-9) << name;
      }
    }
  }
}

TEST(Decode, IsAsSureOfAUnitAsItsDecoder) {
  auto recognizer = small_recognizer();
  const auto clips = two_clips();
  const torch::NoGradGuard no_grad;
  const auto first = clips.frames.narrow(0, 0, 1);
  const auto best = decode(recognizer, {.frames = first, .valid = {}, .ids = {"first"}},
                           {.max_length_ratio = -3, .nbest = 1})
                        .at(0)
                        .at(0);
  const auto found = confidence(best);
  ASSERT_EQ(found.size(), best.units.size());
  std::vector<std::int64_t> read = {recognizer->end_unit()};
  read.insert(read.end(), best.units.begin(), best.units.end());
  auto state = recognizer->decoder->start(first, {});
  for (std::size_t u = 0; u < best.units.size(); ++u) {
    const auto next = recognizer->decoder->step(torch::tensor({{read[u]}}), state).exp().squeeze();
    if (std::isnan(found[u])) {
      EXPECT_EQ(u, best.units.size() - 1) << "an end that was appended";
      continue;
    }
    EXPECT_NEAR(found[u], next[best.units[u]].item<double>(), 1e-5) << u;
  }
}

TEST(Decode, IsAsSureOfAUnitAsCtcWithoutADecoder) {
  const torch::NoGradGuard no_grad;
  auto recognizer = small_recognizer();
  const auto first = two_clips().frames.narrow(0, 0, 1);
  const auto best = decode(recognizer, {.frames = first, .valid = {}, .ids = {"first"}},
                           {.ctc_weight = 1, .nbest = 1})
                        .at(0)
                        .at(0);
  const auto found = confidence(best);
  double sum = 0;
  for (const auto share : found) {
    if (std::isnan(share)) continue;
    EXPECT_GT(share, 0);
    EXPECT_LE(share, 1);
    sum += std::log(share);
  }
  EXPECT_NEAR(sum, best.parts.at("ctc"), 1e-5);
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

#include "raven/config/decode_config.h"

#include <gtest/gtest.h>

namespace raven::config {
namespace {

std::string broken_key(const DecodeConfig& config) {
  try {
    config.check("decode");
  } catch (const RuleError& error) {
    return error.key();
  }
  return "";
}

TEST(DecodeConfig, TakesThePublishedSettings) { EXPECT_EQ(broken_key({}), ""); }

TEST(DecodeConfig, RefusesALimitThatAllowsNothing) {
  EXPECT_EQ(broken_key({.max_length_ratio = -0.5}), "decode.max_length_ratio");
  EXPECT_EQ(broken_key({.max_length_ratio = -1}), "");
}

TEST(DecodeConfig, RefusesScoresThatGreedyCtcDoesNotUse) {
  EXPECT_EQ(broken_key({.kind = DecodeKind::kGreedyCtc, .lm_weight = 0.3}), "decode.lm_weight");
  EXPECT_EQ(broken_key({.kind = DecodeKind::kGreedyCtc, .length_bonus = 1}), "decode.length_bonus");
  EXPECT_EQ(broken_key({.kind = DecodeKind::kGreedyCtc}), "");
}

TEST(DecodeConfig, RefusesListsThatNoSearchMakes) {
  EXPECT_EQ(broken_key({.beam_size = 4, .nbest = 5}), "decode.nbest");
  EXPECT_EQ(broken_key({.beam_size = 4, .nbest = 4}), "");
  EXPECT_EQ(broken_key({.kind = DecodeKind::kGreedyCtc, .nbest = 2}), "decode.nbest");
  EXPECT_EQ(broken_key({.kind = DecodeKind::kGreedyCtc, .beam_size = 1, .nbest = 1}), "");
}

TEST(DecodeConfig, RefusesALanguageModelThatWouldNotBeUsed) {
  EXPECT_EQ(broken_key({.lm = "lm.safetensors"}), "decode.lm_weight");
  EXPECT_EQ(broken_key({.lm_weight = 0.2, .lm = "lm.safetensors"}), "");
}

}  // namespace
}  // namespace raven::config

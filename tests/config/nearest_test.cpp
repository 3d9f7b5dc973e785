#include "raven/config/nearest.h"

#include <gtest/gtest.h>

namespace raven::config {
namespace {

const std::vector<std::string> kKnown = {"mask.prob", "mask.length", "optimizer.lr", "train.steps"};

TEST(Nearest, FindsMistypedWords) {
  EXPECT_EQ(nearest("mask.pobr", kKnown), "mask.prob");
  EXPECT_EQ(nearest("mask.lenght", kKnown), "mask.length");
  EXPECT_EQ(nearest("optimiser.lr", kKnown), "optimizer.lr");
}

TEST(Nearest, FindsTheRightNameInTheWrongGroup) {
  EXPECT_EQ(nearest("lr", kKnown), "optimizer.lr");
  EXPECT_EQ(nearest("data.steps", kKnown), "train.steps");
}

TEST(Nearest, FindsTheNameThatAWordBegins) {
  const std::vector<std::string> known = {"decode.lm", "decode.beam_size", "decode.lm_weight",
                                          "mask.video_prob", "mask.video_length"};
  EXPECT_EQ(nearest("decode.beam", known), "decode.beam_size");
  EXPECT_EQ(nearest("mask.video", known), "");  // two go on from it
}

TEST(Nearest, SaysNothingWhenNothingIsNear) {
  EXPECT_EQ(nearest("colour", kKnown), "");
  EXPECT_EQ(nearest("", kKnown), "");
  EXPECT_EQ(nearest(std::string(100000, 'x'), kKnown), "");
  EXPECT_EQ(did_you_mean("colour", kKnown), "");
}

}  // namespace
}  // namespace raven::config

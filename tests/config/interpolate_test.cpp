#include <gmock/gmock.h>

#include "config/tiny_config.h"

namespace raven::config {
namespace {

using testing::HasSubstr;

TEST(Interpolate, InsertsOtherKeysAndTheirDefaults) {
  const auto config = tiny("dir: runs/${seed}_${colour}_${lr}_${inner.loud}\ncolour: green\n");
  EXPECT_EQ(config.dir, "runs/42_green_0.003_false");
}

TEST(Interpolate, WholeValueKeepsItsType) {
  const auto config = tiny(
      "seed: 5\nlr: ${inner.mask.prob}\nfiles: ${widths}\ninner: {mask: {length: '${seed}'}}\n");
  EXPECT_DOUBLE_EQ(config.lr, 0.2);
  EXPECT_EQ(config.files, (std::vector<std::string>{"64", "128"}));
  EXPECT_EQ(config.inner.mask.length, 5);
}

TEST(Interpolate, FollowsChainsAndOverrides) {
  EXPECT_EQ(tiny("dir: ${files}\nfiles: a${seed}b\n", {"seed=9"}).dir, "a9b");
}

TEST(Interpolate, EscapesWithTwoDollars) { EXPECT_EQ(tiny("dir: a$${seed}").dir, "a${seed}"); }

TEST(Interpolate, ChecksTheValueWhereItIsUsed) {
  EXPECT_EQ(complaint("seed: 1\ninner: {mask: {prob: '${widths}'}}\nwidths: [7]\n"),
            "a.yaml:2:22: inner.mask.prob is a list, expected a number, a value in [0, 1] (chance "
            "that a frame starts a span)");
}

TEST(Interpolate, NamesCycles) {
  EXPECT_EQ(complaint("dir: x${files}\nfiles: ${dir}y\n"),
            "a.yaml:1:6: ${files} refers to itself: files -> dir -> files");
  EXPECT_THAT(complaint("dir: ${dir}"), HasSubstr("refers to itself: dir -> dir"));
}

TEST(Interpolate, RefusesWhatItCannotInsert) {
  EXPECT_EQ(complaint("dir: ${sead}"),
            "a.yaml:1:6: ${sead} refers to an unknown key; did you mean 'seed'?");
  EXPECT_EQ(complaint("dir: a${inner}"), "a.yaml:1:6: ${inner} is a group, not a value");
  EXPECT_THAT(complaint("dir: a${widths}"), HasSubstr("is not a single value"));
  EXPECT_THAT(complaint("dir: a${seed"), HasSubstr("no closing brace"));
  EXPECT_THAT(complaint("files: ${dir}"), HasSubstr("${dir} has no value yet; give dir=..."));
}

TEST(Interpolate, BoundsTheGrownText) {
  std::string text = "dir: '";
  for (int i = 0; i < 200; ++i) text += "${files}";
  EXPECT_THAT(complaint(text + "'\nfiles: '" + std::string(100, 'x') + "'\n"),
              HasSubstr("grows beyond 4096 bytes"));
}

}  // namespace
}  // namespace raven::config

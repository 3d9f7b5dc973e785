#include <gmock/gmock.h>

#include "config/tiny_config.h"

namespace raven::config {
namespace {

using testing::HasSubstr;

TEST(Override, SetsValuesParsedAsYaml) {
  const auto config = tiny("seed: 1\n", {"seed=2", "inner.mask.prob=1e-2", "widths=[3,4]", "seed=3",
                                         "dir=a b=c", "inner.mask.length=null", "colour=green"});
  EXPECT_EQ(config.seed, 3);
  EXPECT_DOUBLE_EQ(config.inner.mask.prob, 0.01);
  EXPECT_EQ(config.widths, (std::vector<std::int64_t>{3, 4}));
  EXPECT_EQ(config.dir, "a b=c");
  EXPECT_EQ(config.colour, Colour::kGreen);
}

TEST(Override, EmptyValueIsTheEmptyText) { EXPECT_EQ(tiny("dir: x", {"dir="}).dir, ""); }

TEST(Override, MergesGroups) {
  const auto config = tiny("inner: {mask: {length: 4}}", {"inner.mask={prob: 0.5}"});
  EXPECT_EQ(config.inner.mask.length, 4);
  EXPECT_DOUBLE_EQ(config.inner.mask.prob, 0.5);
}

TEST(Override, TildeGoesBackToTheDefault) {
  EXPECT_EQ(tiny("seed: 1", {"~seed"}).seed, 42);
  EXPECT_DOUBLE_EQ(tiny("inner: {mask: {prob: 0.7}}", {"~inner.mask"}).inner.mask.prob, 0.2);
  EXPECT_EQ(tiny("", {"~seed"}).seed, 42);
}

TEST(Override, PlusAddsOnlyWhatIsNotSet) {
  EXPECT_EQ(tiny("lr: 1", {"+seed=4"}).seed, 4);
  EXPECT_EQ(complaint("lr: 1\nseed: 3\n", {"+seed=4"}),
            "command line: '+seed=4': a.yaml:2:7 already sets it; leave out the '+' to change it");
}

TEST(Override, ErrorsNameTheArgument) {
  EXPECT_EQ(complaint("", {"inner.mask.prob=1.4"}),
            "command line: inner.mask.prob=1.4, expected a number, a value in [0, 1] (chance that "
            "a frame "
            "starts a span)");
  EXPECT_EQ(complaint("", {"sed=1"}), "command line: unknown key 'sed'; did you mean 'seed'?");
  EXPECT_EQ(complaint("", {"seed"}), "command line: 'seed': expected key.path=value");
  EXPECT_EQ(complaint("", {"=3"}), "command line: '=3': expected key.path=value");
  EXPECT_EQ(complaint("", {"a..b=3"}), "command line: 'a..b=3': expected key.path=value");
  EXPECT_EQ(complaint("", {"~seed=3"}),
            "command line: '~seed=3': removing takes no value: write ~key.path");
  EXPECT_EQ(complaint("", {"~sede"}), "command line: unknown key 'sede'; did you mean 'seed'?");
  // As a shell leaves it of files=[a, b].
  EXPECT_EQ(
      complaint("", {"files=[a,"}),
      "command line: files=[a,: the bracket '[' is not closed: ']' is missing; a shell takes "
      "blanks, brackets and quotes for itself: put the whole word between quotes, 'key=[a, b]'");
  EXPECT_THAT(complaint("", {"dir='a"}), HasSubstr("dir='a: the quote ' is not closed"));
  EXPECT_THAT(complaint("", {"seed.a=1"}),
              HasSubstr("seed=a group of keys, expected a whole number"));
}

}  // namespace
}  // namespace raven::config

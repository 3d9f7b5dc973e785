// YAML made to hurt: each ends in a message, in little time and memory.
#include <gmock/gmock.h>

#include "config/tiny_config.h"

namespace raven::config {
namespace {

using testing::HasSubstr;

TEST(YamlLimits, RefusesAnchorsAndAliases) {
  EXPECT_THAT(complaint("seed: &a 1\n"), HasSubstr("a.yaml:1:7: anchor '&a' is not supported"));
  EXPECT_THAT(complaint("a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n"),
              HasSubstr("not supported"));
  EXPECT_THAT(complaint("inner: &x\n  loud: *x\n"), HasSubstr("not supported"));
}

TEST(YamlLimits, RefusesTags) {
  EXPECT_THAT(complaint("seed: !!python/object:os.system 1\n"), HasSubstr("is not supported"));
}

TEST(YamlLimits, RefusesDepth) {
  const auto nested = [](std::size_t depth) {
    return "files: " + std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_THAT(complaint(nested(100)), HasSubstr("nested more than 16 deep"));
  EXPECT_THAT(complaint(nested(400000)), HasSubstr("nested more than 16 deep"));
  EXPECT_THAT(complaint("files: " + std::string(500000, '[')),
              HasSubstr("the bracket '[' is not closed: ']' is missing"));
}

TEST(YamlLimits, RefusesSize) {
  EXPECT_THAT(complaint("dir: '" + std::string(2 << 20, 'x') + "'"),
              HasSubstr("expected at most 1048576"));
}

TEST(YamlLimits, RefusesManyValues) {
  std::string text = "widths: [";
  for (int i = 0; i < 30000; ++i) text += "1,";
  EXPECT_THAT(complaint(text + "]"), HasSubstr("more than 20000 values"));
}

TEST(YamlLimits, RefusesZeroBytesAndSeveralDocuments) {
  EXPECT_THAT(complaint(std::string("seed: 1\0", 8)), HasSubstr("zero byte"));
  EXPECT_THAT(complaint("seed: 1\n---\nseed: 2\n"), HasSubstr("more than one YAML document"));
}

TEST(YamlLimits, RefusesKeysThatAreNoWords) {
  EXPECT_THAT(complaint("[1, 2]: 3\n"), HasSubstr("a key must be a plain word"));
  EXPECT_THAT(complaint("~: 3\n"), HasSubstr("a key must be a plain word"));
  EXPECT_THAT(complaint("? {a: b}\n: 3\n"), HasSubstr("a key must be a plain word"));
}

TEST(YamlLimits, ReadsByteOrderMarksAndWindowsLines) {
  EXPECT_EQ(tiny("\xEF\xBB\xBFseed: 4\r\nlr: 0.5\r\n").seed, 4);
}

}  // namespace
}  // namespace raven::config

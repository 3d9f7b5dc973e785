#include "raven/config/reference.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "config/tiny_config.h"
#include "raven/config/stages.h"
#include "raven/core/files.h"

namespace raven::config {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Reference, IsNotStale) {
  const auto file = std::filesystem::path(RAVEN_SOURCE_DIR) / "configs/REFERENCE.md";
  EXPECT_EQ(read_file(file), reference_markdown())
      << "write it anew: build/dev/bin/raven config describe --markdown > configs/REFERENCE.md";
}

TEST(Reference, HoldsEveryKey) {
  const std::string text = reference_markdown();
  ASSERT_GE(stages().size(), 4U);
  for (const Stage& stage : stages()) {
    const AnyConfig defaults = stage.defaults();
    EXPECT_GE(defaults.schema.fields.size(), 10U) << stage.name;
    for (const Field& field : defaults.schema.fields) {
      EXPECT_THAT(text, HasSubstr("| `" + field.key + "` |"));
      EXPECT_FALSE(field.meaning.empty()) << field.key;
    }
  }
}

TEST(Reference, DescribesTypeDefaultRangeAndMeaning) {
  TinyConfig config;
  EXPECT_EQ(describe(bind(config), {"inner.mask.prob", "colour"}),
            "colour = red\n    one of: red, green\n    of the plot\n"
            "inner.mask.prob = 0.2\n    number; a value in [0, 1]\n    chance that a frame starts "
            "a span\n");
}

TEST(Reference, DescribesGroups) {
  TinyConfig config;
  const std::string text = describe(bind(config), {"inner.mask"});
  EXPECT_THAT(text, HasSubstr("inner.mask.length = null"));
  EXPECT_THAT(text, Not(HasSubstr("inner.loud")));
}

TEST(Reference, RefusesUnknownKeys) {
  TinyConfig config;
  try {
    describe(bind(config), {"inner.msak"});
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_STREQ(error.what(), "unknown key 'inner.msak'; did you mean 'inner.mask'?");
  }
}

TEST(Reference, DifferenceListsDifferingKeysOnly) {
  TinyConfig left, right;
  right.lr = 0.5;
  right.widths = {1};
  EXPECT_EQ(difference(bind(left), bind(right)), "lr: 0.003 -> 0.5\nwidths: [64, 128] -> [1]\n");
}

}  // namespace
}  // namespace raven::config

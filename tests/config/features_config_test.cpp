#include "raven/config/features_config.h"

#include <gmock/gmock.h>

#include "raven/config/load.h"
#include "raven/config/stages.h"

namespace raven::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kGiven = "model: runs/a\nout: features\n";

std::string broken_rule(const std::string& layers) {
  try {
    load_text<FeaturesConfig>(kGiven, "a.yaml", {"layers=" + layers});
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

TEST(FeaturesConfig, TakesOneLayerOrSeveral) {
  const auto layers = [](const std::vector<std::string>& overrides) {
    return load_text<FeaturesConfig>(kGiven, "a.yaml", overrides).config.layers;
  };
  EXPECT_THAT(layers({}), ElementsAre("final"));
  EXPECT_THAT(layers({"layers=12"}), ElementsAre("12"));
  EXPECT_THAT(layers({"layers=[0, 6, final]"}), ElementsAre("0", "6", "final"));
  EXPECT_THAT(layers({"layers=all"}), ElementsAre("all"));
}

TEST(FeaturesConfig, RefusesWhatIsNoLayer) {
  for (const std::string wrong : {"last", "-1", "1.5", "[1, x]", "1000", "''"}) {
    EXPECT_THAT(broken_rule(wrong), HasSubstr("expected final, all, or the number")) << wrong;
  }
  EXPECT_THAT(broken_rule("[]"), HasSubstr("layers is an empty list"));
  EXPECT_THAT(broken_rule("[3, 3]"), HasSubstr("layers lists 3 twice"));
  EXPECT_THAT(broken_rule("[all, final]"), HasSubstr("give all alone"));
}

TEST(FeaturesConfig, ResolvedFileReadsBackToTheSameBytes) {
  const auto first = load_text<FeaturesConfig>(kGiven, "a.yaml", {"layers=[3, final]"});
  EXPECT_EQ(load_text<FeaturesConfig>(first.yaml, "resolved").yaml, first.yaml);
  EXPECT_EQ(stage_named("features").name, "features");
}

}  // namespace
}  // namespace raven::config

#include "raven/config/probe_config.h"

#include <gmock/gmock.h>

#include "raven/config/load.h"
#include "raven/config/needed_files.h"

namespace raven::config {
namespace {

using testing::HasSubstr;

constexpr const char* kGiven = "model: runs/a\ndata: {manifest: a.tsv}\n";

std::string broken_rule(const std::vector<std::string>& overrides) {
  try {
    load_text<ProbeConfig>(kGiven, "a.yaml", overrides);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

TEST(ProbeConfig, ChecksItsRules) {
  EXPECT_EQ(broken_rule({}), "");
  EXPECT_EQ(broken_rule({"labels=[speaker, phonemes.tsv]", "layers=all"}), "");
  EXPECT_EQ(broken_rule({"labels=[]"}), "");
  EXPECT_THAT(broken_rule({"labels=phonemes"}),
              HasSubstr("labels lists 'phonemes', expected speaker, or a .tsv file"));
  EXPECT_THAT(broken_rule({"layers=[1, 1]"}), HasSubstr("layers lists 1 twice"));
  EXPECT_THAT(broken_rule({"data.utterances=1"}), HasSubstr("at least 2"));
}

TEST(ProbeConfig, NeedsTheFilesOfItsLabels) {
  auto config = load_text<ProbeConfig>(kGiven, "a.yaml", {"labels=[speaker, none.tsv]"}).config;
  std::vector<std::string> missing;
  for (const auto& file : missing_files(bind(config))) missing.push_back(file.path);
  EXPECT_THAT(missing, testing::UnorderedElementsAre("runs/a", "none.tsv", "a.tsv"));
}

}  // namespace
}  // namespace raven::config

#include "evaluation/feature_folder.h"

#include <gmock/gmock.h>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "support/temporary_folder.h"

namespace raven::evaluation {
namespace {

using testing::HasSubstr;

class FeatureFolders : public testing::Test {
 protected:
  [[nodiscard]] FeatureFolder open() const {
    return {folder_.path(), settings_, {{"model", "e.safetensors"}}};
  }
  [[nodiscard]] std::string content(const std::string& name) const {
    return read_file(folder_.path() / name);
  }
  void add(FeatureFolder& folder, const std::string& id) const {
    make_folders((folder_.path() / (id + ".npy")).parent_path());
    write_file_atomically(folder_.path() / (id + ".npy"), "x");
    folder.add(id, {.file = id + ".npy",
                    .frames = 3,
                    .width = 2,
                    .checksum = "00ff",
                    .source = "/clips/" + id + ".mp4"});
  }
  [[nodiscard]] std::string refusal() const {
    try {
      (void)open();
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "";
  }

  TemporaryFolder folder_;
  FeatureFolder::Settings settings_ = {{"layers", "final"}, {"type", "float32"}};
};

TEST_F(FeatureFolders, GiveBackWhatWasAddedSortedById) {
  auto folder = open();
  for (const std::string id : {"b/1", "c", "a"}) add(folder, id);
  folder.finish();
  EXPECT_EQ(content("index.tsv"),
            "id\tfile\tframes\twidth\tchecksum\tsource\n"
            "a\ta.npy\t3\t2\t00ff\t/clips/a.mp4\n"
            "b/1\tb/1.npy\t3\t2\t00ff\t/clips/b/1.mp4\n"
            "c\tc.npy\t3\t2\t00ff\t/clips/c.mp4\n");
  EXPECT_THAT(content("features.json"), HasSubstr("\"model\": \"e.safetensors\""));
  const auto again = open();
  ASSERT_EQ(again.rows().size(), 3U);
  EXPECT_EQ(again.rows().at("b/1").source, "/clips/b/1.mp4");
  EXPECT_EQ(again.rows().at("b/1").frames, 3);
}

TEST_F(FeatureFolders, SettingsThatAreNoUtf8StayTheSame) {
  settings_["manifest"] = "caf\xE9.tsv";
  (void)open();
  EXPECT_EQ(refusal(), "");
  settings_["manifest"] = "caf\xE8.tsv";
  EXPECT_THAT(refusal(), HasSubstr("manifest: caf%E9.tsv there"));
}

TEST_F(FeatureFolders, AnIndexCutAnywhereKeepsItsWholeLines) {
  {
    auto folder = open();
    for (const std::string id : {"a", "b", "c"}) add(folder, id);
  }
  const auto whole = content("index.tsv");
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    write_file_atomically(folder_.path() / "index.tsv", whole.substr(0, size));
    auto folder = open();
    const auto lines = std::count(whole.begin(), whole.begin() + static_cast<long>(size), '\n');
    EXPECT_EQ(std::ssize(folder.rows()), std::max<std::int64_t>(lines - 1, 0)) << size;
    for (const std::string id : {"a", "b", "c"}) {
      if (!folder.rows().contains(id)) add(folder, id);
    }
    EXPECT_EQ(content("index.tsv"), whole) << size;
  }
}

TEST_F(FeatureFolders, DamagedLinesEndTheIndexAndLostFilesAreMissing) {
  {
    auto folder = open();
    for (const std::string id : {"a", "b", "c"}) add(folder, id);
  }
  const auto whole = content("index.tsv");
  for (const std::string line : {"x\tx.npy\tmany\t2\t00\t/x", "x\tx.npy\t3\t-2\t00\t/x", "x", "",
                                 "\tx.npy\t3\t2\t00\t/x", "x\t\t3\t2\t00\t/x"}) {
    auto damaged = whole;
    damaged.insert(whole.find("b\t"), line + "\n");
    EXPECT_EQ(parse_index(damaged).size(), 1U) << line;
  }
  EXPECT_TRUE(parse_index("id\tvideo\na\tb\n").empty());
  std::filesystem::remove(folder_.path() / "b.npy");
  EXPECT_FALSE(open().rows().contains("b"));
  EXPECT_TRUE(open().rows().contains("c"));
}

TEST_F(FeatureFolders, OfOtherSettingsAreRefusedWithWords) {
  (void)open();
  const auto before = content("features.json");
  settings_["layers"] = "3";
  EXPECT_THAT(refusal(), HasSubstr("holds other features; give another folder, or what they were "
                                   "made with:\n  layers: final there, 3 here"));
  EXPECT_EQ(content("features.json"), before);
  write_file_atomically(folder_.path() / "features.json", "{\"layers\": ");
  EXPECT_THAT(refusal(), HasSubstr("features.json: is damaged"));
  std::filesystem::remove(folder_.path() / "features.json");
  EXPECT_THAT(refusal(), HasSubstr("there is index.tsv but no features.json"));
}

TEST_F(FeatureFolders, SkippedUtterancesAreListedWhileThereAreAny) {
  const auto folder = open();
  folder.write_skipped({"a\tmissing\tno such file"});
  EXPECT_EQ(content("skipped.tsv"), "a\tmissing\tno such file\n");
  folder.write_skipped({});
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "skipped.tsv"));
}

}  // namespace
}  // namespace raven::evaluation

// docs/results.md against the recipes that its rows name.
#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "raven/config/evaluate_config.h"
#include "raven/config/finetune_config.h"
#include "raven/config/load.h"
#include "raven/config/pretrain_config.h"
#include "raven/core/files.h"

namespace raven::config {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const fs::path kConfigs = fs::path(RAVEN_SOURCE_DIR) / "configs";

struct Row {
  std::string section;  // the heading above it
  std::string task, labelled, model, data, wer, pretraining, finetuning, numbers, decoding, lacks;

  [[nodiscard]] std::string name() const {
    return section + ": " + task + " " + labelled + " " + model + " " + data;
  }
  [[nodiscard]] bool has(const std::string& part) const {
    return model.find(part) != std::string::npos;
  }
  /// The file of "`evaluate/a.yaml`, LM 0.3".
  [[nodiscard]] std::string evaluation() const { return decoding.substr(0, decoding.find(',')); }
};

/// The cells of "| a | `b` |", without blanks around them and backquotes.
std::vector<std::string> cells(const std::string& line) {
  std::vector<std::string> found;
  for (std::size_t start = 1; start < line.size();) {
    const auto end = line.find('|', start);
    std::string cell = line.substr(start, end - start);
    std::erase(cell, '`');
    const auto first = cell.find_first_not_of(' ');
    found.push_back(cell.substr(first, cell.find_last_not_of(' ') - first + 1));
    start = end + 1;
  }
  return found;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t start = 0; start < text.size();) {
    const auto end = text.find('\n', start);
    lines.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return lines;
}

std::vector<Row> rows() {
  std::vector<Row> all;
  std::string section;
  for (const auto& line : lines_of(read_file(fs::path(RAVEN_SOURCE_DIR) / "docs/results.md"))) {
    if (line.starts_with("## ")) section = line.substr(3, line.find(' ', 3) - 3);
    if (!line.starts_with("| VSR") && !line.starts_with("| ASR")) continue;
    const auto c = cells(line);
    EXPECT_EQ(c.size(), 10U) << line;
    all.push_back({line.find("`evaluate/lrs2.yaml`") == line.npos ? section : "LRS2", c[0], c[1],
                   c[2], c[3], c[4], c[5], c[6], c[7], c[8], c[9]});
  }
  return all;
}

FinetuneConfig finetuning(const Row& row) {
  return load<FinetuneConfig>(kConfigs / row.finetuning).config;
}
PretrainConfig pretraining(const Row& row) {
  return load<PretrainConfig>(kConfigs / row.pretraining).config;
}
EvaluateConfig evaluation(const Row& row) {
  const bool named = row.has("LM");
  return load<EvaluateConfig>(
             kConfigs / row.evaluation(),
             named ? std::vector<std::string>() : std::vector<std::string>{"model=a"})
      .config;
}

TEST(ResultsTable, ListsTheRowsOfBothPapers) {
  std::map<std::string, int> in_section;
  std::set<std::string> names;
  for (const auto& row : rows()) {
    ++in_section[row.section];
    EXPECT_TRUE(names.insert(row.name()).second) << row.name();
  }
  // RAVEn: five models, BRAVEn: six; each for lips and sound, with 30 and 433 hours.
  EXPECT_EQ(in_section, (std::map<std::string, int>{{"RAVEn", 20}, {"BRAVEn", 24}, {"LRS2", 4}}));
}

TEST(ResultsTable, PreTrainingAndFineTuningAreOfOneModel) {
  const std::map<std::string, std::int64_t> widths = {
      {"Base", 512}, {"Base+", 768}, {"Large", 1024}};
  for (const auto& row : rows()) {
    SCOPED_TRACE(row.name());
    const auto before = pretraining(row);
    const auto after = finetuning(row);
    EXPECT_EQ(after.model.init, before.run.dir);
    EXPECT_EQ(after.model.modality, row.task == "VSR" ? Modality::kVideo : Modality::kAudio);
    EXPECT_EQ(after.model.encoder.dim, widths.at(row.model.substr(0, row.model.find(' '))));
    EXPECT_EQ(after.model.encoder.dim, before.model.encoder.dim);
    EXPECT_EQ(after.model.encoder.heads, before.model.encoder.heads);
    EXPECT_EQ(after.model.encoder.ffn_dim, before.model.encoder.ffn_dim);
    EXPECT_EQ(after.model.encoder.blocks, before.model.encoder.blocks);
    const bool braven = before.teacher.target == TargetKind::kAverageInstanceNorm;
    EXPECT_EQ(braven, row.section == "BRAVEn");
    // The small decoder is for 30 hours without further labels.
    const bool small = row.labelled == "30 h" && !row.has("ST");
    EXPECT_EQ(after.model.decoder.dim, small ? 256 : after.model.encoder.dim);
  }
}

TEST(ResultsTable, RecipesTrainOnWhatTheRowSays) {
  for (const auto& row : rows()) {
    SCOPED_TRACE(row.name());
    const auto labelled = finetuning(row).data.manifest;
    auto expected =
        row.labelled == "30 h" ? std::vector<std::string>{"data/lrs3/trainval.tsv"}
        : row.labelled == "433 h"
            ? std::vector<std::string>{"data/lrs3/pretrain.tsv", "data/lrs3/trainval.tsv"}
            : std::vector<std::string>{"data/lrs2/pretrain.tsv", "data/lrs2/train.tsv"};
    if (row.has("ST")) {
      ASSERT_THAT(labelled.back(), HasSubstr("pseudo_labelled"));
      EXPECT_THAT(row.lacks, HasSubstr("pseudo-labels"));
      expected.push_back(labelled.back());
    }
    EXPECT_EQ(labelled, expected);
    auto unlabelled = std::vector<std::string>{"data/lrs3/pretrain.tsv", "data/lrs3/trainval.tsv"};
    if (row.data != "LRS3") unlabelled.emplace_back("data/vox2_en/manifest.tsv");
    if (row.data == "LRS3+Vox2+AVS") {
      unlabelled.emplace_back("data/avspeech_en/manifest.tsv");
      EXPECT_THAT(row.lacks, HasSubstr("AVSpeech"));
    }
    EXPECT_EQ(pretraining(row).data.manifest, unlabelled);
  }
}

TEST(ResultsTable, DecodesAsPublished) {
  for (const auto& row : rows()) {
    SCOPED_TRACE(row.name());
    const auto run = evaluation(row);
    EXPECT_EQ(run.decode.beam_size, 40);
    EXPECT_DOUBLE_EQ(run.decode.ctc_weight, 0.1);
    EXPECT_DOUBLE_EQ(run.decode.length_bonus, 0);
    EXPECT_THAT(run.data.manifest,
                ElementsAre(row.section == "LRS2" ? "data/lrs2/test.tsv" : "data/lrs3/test.tsv"));
    const auto weight = row.decoding.find(", LM ");
    ASSERT_EQ(weight != std::string::npos, row.has("LM"));
    if (!row.has("LM")) {
      EXPECT_DOUBLE_EQ(run.decode.lm_weight, 0);
      continue;
    }
    EXPECT_DOUBLE_EQ(run.decode.lm_weight, std::stod(row.decoding.substr(weight + 5)));
    EXPECT_EQ(run.decode.lm.empty(), run.decode.lm_weight == 0);
    EXPECT_EQ(row.lacks.find("language model") == std::string::npos, run.decode.lm.empty());
    EXPECT_THAT(run.model, ElementsAre(finetuning(row).run.dir));
  }
}

TEST(ResultsTable, RecipesStateTheSameWordError) {
  for (const auto& row : rows()) {
    const auto file = row.has("LM") ? row.evaluation() : row.finetuning;
    EXPECT_THAT(read_file(kConfigs / file), HasSubstr(": " + row.wer + " %")) << row.name();
  }
}

TEST(ResultsTable, NamesEveryRecipe) {
  std::set<std::string> named;
  for (const auto& row : rows()) named.insert({row.finetuning, row.evaluation()});
  for (const std::string folder : {"finetune", "evaluate"}) {
    for (const auto& entry : fs::directory_iterator(kConfigs / folder)) {
      const auto name = entry.path().filename().string();
      if (!name.starts_with("quickstart_") && !name.starts_with("tiny_"))
        EXPECT_THAT(named, Contains(folder + "/" + name));
    }
  }
}

TEST(ResultsTable, IsReachedFromTheDocumentation) {
  EXPECT_THAT(read_file(fs::path(RAVEN_SOURCE_DIR) / "docs/README.md"), HasSubstr("(results.md)"));
}

}  // namespace
}  // namespace raven::config

// Runs of `raven finetune` with a tiny model on clips made on the spot.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "e2e/process.h"
#include "e2e/tiny_settings.h"
#include "raven/core/files.h"
#include "raven/data/manifest.h"
#include "support/temporary_folder.h"
#include "support/tiny_clips.h"

namespace raven {

namespace fs = std::filesystem;

inline constexpr const char* kRaven = RAVEN_BINARY_DIR "/bin/raven";

class Finetune : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    corpus_ = new TemporaryFolder;
    const std::vector<std::string> words = {"RED", "GREEN", "BLUE"};
    for (const std::string part : {"train", "test"}) {
      make_tiny_clips(corpus_->path() / part, {.clips = 12, .seed = part == "train" ? 1ULL : 2ULL});
      auto manifest = data::read_manifest(corpus_->path() / part / "manifest.tsv");
      for (std::size_t i = 0; i < manifest.utterances.size(); ++i)
        manifest.utterances[i].text = words[i % 3] + " " + words[i / 3 % 3];
      data::write_manifest(manifest);
    }
    ASSERT_EQ(Process({kRaven, "tokenizer", "train", train(), "--kind", "word", "--out",
                       (corpus_->path() / "words").string()},
                      corpus_->path() / "tokenizer.txt")
                  .wait(),
              0)
        << read_file(corpus_->path() / "tokenizer.txt");
  }
  static void TearDownTestSuite() { delete corpus_; }

  static std::string train() { return (corpus_->path() / "train" / "manifest.tsv").string(); }
  [[nodiscard]] fs::path folder(const std::string& run) const { return temporary_.path() / run; }
  [[nodiscard]] fs::path log(const std::string& run) const {
    return temporary_.path() / (run + ".txt");
  }

  std::vector<std::string> command(const std::string& run,
                                   const std::vector<std::string>& more) const {
    std::vector<std::string> words = {
        kRaven,
        "finetune",
        "model.decoder={dim: 16, heads: 2, ffn_dim: 32, blocks: 1}",
        "checkpoint.every_epochs=null",
        "checkpoint.average=3",
        "run.dir=" + folder(run).string(),
        "data.manifest=" + train(),
        "data.valid_manifest=" + (corpus_->path() / "test" / "manifest.tsv").string(),
        "text.model=" + (corpus_->path() / "words.model").string()};
    words.insert(words.begin() + 2, kTinySettings.begin(), kTinySettings.end());
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  int finetune(const std::string& run, const std::vector<std::string>& more = {}) const {
    return Process(command(run, more), log(run)).wait();
  }
  [[nodiscard]] std::string recognizer(const std::string& run) const {
    return read_file(folder(run) / "recognizer.safetensors");
  }

  inline static TemporaryFolder* corpus_ = nullptr;
  TemporaryFolder temporary_;
};

}  // namespace raven

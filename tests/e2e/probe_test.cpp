// `raven probe` itself, of a run on clips made on the spot.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "e2e/process.h"
#include "e2e/tiny_settings.h"
#include "raven/core/files.h"
#include "support/temporary_folder.h"
#include "support/tiny_clips.h"

namespace raven {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

constexpr const char* kRaven = RAVEN_BINARY_DIR "/bin/raven";

class Probe : public testing::Test {
 protected:
  void SetUp() override {
    make_tiny_clips(folder("corpus"), {.clips = 16});
    auto manifest = data::read_manifest(list());
    std::string labels = "id\tlabel\n";
    for (std::size_t i = 0; i < manifest.utterances.size(); ++i) {
      auto& utterance = manifest.utterances[i];
      utterance.speaker = "s" + std::to_string(i % 4);
      labels += utterance.id + (i % 2 == 0 ? "\teven\n" : "\todd\n");
    }
    data::write_manifest(manifest);
    write_file_atomically(folder("parity.tsv"), labels);
    std::vector<std::string> words = {kRaven, "pretrain"};
    words.insert(words.end(), kTinySettings.begin(), kTinySettings.end());
    words.insert(words.end(), kTinyPretraining.begin(), kTinyPretraining.end());
    words.insert(words.end(), {"run.dir=" + run(), "train.steps=6", "data.manifest=" + list()});
    ASSERT_EQ(Process(words, folder("pretrain.txt")).wait(), 0)
        << read_file(folder("pretrain.txt"));
  }
  [[nodiscard]] fs::path folder(const std::string& name) const { return temporary_.path() / name; }
  [[nodiscard]] std::string list() const { return (folder("corpus") / "manifest.tsv").string(); }
  [[nodiscard]] std::string run() const { return folder("run").string(); }
  int probe(std::vector<std::string> more) const {
    std::vector<std::string> words = {kRaven,
                                      "probe",
                                      "device=cpu",
                                      "threads=1",
                                      "data.manifest=" + list(),
                                      "retrieval.window=8"};
    words.insert(words.end(), more.begin(), more.end());
    return Process(words, folder("probe.txt")).wait();
  }
  [[nodiscard]] std::string said() const { return read_file(folder("probe.txt")); }
  /// What was printed, without the log before it.
  [[nodiscard]] json printed() const {
    const auto text = said();
    const auto begin = text.find("\n{\n");
    return json::parse(begin == std::string::npos ? text : text.substr(begin + 1));
  }

  TemporaryFolder temporary_;
};

TEST_F(Probe, ReadsLayersOfBothEncodersAndSearchesAcrossThem) {
  const auto labels = "labels=[speaker, " + folder("parity.tsv").string() + "]";
  ASSERT_EQ(probe({"--model", run(), labels, "layers=[0, final]", "split=utterance", "--json"}), 0)
      << said();
  const auto result = printed();
  ASSERT_EQ(result.at("probes").size(), 8U);  // encoders x labels x layers
  std::set<std::string> seen;
  for (const auto& one : result.at("probes")) {
    seen.insert(one.at("modality").get<std::string>() + " " + one.at("labels").get<std::string>() +
                " " + one.at("layer").get<std::string>());
    EXPECT_EQ(
        one.at("fitted").get<int>() + one.at("scored").get<int>() + one.at("left_out").get<int>(),
        16);
    for (const char* share : {"linear", "nearest", "chance"}) {
      EXPECT_GE(one.at(share).get<double>(), 0) << share;
      EXPECT_LE(one.at(share).get<double>(), 1) << share;
    }
  }
  EXPECT_EQ(seen.size(), 8U);
  EXPECT_TRUE(seen.contains("audio parity final"));
  ASSERT_EQ(result.at("retrieval").size(), 4U);
  EXPECT_EQ(result.at("retrieval")[0].at("query"), "audio");
  EXPECT_EQ(result.at("retrieval")[0].at("clips").get<int>() +
                result.at("retrieval")[0].at("fitted").get<int>(),
            16);

  ASSERT_EQ(probe({"--model", run(), "split=utterance"}), 0) << said();
  EXPECT_THAT(said(), HasSubstr("linear %"));
  EXPECT_THAT(said(), HasSubstr("sound finds lips"));
  EXPECT_THAT(said(), HasSubstr("lips find sound"));
}

TEST_F(Probe, OneEncoderIsProbedAlone) {
  const auto file = run() + "/encoders/audio.safetensors";
  ASSERT_EQ(probe({"--model", file, "--json"}), 0) << said();
  EXPECT_EQ(printed().at("probes").size(), 1U);
  EXPECT_TRUE(printed().at("retrieval").empty());
  ASSERT_EQ(probe({"--model", run(), "--modality", "video", "--json"}), 0) << said();
  EXPECT_EQ(printed().at("probes")[0].at("modality"), "video");
  EXPECT_EQ(probe({"--model", run(), "labels=nobody"}), 2);
  EXPECT_THAT(said(), HasSubstr("labels lists 'nobody', expected speaker"));
  EXPECT_EQ(probe({"--model", run(), "layers=9"}), 2);
  EXPECT_THAT(said(), HasSubstr("has 1 blocks"));
}

}  // namespace
}  // namespace raven

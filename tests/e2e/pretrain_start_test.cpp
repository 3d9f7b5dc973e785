// What `raven pretrain` starts from, and how often it shows which clips.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "e2e/process.h"
#include "e2e/tiny_settings.h"
#include "raven/core/files.h"
#include "raven/core/sha256.h"
#include "raven/weights/safetensors.h"
#include "support/temporary_folder.h"
#include "support/tiny_clips.h"

namespace raven {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

class PretrainStart : public testing::Test {
 protected:
  void SetUp() override {
    make_tiny_clips(folder("a"), {.clips = 8});
    make_tiny_clips(folder("b"), {.clips = 4, .seed = 2});
    auto other = data::read_manifest(folder("b") / "manifest.tsv");
    for (auto& utterance : other.utterances) utterance.id = "b/" + utterance.id;
    data::write_manifest(other);
  }
  [[nodiscard]] fs::path folder(const std::string& name) const { return temporary_.path() / name; }
  [[nodiscard]] std::string list(const std::string& name) const {
    return (folder(name) / "manifest.tsv").string();
  }
  [[nodiscard]] std::string said(const std::string& run) const {
    return read_file(folder(run + ".txt"));
  }
  int pretrain(const std::string& run, const std::vector<std::string>& more) const {
    std::vector<std::string> words = {RAVEN_BINARY_DIR "/bin/raven", "pretrain"};
    words.insert(words.end(), kTinySettings.begin(), kTinySettings.end());
    words.insert(words.end(), kTinyPretraining.begin(), kTinyPretraining.end());
    words.insert(words.end(), {"run.dir=" + folder(run).string(), "train.steps=6",
                               "data.manifest=" + list("a")});
    words.insert(words.end(), more.begin(), more.end());
    return Process(words, folder(run + ".txt")).wait();
  }
  [[nodiscard]] json environment(const std::string& run) const {
    return json::parse(read_file(folder(run) / "environment.json"));
  }

  TemporaryFolder temporary_;
};

TEST_F(PretrainStart, GoesOnFromEncodersOfOtherRunsAndFiles) {
  ASSERT_EQ(pretrain("first", {"data.video.window=80", "data.waveform=clip"}), 0) << said("first");
  const auto file = folder("first") / "encoders" / "audio.safetensors";
  const auto video = "model.init_video=" + (folder("first") / "checkpoints" / "last").string();
  const auto audio = "model.init_audio=" + file.string();
  const std::vector<std::string> from = {video, audio, "data.manifest=" + list("b")};
  ASSERT_EQ(pretrain("second", from), 0) << said("second");
  EXPECT_THAT(said("second"), HasSubstr("model.init_audio: takes the encoder of " + file.string()));
  EXPECT_THAT(said("second"), HasSubstr("data.video.window=80"));
  const auto kept = json::parse(read_file(folder("second") / "config.json"));
  EXPECT_EQ(kept.at("data").at("video").at("window"), 80);
  EXPECT_EQ(kept.at("data").at("waveform"), "clip");
  const auto told = environment("second");
  EXPECT_EQ(told.at("started_from_video"), "first/checkpoints/last");
  EXPECT_EQ(told.at("started_from_step_video"), "6");
  EXPECT_EQ(told.at("started_from_sha256_audio"), sha256_file(file));
  const auto card =
      weights::read_safetensors_metadata(folder("second") / "encoders" / "audio.safetensors");
  EXPECT_EQ(card.at("started_from"), "audio.safetensors");
  EXPECT_EQ(card.at("started_from_sha256"), sha256_file(file));
  for (const auto& [key, value] : card) {
    EXPECT_FALSE(key.ends_with("_video") || key.ends_with("_audio")) << key;
    EXPECT_EQ(value.find(folder("first").string()), std::string::npos) << key;
  }
  // It goes on where the encoders lie elsewhere, not from others.
  fs::rename(folder("first"), folder("away"));
  auto moved = from;
  moved[0] = "model.init_video=" + (folder("away") / "checkpoints" / "last").string();
  moved[1] = "model.init_audio=" + (folder("away") / "encoders" / "audio.safetensors").string();
  moved.push_back("train.steps=9");
  ASSERT_EQ(pretrain("second", moved), 0) << said("second");
  EXPECT_EQ(environment("second").at("started_from_step_video"), "6");
  moved[1] = "model.init_audio=" + (folder("second") / "encoders" / "audio.safetensors").string();
  EXPECT_EQ(pretrain("second", moved), 2);
  EXPECT_THAT(said("second"), HasSubstr("holds other weights"));
  moved[1] = "model.init_audio=";
  EXPECT_EQ(pretrain("second", moved), 2);
  EXPECT_THAT(said("second"), HasSubstr("and random weights cannot be compared with it"));
}

TEST_F(PretrainStart, RefusesEncodersOfOtherInputOrSize) {
  ASSERT_EQ(pretrain("first", {"data.waveform=clip"}), 0) << said("first");
  const auto run = folder("first").string();
  EXPECT_EQ(pretrain("input", {"model.init_audio=" + run, "data.waveform=none"}), 2);
  EXPECT_THAT(said("input"), HasSubstr("data.waveform: clip there, none here"));
  EXPECT_THAT(said("input"), HasSubstr("model.init_input=own"));
  EXPECT_FALSE(fs::exists(folder("input")));
  EXPECT_EQ(
      pretrain("own", {"model.init_audio=" + run, "data.waveform=none", "model.init_input=own"}), 0)
      << said("own");
  EXPECT_EQ(pretrain("size", {"model.init_audio=" + run, "model.encoder.blocks=2"}), 1);
  EXPECT_THAT(said("size"), HasSubstr("does not fit this model"));
  EXPECT_EQ(pretrain("none", {"model.init_video=" + folder("nothing").string()}), 2);
  EXPECT_THAT(said("none"), HasSubstr("model.init_video: there is no "));
}

TEST_F(PretrainStart, WeighsListsAndTakesHours) {
  const auto lists = "data.manifest=[" + list("a") + ", " + list("b") + "]";
  ASSERT_EQ(pretrain("once", {lists}), 0) << said("once");
  ASSERT_EQ(pretrain("twice", {lists, "data.list_weights=[1, 3]"}), 0) << said("twice");
  const auto frames = [&](const std::string& run) {
    return std::stoll(environment(run).at("frames_per_epoch").get<std::string>());
  };
  const auto of_b = data::read_manifest(folder("b") / "manifest.tsv").total_frames();
  EXPECT_EQ(frames("twice"), frames("once") + 2 * of_b);
  EXPECT_EQ(pretrain("twice", {lists, "data.list_weights=[1, 2]", "train.steps=9"}), 2);
  EXPECT_THAT(said("twice"), HasSubstr("data.list_weights: [1, 3] there, [1, 2] here"));
  ASSERT_EQ(pretrain("hours", {"data.hours=0.001"}), 0) << said("hours");  // 90 frames
  EXPECT_THAT(said("hours"), HasSubstr("data.hours=0.001: "));
  EXPECT_THAT(said("hours"), HasSubstr(" of 8 utterances are used"));
  EXPECT_EQ(environment("hours").at("frames_per_epoch"), std::to_string(frames("hours")));
  EXPECT_GE(frames("hours"), 90);
  EXPECT_EQ(pretrain("hours", {"train.steps=9"}), 2);
  EXPECT_THAT(said("hours"), HasSubstr("data.hours: 0.001 there, null here"));
}

}  // namespace
}  // namespace raven

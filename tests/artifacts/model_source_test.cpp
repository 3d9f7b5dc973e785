#include "raven/artifacts/model_source.h"

#include <gmock/gmock.h>

#include "raven/artifacts/average.h"
#include "raven/artifacts/checkpoint_folder.h"
#include "raven/artifacts/encoder_source.h"
#include "raven/artifacts/model_export.h"
#include "raven/core/error.h"
#include "raven/weights/pytorch_writer.h"
#include "support/open_count.h"
#include "support/temporary_folder.h"

namespace raven::artifacts {
namespace {

namespace fs = std::filesystem;
using models::Modality;
using testing::HasSubstr;

/// A run with checkpoints of steps 10 and 20.
class ModelSources : public testing::Test {
 protected:
  ModelSources() {
    for (const std::int64_t step : {10, 20}) save(step);
  }
  [[nodiscard]] fs::path run() const { return folder_.path() / "run"; }
  [[nodiscard]] fs::path checkpoints() const { return run() / kCheckpoints; }
  void save(std::int64_t step) const {
    CheckpointFolder(checkpoints(), 5, 0)
        .save({.step = step}, {{"t", torch::full({3}, static_cast<double>(step))}}, {});
  }
  fs::path write(const fs::path& file, weights::Metadata metadata) const {
    fs::create_directories((folder_.path() / file).parent_path());
    weights::write_safetensors(
        folder_.path() / file,
        {.tensors = {{"t", torch::zeros({3})}}, .metadata = std::move(metadata)}, {.hashes = true});
    return folder_.path() / file;
  }
  static std::optional<std::int64_t> step_of(const fs::path& path, Wanted wanted) {
    const auto source = open_source(path, wanted);
    return source.state ? std::optional(source.state->step) : std::nullopt;
  }
  TemporaryFolder folder_;
};

TEST_F(ModelSources, AreWhatAPathStandsFor) {
  for (const auto wanted : {Wanted::kRecognizer, Wanted::kVideoEncoder, Wanted::kCheckpoint}) {
    EXPECT_EQ(step_of(run(), wanted), 20);
    EXPECT_EQ(step_of(checkpoints() / kLast, wanted), 20);
    EXPECT_EQ(step_of(checkpoints(), wanted), 20);
    EXPECT_EQ(step_of(checkpoints() / "", wanted), 20);
    EXPECT_EQ(step_of(checkpoints() / "step_00000010", wanted), 10);
  }
  const auto checkpoint = open_source(run(), Wanted::kCheckpoint);
  EXPECT_EQ(checkpoint.path, fs::canonical(checkpoints() / "step_00000020"));
  EXPECT_EQ(checkpoint.folder, fs::canonical(run()));
  EXPECT_EQ(checkpoint.weights.content.at("t")[0].item<float>(), 20);
  const auto file = open_source(write("a.safetensors", {{"format", "x"}}), Wanted::kRecognizer);
  EXPECT_FALSE(file.state || file.is_archive());
  EXPECT_EQ(file.folder, folder_.path());
  weights::write_pytorch_archive(folder_.path() / "a.pth", {.tensors = {{"t", torch::ones({3})}}});
  EXPECT_TRUE(open_source(folder_.path() / "a.pth", Wanted::kRecognizer).is_archive());
  EXPECT_EQ(find_source(folder_.path() / "a.pth"), folder_.path() / "a.pth");
  EXPECT_EQ(find_source(run()).filename(), "step_00000020");
  EXPECT_EQ(find_source(checkpoints()).filename(), "step_00000020");
}

TEST_F(ModelSources, TellTheirSettingsWithoutTheirTensors) {
  CheckpointFolder(checkpoints(), 5, 0)
      .save({.step = 30, .config = {{"data.video.crop", "20"}}}, {{"t", torch::zeros({3})}}, {});
  for (const auto& path : {run(), checkpoints(), checkpoints() / kLast})
    EXPECT_EQ(told_settings(path, Wanted::kVideoEncoder).at("data.video.crop"), "20") << path;
  const auto file = write("run/encoders/video.safetensors", {{"data.video.crop", "24"}});
  EXPECT_EQ(told_settings(run(), Wanted::kVideoEncoder).at("data.video.crop"), "24");
  EXPECT_EQ(told_settings(file, Wanted::kVideoEncoder).at("data.video.crop"), "24");
  EXPECT_EQ(told_settings(run(), Wanted::kAudioEncoder).at("data.video.crop"), "20");
  fs::create_directory(folder_.path() / "none");
  EXPECT_TRUE(told_settings(folder_.path() / "none", Wanted::kVideoEncoder).empty());
}

TEST_F(ModelSources, OfAFinishedRunAreItsResultsUntilItGoesOn) {
  const auto result = write("run/recognizer.safetensors", {{"step", "20"}});
  EXPECT_EQ(open_source(run(), Wanted::kRecognizer).path, result);
  EXPECT_EQ(open_source(run(), Wanted::kAudioEncoder).path, result);
  EXPECT_EQ(step_of(run(), Wanted::kCheckpoint), 20);
  const auto video = write("run/encoders/video.safetensors", {{"step", "20"}});
  const auto audio = write("run/encoders/audio.safetensors", {{"step", "20"}});
  EXPECT_EQ(open_source(run(), Wanted::kAudioEncoder).path, audio);
  const auto both = open_sources(run(), Wanted::kModels);
  ASSERT_EQ(both.size(), 2U);
  EXPECT_EQ(both[0].path, video);
  save(30);
  for (const auto wanted : {Wanted::kRecognizer, Wanted::kVideoEncoder})
    EXPECT_EQ(step_of(run(), wanted), 30);
  EXPECT_EQ(open_sources(run(), Wanted::kModels).front().state->step, 30);
  write("run/recognizer.safetensors", {});  // says nothing of its step
  EXPECT_EQ(open_source(run(), Wanted::kRecognizer).path, result);
}

// One mistake, one sentence, whoever reads.
TEST_F(ModelSources, ThatAreNotThereAreCalledTheSameByAll) {
  const auto problem = [](const std::function<void()>& read) -> std::string {
    try {
      read();
    } catch (const CheckpointError& error) {
      return error.what();
    }
    return "";
  };
  const auto expect_all = [&](const fs::path& path, const std::string& text) {
    EXPECT_THAT(problem([&] { read_models(path); }), HasSubstr(text));
    EXPECT_THAT(problem([&] { read_encoder(path, Modality::kVideo); }), HasSubstr(text));
    EXPECT_THAT(problem([&] { average({path}); }), HasSubstr(text));
    EXPECT_THAT(problem([&] { open_source(path, Wanted::kRecognizer); }), HasSubstr(text));
  };
  const auto none = folder_.path() / "none";
  const auto text = none.string() + ": no such file or folder; expected a";
  expect_all(none, text);
  EXPECT_THAT(problem([&] { find_source(none); }), HasSubstr(text));
  fs::create_directory(folder_.path() / "empty");
  expect_all(folder_.path() / "empty", "is no checkpoint, nor a run that has saved one");
  fs::create_directories(folder_.path() / "begun" / kCheckpoints);
  for (const auto& path : {folder_.path() / "begun", folder_.path() / "begun" / kCheckpoints})
    expect_all(path, "begun/checkpoints: holds no checkpoint yet");
}

TEST_F(ModelSources, AreOpenedOnce) {
  fs::remove(checkpoints() / kLast);  // behind: the run was killed before it made it
  OpenCount of_checkpoint(checkpoints() / "step_00000020" / kModelFile);
  write("run/recognizer.safetensors", {{"step", "10"}});
  EXPECT_EQ(step_of(run(), Wanted::kRecognizer), 20);
  EXPECT_EQ(of_checkpoint.take(), 1);
  EXPECT_EQ(average({checkpoints() / kLast}).last_step, 20);
  EXPECT_EQ(of_checkpoint.take(), 1);
  const auto encoder = write("e.safetensors", {{"format", "raven-encoder"}, {"modality", "video"}});
  OpenCount of_file(encoder);
  read_models(encoder);
  EXPECT_EQ(of_file.take(), 1);
  read_encoder(encoder, Modality::kVideo);
  EXPECT_EQ(of_file.take(), 1);
  average({encoder});
  EXPECT_EQ(of_file.take(), 1);
}

}  // namespace
}  // namespace raven::artifacts

#include "raven/evaluation/encoder_file.h"
#include "raven/artifacts/vocabulary.h"
#include "raven/weights/model_settings.h"

#include <gmock/gmock.h>

#include <thread>

#include "evaluation/tiny_encoder.h"
#include "raven/artifacts/checkpoint_folder.h"
#include "raven/artifacts/model_export.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/sha256.h"
#include "raven/train/finetune_task.h"
#include "raven/weights/pytorch_writer.h"
#include "support/open_count.h"
#include "support/temporary_folder.h"

namespace raven::evaluation {
namespace {

namespace fs = std::filesystem;
using config::EncoderChoice;
using models::Modality;
using testing::HasSubstr;

class EncoderFiles : public testing::Test {
 protected:
  [[nodiscard]] fs::path file(const std::string& name) const { return folder_.path() / name; }

  static void expect_is(LoadedEncoder loaded, const models::Encoder& encoder, Modality modality) {
    EXPECT_EQ(loaded.settings.modality, modality);
    EXPECT_FALSE(loaded.encoder->is_training());
    const auto expected = nn::state_dict(*encoder), found = nn::state_dict(*loaded.encoder);
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t i = 0; i < found.size(); ++i)
      EXPECT_TRUE(torch::equal(found[i].second, expected[i].second)) << found[i].first;
  }
  template <class Exception>
  static std::string problem(const fs::path& path, EncoderChoice choice = EncoderChoice::kOnlyOne) {
    try {
      load_encoder(path, choice);
    } catch (const Exception& error) {
      return error.what();
    }
    return "";
  }
  /// A checkpoint of pre-training.
  [[nodiscard]] fs::path checkpoint() const {
    auto tensors = tensors_of(tiny_encoder(Modality::kVideo), "student_video.").tensors;
    for (const auto& one : tensors_of(tiny_encoder(Modality::kAudio), "student_audio.").tensors)
      tensors.push_back(one);
    artifacts::CheckpointFolder folder(file("run/checkpoints"), 2, 0);
    folder.save({.step = 7, .config = config::flatten(tiny_settings())}, tensors,
                {{"step", torch::ones({1})}});
    return folder.path_of(7);
  }

  TemporaryFolder folder_;
};

TEST_F(EncoderFiles, AreEncodersWithWhatTheySayOfThemselves) {
  const auto path =
      write_encoder(file("e.safetensors"), tiny_encoder(Modality::kAudio), Modality::kAudio);
  const auto loaded = load_encoder(path);
  expect_is(loaded, tiny_encoder(Modality::kAudio), Modality::kAudio);
  EXPECT_EQ(loaded.file, path);
  EXPECT_EQ(loaded.sha256, sha256_file(path));
  EXPECT_EQ(loaded.settings.video.crop, 20);
  EXPECT_EQ(loaded.settings.modality, config::Modality::kAudio);
}

TEST_F(EncoderFiles, OfPreTrainingHoldBothStudents) {
  for (const auto& path : {checkpoint(), file("run")}) {
    EXPECT_THAT(problem<ConfigError>(path), HasSubstr("holds encoders of video and audio; choose"));
    expect_is(load_encoder(path, EncoderChoice::kVideo), tiny_encoder(Modality::kVideo),
              Modality::kVideo);
    expect_is(load_encoder(path, EncoderChoice::kAudio), tiny_encoder(Modality::kAudio),
              Modality::kAudio);
  }
  EXPECT_EQ(load_encoder(checkpoint(), EncoderChoice::kAudio).file.filename(), "model.safetensors");
}

TEST_F(EncoderFiles, OfARunThatKeepsOneCheckpointCanBeReadWhileItGoesOn) {
  const auto tensors = tensors_of(tiny_encoder(Modality::kVideo), "student_video.").tensors;
  auto config = config::flatten(tiny_settings());
  // A long state takes long to read: its folder has gone when the tensors are to be opened.
  for (int i = 0; i < 20'000; ++i) config[fmt::format("key_{:06}", i)] = "value";
  const auto folder = file("run/checkpoints"), waiting = file("next");
  for (std::int64_t step = 1; step < 10; ++step) {
    fs::remove_all(folder);
    artifacts::CheckpointFolder checkpoints(folder, /*keep=*/2, 0);
    checkpoints.save({.step = step + 1, .config = config}, tensors, {});
    fs::rename(checkpoints.path_of(step + 1), waiting);
    checkpoints.save({.step = step, .config = config}, tensors, {});
    const OpenCount reader(checkpoints.path_of(step) / "state.json");
    const std::jthread run([&] {
      if (!reader.wait(10'000)) return;
      fs::rename(waiting, checkpoints.path_of(step + 1));
      checkpoints.go_on_from(step + 1);
      fs::rename(checkpoints.path_of(step), file("run/removed"));
      fs::remove_all(file("run/removed"));
    });
    EXPECT_NO_THROW(artifacts::read_models(file("run")));
  }
}

TEST_F(EncoderFiles, OfARecognizerAreItsEncoder) {
  auto content = tensors_of(tiny_encoder(Modality::kVideo), "encoder.");
  content.tensors.emplace_back("ctc.ctc_lo.weight", torch::ones({3, 16}));
  config::FinetuneConfig config;
  config.model.encoder = tiny_settings().model.encoder;
  config.model.video_frontend = tiny_settings().model.video_frontend;
  content.metadata = artifacts::recognizer_metadata({.config = config::flatten(config)},
                                                    text::Units({"A"}), "tiny");
  weights::write_safetensors(file("r.safetensors"), content);
  expect_is(load_encoder(file("r.safetensors")), tiny_encoder(Modality::kVideo), Modality::kVideo);
  EXPECT_THAT(problem<ConfigError>(file("r.safetensors"), EncoderChoice::kAudio),
              HasSubstr("holds an encoder of video, modality asks for audio"));
}

TEST_F(EncoderFiles, OfPyTorchAreToldByTheirShapes) {
  weights::write_pytorch_archive(file("e.pth"), tensors_of(tiny_encoder(Modality::kVideo), ""));
  expect_is(load_encoder(file("e.pth")), tiny_encoder(Modality::kVideo), Modality::kVideo);
  auto without = tensors_of(tiny_encoder(Modality::kVideo), "");
  std::erase_if(without.tensors, [](const auto& one) { return one.first.starts_with("after_"); });
  weights::write_pytorch_archive(file("w.pth"), without);
  EXPECT_FALSE(load_encoder(file("w.pth")).has_final_norm);
}

TEST_F(EncoderFiles, ThatCannotBeUsedAreRefused) {
  EXPECT_THAT(problem<CheckpointError>(file("none")), HasSubstr("no such file or folder"));
  const auto path =
      write_encoder(file("e.safetensors"), tiny_encoder(Modality::kVideo), Modality::kVideo);
  const auto bytes = read_file(path);
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{7}, bytes.size() / 2, bytes.size() - 1}) {
    write_file_atomically(file("cut.safetensors"), bytes.substr(0, size));
    EXPECT_THAT(problem<CheckpointError>(file("cut.safetensors")), HasSubstr("cut.safetensors"));
  }
  auto content = weights::read_safetensors(path);
  content.metadata["model.encoder.blocks"] = "4";
  weights::write_safetensors(file("four.safetensors"), content);
  EXPECT_THAT(problem<CheckpointError>(file("four.safetensors")),
              HasSubstr("'encoders.3.self_attn.linear_q.weight' has 16 in dimension 0, but it is "
                        "missing"));
  content.metadata["model.encoder.blocks"] = "3";
  content.metadata["model.encoder.dim"] = "65536";
  weights::write_safetensors(file("wide.safetensors"), content);
  EXPECT_THAT(problem<CheckpointError>(file("wide.safetensors")),
              HasSubstr("has 65536 in dimension 0, but it is [16, 16]"));
  content.metadata["model.encoder.dim"] = "16";
  std::erase_if(content.tensors, [](const auto& one) { return one.first.ends_with(".bias"); });
  weights::write_safetensors(file("part.safetensors"), content);
  EXPECT_THAT(problem<CheckpointError>(file("part.safetensors")), HasSubstr("  missing     embed"));
  content.metadata["model.encoder.blocks"] = "many";
  weights::write_safetensors(file("many.safetensors"), content);
  EXPECT_THAT(problem<CheckpointError>(file("many.safetensors")),
              HasSubstr("settings in its metadata cannot be used"));
  content.metadata["format"] = "raven-language-model";
  weights::write_safetensors(file("lm.safetensors"), content);
  EXPECT_THAT(problem<CheckpointError>(file("lm.safetensors")), HasSubstr("is a language model"));
}

}  // namespace
}  // namespace raven::evaluation

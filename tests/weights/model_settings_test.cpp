#include "raven/weights/model_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace raven::weights {
namespace {

TEST(ModelSettings, RefuseAnotherModality) {
  EXPECT_EQ(modality_named("video", "a.pth"), models::Modality::kVideo);
  EXPECT_EQ(modality_named("audio", "a.pth"), models::Modality::kAudio);
  try {
    modality_named("smell", "a.pth");
    FAIL() << "accepted";
  } catch (const CheckpointError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("a.pth: its modality is 'smell'"));
  }
}

TEST(ModelSettings, AreReadAsTheyWereWritten) {
  ModelSettings settings;
  settings.modality = models::Modality::kAudio;
  settings.encoder.dim = 24;
  settings.video.crop = 20;
  settings.whole_sound = true;
  settings.ctc_weight = 0.3;
  settings.units = "A\n";
  settings.vocabulary = 4;
  settings.others = {{"model.video_frontend.widths", "[1, 2, 3, 4]"}};
  const auto metadata = settings.to_metadata(ModelKind::kRecognizer);
  const auto read = ModelSettings::from_metadata(metadata, models::Modality::kAudio, "a.pth");
  EXPECT_EQ(read.to_metadata(ModelKind::kRecognizer), metadata);
  EXPECT_EQ(read.encoder.dim, 24);
  EXPECT_EQ(read.ctc_weight, 0.3);
  EXPECT_TRUE(read.hears_whole_sound());
  settings.modality = models::Modality::kVideo;
  EXPECT_FALSE(settings.hears_whole_sound());
  EXPECT_FALSE(settings.to_metadata(ModelKind::kRecognizer).contains("data.whole_sound"));
}

TEST(ModelSettings, HaveTheSizesOfTheirModality) {
  const Metadata run = {
      {"model.encoder.dim", "16"},         {"model.encoder.heads", "4"},
      {"model.video_encoder.dim", "null"}, {"model.video_encoder.blocks", "3"},
      {"model.audio_encoder.dim", "24"},   {"model.audio_encoder.blocks", "null"},
      {"model.predictors.a2a.dim", "8"},   {"model.predictors.a2a.mlp_layers", "null"}};
  const auto audio = ModelSettings::from_metadata(run, models::Modality::kAudio, "run"),
             video = ModelSettings::from_metadata(run, models::Modality::kVideo, "run");
  EXPECT_EQ(audio.encoder.dim, 24);
  EXPECT_EQ(audio.encoder.heads, 4);
  EXPECT_EQ(audio.encoder.blocks, 12);
  EXPECT_EQ(video.encoder.dim, 16);
  EXPECT_EQ(video.encoder.blocks, 3);
  const auto written = audio.to_metadata(ModelKind::kEncoder);
  EXPECT_EQ(written.at("model.encoder.dim"), "24");
  EXPECT_EQ(written.at("model.predictors.a2a.dim"), "8");
  for (const auto& [key, value] : written) EXPECT_NE(value, "null") << key;
  EXPECT_FALSE(written.contains("model.audio_encoder.dim"));
  EXPECT_EQ(ModelSettings::from_metadata(written, models::Modality::kAudio, "file").encoder.dim,
            24);
}

}  // namespace
}  // namespace raven::weights

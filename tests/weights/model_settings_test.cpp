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

}  // namespace
}  // namespace raven::weights

#include "raven/media/probe.h"

#include <gtest/gtest.h>

#include "media/make_media.h"
#include "media/patterns.h"

namespace raven::media {
namespace {

TEST(Probe, TellsWhatAFileHolds) {
  const auto file = make_media("mp4", {.video = VideoStreamSpec{.codec = "mpeg4",
                                                                .format = AV_PIX_FMT_YUV420P,
                                                                .width = 48,
                                                                .height = 32,
                                                                .time_base = {1001, 30000},
                                                                .rate = {30000, 1001},
                                                                .times = regular_times(60)},
                                       .audio = AudioStreamSpec{.codec = "aac",
                                                                .format = AV_SAMPLE_FMT_FLTP,
                                                                .rate_hz = 44100,
                                                                .channels = 2,
                                                                .num_samples = 88200}});
  const auto info = probe(in_memory(file));
  EXPECT_EQ(info.container, "mov,mp4,m4a,3gp,3g2,mj2");
  EXPECT_TRUE(info.has_video);
  EXPECT_EQ(info.video_codec, "mpeg4");
  EXPECT_EQ(info.width, 48);
  EXPECT_EQ(info.height, 32);
  EXPECT_NEAR(info.frame_rate_hz, 29.97, 0.01);
  EXPECT_TRUE(info.has_audio);
  EXPECT_EQ(info.audio_codec, "aac");
  EXPECT_EQ(info.sample_rate_hz, 44100);
  EXPECT_EQ(info.channels, 2);
  EXPECT_NEAR(info.duration_s, 2.0, 0.06);
}

TEST(Probe, TellsSoundAlone) {
  const auto info = probe(in_memory(encode_wav(std::vector<float>(8000))));
  EXPECT_EQ(info.container, "wav");
  EXPECT_FALSE(info.has_video);
  EXPECT_TRUE(info.has_audio);
  EXPECT_DOUBLE_EQ(info.duration_s, 0.5);
}

}  // namespace
}  // namespace raven::media

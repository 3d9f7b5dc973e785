// Files with more than one track of a kind, and sound that is lost in the mean of its channels.
#include <gtest/gtest.h>

#include <cmath>

#include "media/make_media.h"
#include "media/patterns.h"
#include "raven/media/audio_reader.h"
#include "raven/media/probe.h"
#include "raven/media/video_reader.h"

namespace raven::media {
namespace {

AudioStreamSpec level(double value, int disposition) {
  return {
      .codec = "aac",
      .format = AV_SAMPLE_FMT_FLTP,
      .rate_hz = 48000,
      .num_samples = 48000,
      .sample = [=](std::int64_t i, int) { return value * std::sin(0.1 * static_cast<double>(i)); },
      .disposition = disposition};
}

double loudness(const AudioSamples& audio) {
  double sum = 0;
  for (const float x : audio.samples) sum += static_cast<double>(x) * x;
  return std::sqrt(2 * sum / static_cast<double>(audio.samples.size()));
}

TEST(Tracks, TheDefaultSoundIsTakenNotTheFirst) {
  for (const auto* container : {"mp4", "matroska"}) {
    const auto second = read_audio(in_memory(make_media(
        container, {.audio = level(0.6, AV_DISPOSITION_DEFAULT), .earlier_audio = level(0.1, 0)})));
    EXPECT_NEAR(loudness(second), 0.6, 0.05) << container;
    EXPECT_EQ(second.track.number, 2);
    EXPECT_EQ(second.track.of, 2);
    const auto first = read_audio(in_memory(make_media(
        container, {.audio = level(0.6, 0), .earlier_audio = level(0.1, AV_DISPOSITION_DEFAULT)})));
    EXPECT_NEAR(loudness(first), 0.1, 0.05) << container;
    EXPECT_EQ(first.track.number, 1);
  }
  const auto one = read_audio(in_memory(make_media("mp4", {.audio = level(0.6, 0)})));
  EXPECT_EQ(one.track.of, 1);
}

VideoStreamSpec film(int grey, std::int64_t frames, int disposition, const char* codec = "mpeg4") {
  return {.codec = codec,
          .format = std::string_view(codec) == "mjpeg" ? AV_PIX_FMT_YUVJ420P : AV_PIX_FMT_YUV420P,
          .width = 32,
          .height = 32,
          .times = regular_times(frames),
          .colour =
              [=](int) {
                return std::vector<int>{grey, 128, 128};
              },
          .disposition = disposition};
}

TEST(Tracks, AThumbnailIsNoFilm) {
  struct Case {
    const char *container, *codec;
    int disposition;
  };
  for (const auto& [container, codec, disposition] :
       {Case{"mov", "mjpeg", 0},
        {"mov", "mjpeg", AV_DISPOSITION_DEFAULT},
        {"mov", "mpeg4", AV_DISPOSITION_DEFAULT},
        {"matroska", "mjpeg", AV_DISPOSITION_DEFAULT}}) {
    SCOPED_TRACE(container);
    const auto file = make_media(
        container, {.video = film(200, 30, disposition == 0 ? AV_DISPOSITION_DEFAULT : 0),
                    .earlier_video = film(50, 1, disposition, codec)});
    VideoReader reader(in_memory(file));
    EXPECT_EQ(reader.track().number, 2);
    EXPECT_EQ(reader.track().of, 2);
    int frames = 0;
    while (reader.next()) ++frames;
    EXPECT_EQ(frames, 30);
    EXPECT_EQ(probe(in_memory(file)).video_codec, "mpeg4");
  }
}

TEST(Tracks, AFilmOfPicturesIsAFilmWhereThereIsNoOther) {
  const auto file = make_media("mov", {.video = film(200, 30, 0, "mjpeg")});
  EXPECT_EQ(read_video(in_memory(file)).num_frames, 30);
  EXPECT_EQ(read_video(in_memory(make_media("mov", {.video = film(200, 1, 0)}))).num_frames, 1);
}

TEST(Tracks, ChannelsThatCancelOutAreTold) {
  const auto stereo = [](double right, const char* codec, AVSampleFormat format) {
    return AudioStreamSpec{.codec = codec,
                           .format = format,
                           .rate_hz = 48000,
                           .channels = 2,
                           .num_samples = 48000,
                           .sample = [=](std::int64_t i, int channel) {
                             return (channel == 0 ? 1 : right) * 0.5 *
                                    std::sin(0.1 * static_cast<double>(i));
                           }};
  };
  const auto cancels = [&](double right, const char* container, const char* codec,
                           AVSampleFormat format) {
    return read_audio(in_memory(make_media(container, {.audio = stereo(right, codec, format)})))
        .channels_cancel;
  };
  EXPECT_TRUE(cancels(-1, "mov", "pcm_s16le", AV_SAMPLE_FMT_S16));
  EXPECT_TRUE(cancels(-1, "mp4", "aac", AV_SAMPLE_FMT_FLTP));
  EXPECT_TRUE(cancels(-1, "wav", "pcm_f32le", AV_SAMPLE_FMT_FLT));
  EXPECT_FALSE(cancels(1, "mov", "pcm_s16le", AV_SAMPLE_FMT_S16));
  EXPECT_FALSE(cancels(0, "mov", "pcm_s16le", AV_SAMPLE_FMT_S16));  // on the left alone
  EXPECT_FALSE(cancels(-0.5, "mov", "pcm_s16le", AV_SAMPLE_FMT_S16));
  const auto silent = make_media("wav", {.audio = AudioStreamSpec{.channels = 2}});
  EXPECT_FALSE(read_audio(in_memory(silent)).channels_cancel);  // nothing was lost
}

}  // namespace
}  // namespace raven::media

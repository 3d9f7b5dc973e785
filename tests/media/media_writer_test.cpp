#include "raven/media/media_writer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "media/patterns.h"
#include "raven/core/error.h"
#include "raven/media/audio_reader.h"
#include "raven/media/probe.h"
#include "raven/media/video_reader.h"

namespace raven::media {
namespace {

int largest_difference(const std::vector<std::uint8_t>& a, const std::vector<std::uint8_t>& b) {
  int largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

TEST(EncodeMp4, LosslessClipComesBackExactlyOverTheFullRange) {
  const auto clip = drifting_clip(30, 96, 96);
  const auto [low, high] = std::minmax_element(clip.pixels.begin(), clip.pixels.end());
  ASSERT_EQ(*low, 0);
  ASSERT_EQ(*high, 255);
  const auto mp4 = encode_mp4(clip.view(), {.crf = 0});
  EXPECT_EQ(read_video(in_memory(mp4)).pixels, clip.pixels);
}

TEST(EncodeMp4, KeepsFramesSizeRateAndRange) {
  const auto clip = drifting_clip(75, 96, 96);
  const auto mp4 = encode_mp4(clip.view());
  const auto frames = read_video(in_memory(mp4));
  EXPECT_EQ(frames.num_frames, 75);
  EXPECT_EQ(frames.height, 96);
  EXPECT_EQ(frames.width, 96);
  EXPECT_EQ(frames.channels, 1);
  EXPECT_DOUBLE_EQ(frames.source_frame_rate_hz, 25);
  EXPECT_LT(largest_difference(frames.pixels, clip.pixels),
            24);  // crf 18; a range change moves more
  const auto info = probe(in_memory(mp4));
  EXPECT_EQ(info.video_codec, "h264");
  EXPECT_DOUBLE_EQ(info.duration_s, 3);
  EXPECT_FALSE(info.has_audio);
}

TEST(EncodeMp4, TakesAnySizeAndASingleFrame) {
  for (const auto& [height, width] : {std::pair{33, 35}, {2, 2}, {96, 1}, {17, 200}}) {
    const auto clip = drifting_clip(1, height, width);
    const auto mp4 = encode_mp4(clip.view(), {.crf = 0});
    EXPECT_EQ(read_video(in_memory(mp4)).pixels, clip.pixels) << height << " x " << width;
  }
}

TEST(EncodeMp4, GivesTheSameBytesEachTime) {
  const auto clip = drifting_clip(40, 96, 96);
  EXPECT_EQ(encode_mp4(clip.view()), encode_mp4(clip.view()));
}

TEST(EncodeMp4, RefusesWhatItCannotEncode) {
  const auto clip = drifting_clip(2, 16, 16);
  EXPECT_THROW(encode_mp4({clip.pixels, 3, 16, 16}), InternalError);
  EXPECT_THROW(encode_mp4(clip.view(), {.crf = 52}), InternalError);
  EXPECT_THROW(encode_mp4(clip.view(), {.preset = "no-such-preset"}), ConfigError);
}

TEST(EncodeAudio, SixteenBitValuesComeBackExactly) {
  std::vector<float> samples;
  for (int value = -32768; value <= 32767; value += 7) {
    samples.push_back(static_cast<float>(value) / 32768.0F);
  }
  const auto wav = encode_wav(samples), flac = encode_flac(samples);
  EXPECT_EQ(wav.size(), 44 + 2 * samples.size());
  EXPECT_LT(flac.size(), wav.size());
  EXPECT_EQ(read_audio(in_memory(wav)).samples, samples);
  EXPECT_EQ(read_audio(in_memory(flac)).samples, samples);
}

TEST(EncodeAudio, RoundsAndClips) {
  const std::vector<float> samples = {2.0F,          -2.0F,         0.6F / 32768,
                                      -0.6F / 32768, std::nanf(""), 1.0F};
  const std::vector<float> expected = {32767.0F / 32768, -1, 1.0F / 32768,
                                       -1.0F / 32768,    0,  32767.0F / 32768};
  EXPECT_EQ(read_audio(in_memory(encode_wav(samples))).samples, expected);
}

TEST(EncodeAvi, ComesBackExactlyAsGreyFfv1At25FramesASecond) {
  for (const std::int64_t frames : {1, 2, 150}) {
    const auto clip = drifting_clip(frames, 96, 96);
    const auto avi = encode_avi(clip.view());
    EXPECT_EQ(avi, encode_avi(clip.view()));
    const auto again = read_video(in_memory(avi));
    EXPECT_EQ(again.pixels, clip.pixels);
    EXPECT_EQ(again.num_frames, frames);
    const auto info = probe(in_memory(avi));
    EXPECT_EQ(info.container, "avi");
    EXPECT_EQ(info.video_codec, "ffv1");
    EXPECT_DOUBLE_EQ(info.frame_rate_hz, 25);
    EXPECT_DOUBLE_EQ(info.video_duration_s, static_cast<double>(frames) / 25);
  }
}

TEST(EncodeExactWav, ComesBackExactlyWhateverTheSamplesAre) {
  std::vector<float> samples;
  for (int i = -32768; i < 32768; i += 77) samples.push_back(static_cast<float>(i) / 32768.0F);
  EXPECT_EQ(encode_exact_wav(samples), encode_wav(samples));
  EXPECT_EQ(read_audio(in_memory(encode_exact_wav(samples))).samples, samples);
  samples.insert(samples.end(), {1.0F, -1.25F, 1e-7F, 0.1F});
  const auto wav = encode_exact_wav(samples);
  EXPECT_EQ(probe(in_memory(wav)).audio_codec, "pcm_f32le");
  EXPECT_EQ(read_audio(in_memory(wav)).samples, samples);
}

}  // namespace
}  // namespace raven::media

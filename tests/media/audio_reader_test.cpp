#include "raven/media/audio_reader.h"

#include <gtest/gtest.h>

#include <cmath>

#include "media/make_media.h"
#include "media/patterns.h"
#include "raven/core/error.h"

namespace raven::media {
namespace {

AudioSamples read(const std::string& file, const Limits& limits = {}) {
  return read_audio(in_memory(file), {.limits = limits});
}

std::string reason_of(const std::string& bytes, const Limits& limits = {}) {
  try {
    read(bytes, limits);
  } catch (const MediaError& error) {
    return error.reason();
  }
  return "none";
}

auto tone(double frequency_hz, double rate_hz) {
  return [=](std::int64_t i, int) {
    return 0.5 * std::sin(2 * std::numbers::pi * frequency_hz * static_cast<double>(i) / rate_hz);
  };
}

/// Largest difference from a tone at 16 kHz, away from the ends where a filter has no neighbours.
double error_of_tone(const std::vector<float>& samples, double frequency_hz) {
  const auto expected = sine(static_cast<std::int64_t>(samples.size()), frequency_hz, 16000);
  double largest = 0;
  for (std::size_t i = 200; i + 200 < samples.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(samples[i] - expected[i])));
  }
  return largest;
}

TEST(AudioReader, ReadsFloatWavExactly) {
  const AudioStreamSpec spec{.codec = "pcm_f32le",
                             .format = AV_SAMPLE_FMT_FLT,
                             .num_samples = 5000,
                             .sample = tone(440, 16000)};
  const auto audio = read(make_media("wav", {.audio = spec}));
  ASSERT_EQ(audio.samples.size(), 5000U);
  for (std::size_t i = 0; i < 5000; ++i) {
    ASSERT_EQ(audio.samples[i], static_cast<float>(spec.sample(static_cast<std::int64_t>(i), 0)));
  }
  EXPECT_EQ(audio.source_sample_rate_hz, 16000);
  EXPECT_EQ(audio.source_channels, 1);
}

TEST(AudioReader, KeepsPitchTimeAndDurationAtEveryRate) {
  for (const int rate_hz : {8000, 11025, 22050, 44100, 48000, 96000}) {
    const std::int64_t num_samples = 2 * rate_hz + 7;
    const auto file = make_media("wav", {.audio = AudioStreamSpec{.codec = "pcm_f32le",
                                                                  .format = AV_SAMPLE_FMT_FLT,
                                                                  .rate_hz = rate_hz,
                                                                  .num_samples = num_samples,
                                                                  .sample = tone(300, rate_hz)}});
    const auto audio = read(file);
    const auto exact = static_cast<double>(num_samples) * 16000 / rate_hz;
    EXPECT_EQ(audio.samples.size(), static_cast<std::size_t>(std::lround(exact))) << rate_hz;
    EXPECT_LT(error_of_tone(audio.samples, 300), 2e-3) << rate_hz;
    EXPECT_EQ(audio.source_sample_rate_hz, rate_hz);
  }
}

TEST(AudioReader, AveragesChannels) {
  for (const int channels : {2, 3, 6, 8}) {
    const AudioStreamSpec spec{
        .codec = "pcm_f32le",
        .format = AV_SAMPLE_FMT_FLT,
        .channels = channels,
        .num_samples = 100,
        .sample = [](std::int64_t i, int channel) { return i == 50 ? 0.1 * (channel + 1) : 0.0; }};
    const auto audio = read(make_media("wav", {.audio = spec}));
    ASSERT_EQ(audio.samples.size(), 100U);
    EXPECT_NEAR(audio.samples[50], 0.1 * (channels + 1) / 2, 1e-6) << channels;
    EXPECT_EQ(audio.samples[49], 0);
    EXPECT_EQ(audio.source_channels, channels);
  }
}

TEST(AudioReader, ReadsCommonContainersAndCodecs) {
  struct Kind {
    const char *container, *codec;
    AVSampleFormat format;
    int rate_hz;
  };
  for (const auto& [container, codec, format, rate_hz] :
       {Kind{"mp4", "aac", AV_SAMPLE_FMT_FLTP, 44100},
        {"adts", "aac", AV_SAMPLE_FMT_FLTP, 16000},
        {"mp3", "libmp3lame", AV_SAMPLE_FMT_FLTP, 44100},
        {"flac", "flac", AV_SAMPLE_FMT_S16, 48000},
        {"ogg", "libvorbis", AV_SAMPLE_FMT_FLTP, 44100},
        {"webm", "libopus", AV_SAMPLE_FMT_FLT, 48000},
        {"avi", "pcm_s16le", AV_SAMPLE_FMT_S16, 22050},
        {"asf", "wmav2", AV_SAMPLE_FMT_FLTP, 44100}}) {
    const auto file =
        make_media(container, {.audio = AudioStreamSpec{.codec = codec,
                                                        .format = format,
                                                        .rate_hz = rate_hz,
                                                        .num_samples = 2 * rate_hz,
                                                        .sample = tone(300, rate_hz)}});
    const auto samples = read(file).samples;
    EXPECT_NEAR(static_cast<double>(samples.size()), 32000, 2000) << container << ' ' << codec;
    double power = 0;
    for (std::size_t i = 8000; i < 24000; ++i) power += samples[i] * samples[i] / 16000.0;
    EXPECT_NEAR(power, 0.125, 0.015) << container << ' ' << codec;  // of a sine of amplitude 0.5
  }
}

TEST(AudioReader, SkipsCoderDelaySoThatMp4SoundStaysInStep) {
  const auto file = make_media(
      "mp4", {.audio = AudioStreamSpec{.codec = "aac",
                                       .format = AV_SAMPLE_FMT_FLTP,
                                       .num_samples = 16000,
                                       .sample = [](std::int64_t i, int) {
                                         return i >= 8000
                                                    ? 0.5 * std::sin(0.2 * static_cast<double>(i))
                                                    : 0.0;
                                       }}});
  const auto samples = read(file).samples;
  const auto onset =
      std::find_if(samples.begin(), samples.end(), [](float s) { return std::abs(s) > 0.25F; });
  EXPECT_NEAR(static_cast<double>(onset - samples.begin()), 8000, 64);
}

TEST(AudioReader, SaysWhenThereIsNoSound) {
  EXPECT_EQ(reason_of(encode_mp4(drifting_clip(5, 16, 16).view())), "no-audio");
  EXPECT_EQ(reason_of(encode_wav({})), "empty");
  EXPECT_EQ(reason_of(encode_flac({})), "empty");
}

TEST(AudioReader, HoldsToTheLimits) {
  const auto nine =
      make_media("wav", {.audio = AudioStreamSpec{.channels = 9, .num_samples = 100}});
  EXPECT_EQ(reason_of(nine), "too-large");
  const auto long_one = encode_wav(std::vector<float>(16000 * 5));
  EXPECT_EQ(reason_of(long_one, {.max_duration_s = 3}), "too-large");
  EXPECT_EQ(reason_of(long_one, {.max_decoded_bytes = 16000}), "too-large");
  EXPECT_EQ(read(long_one, {.max_duration_s = 5}).samples.size(), 80000U);
}

TEST(AudioReader, RefusesAbsurdRates) {
  auto wav = encode_wav(std::vector<float>(100));
  wav[24] = 1;  // samples a second, little-endian: 1
  wav[25] = wav[26] = wav[27] = 0;
  EXPECT_EQ(reason_of(wav), "unsupported");
}

TEST(FitToFrames, CutsOrPadsToSixHundredAndFortyEach) {
  std::vector<float> samples(1000, 1.0F);
  fit_to_frames(samples, 1);
  EXPECT_EQ(samples, std::vector<float>(640, 1.0F));
  fit_to_frames(samples, 2);
  ASSERT_EQ(samples.size(), 1280U);
  EXPECT_EQ(samples[639], 1);
  EXPECT_EQ(samples[640], 0);
  EXPECT_THROW(fit_to_frames(samples, -1), InternalError);
}

}  // namespace
}  // namespace raven::media

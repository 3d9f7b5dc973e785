#include "raven/media/audio_stream.h"

#include <gtest/gtest.h>

#include <cmath>

#include "media/make_media.h"
#include "media/patterns.h"
#include "raven/core/error.h"
#include "support/resident.h"

namespace raven::media {
namespace {

std::vector<float> streamed(const Source& source, const AudioOptions& options = {}) {
  AudioStream stream(source, options);
  std::vector<float> all;
  while (const auto stretch = stream.next()) {
    EXPECT_LE(stretch->size(), 16000U);
    EXPECT_FALSE(stretch->empty());
    all.insert(all.end(), stretch->begin(), stretch->end());
  }
  return all;
}

/// A rising tone, so that each place sounds different.
AudioStreamSpec chirp(const char* codec, AVSampleFormat format, int rate_hz, double length_s) {
  return {.codec = codec,
          .format = format,
          .rate_hz = rate_hz,
          .channels = 2,
          .num_samples = static_cast<std::int64_t>(length_s * rate_hz),
          .sample = [rate_hz](std::int64_t i, int channel) {
            const double t = static_cast<double>(i) / rate_hz;
            return (channel == 0 ? 0.5 : 0.3) * std::sin(200 * t * t + 900 * t);
          }};
}

TEST(AudioStream, GivesWhatReadingTheWholeGives) {
  for (const int rate_hz : {8000, 16000, 44100, 48000}) {
    const auto wav =
        make_media("wav", {.audio = chirp("pcm_s16le", AV_SAMPLE_FMT_S16, rate_hz, 23.4)});
    EXPECT_EQ(streamed(in_memory(wav)), read_audio(in_memory(wav)).samples) << rate_hz;
  }
  const auto aac = make_media("mp4", {.audio = chirp("aac", AV_SAMPLE_FMT_FLTP, 44100, 21)});
  EXPECT_EQ(streamed(in_memory(aac)), read_audio(in_memory(aac)).samples);
}

TEST(AudioStream, PutsSilenceWherePacketsAreMissing) {
  auto sound = chirp("aac", AV_SAMPLE_FMT_FLTP, 48000, 30);
  sound.packet = [](AVPacket&, int number) {
    const bool is_lost = (number >= 200 && number < 260) || (number >= 700 && number < 1100);
    return !is_lost;
  };
  const auto file = make_media("matroska", {.audio = sound});
  const auto whole = read_audio(in_memory(file));
  EXPECT_GT(whole.filled_s, 8);
  EXPECT_EQ(streamed(in_memory(file)), whole.samples);
}

TEST(AudioStream, BeginsWithTheFirstPicture) {
  for (const std::int64_t start : {-16000, 0, 24000}) {
    auto sound = chirp("pcm_s16le", AV_SAMPLE_FMT_S16, 16000, 20);
    sound.start = start + 20000;
    VideoStreamSpec film;
    film.times = regular_times(50);
    for (auto& time : film.times) time += 25 * 20000 / 16000;
    const auto file = make_media("matroska", {.video = film, .audio = sound});
    const AudioOptions options{.from_first_picture = true};
    const auto whole = read_audio(in_memory(file), options).samples;
    EXPECT_EQ(streamed(in_memory(file), options), whole) << start;
  }
}

TEST(AudioStream, SaysWhatIsWrong) {
  const auto film = make_media("matroska", {.video = VideoStreamSpec{.times = regular_times(5)}});
  try {
    streamed(in_memory(film));
    FAIL() << "a film without sound was read";
  } catch (const MediaError& error) {
    EXPECT_EQ(error.reason(), "no-audio");
  }
}

TEST(AudioStream, MemoryDoesNotGrowWithTheLength) {
  auto sound = chirp("pcm_s16le", AV_SAMPLE_FMT_S16, 8000, 1500);
  sound.channels = 1;
  sound.sample = [](std::int64_t i, int) { return i % 100 / 200.0; };
  const auto file = make_media("wav", {.audio = sound});
  AudioStream warm_up(in_memory(file));
  warm_up.next();
  const ResidentPeak peak;
  AudioStream stream(in_memory(file));
  std::int64_t samples = 0;
  while (const auto stretch = stream.next()) samples += std::ssize(*stretch);
  EXPECT_EQ(samples, 1500 * 16000);  // 96 MB as floats
  EXPECT_LT(peak.growth(), 24 << 20);
}

}  // namespace
}  // namespace raven::media

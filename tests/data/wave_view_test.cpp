#include "raven/data/wave_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "data/corpus_fixture.h"
#include "raven/core/error.h"
#include "raven/media/audio_reader.h"

namespace raven::data {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

std::string number(std::uint32_t value, std::size_t bytes) {
  std::string out;
  for (std::size_t i = 0; i < bytes; ++i) out += static_cast<char>((value >> (8 * i)) & 0xFF);
  return out;
}

/// A WAV file with one chunk before `fmt ` and one between it and `data`, sizes odd and even.
std::string wave(std::uint32_t tag, std::uint32_t channels, std::uint32_t rate, std::uint32_t bits,
                 const std::string& data, std::uint32_t announced) {
  const auto align = channels * bits / 8;
  const auto format = number(tag, 2) + number(channels, 2) + number(rate, 4) +
                      number(rate * align, 4) + number(align, 2) + number(bits, 2);
  const auto chunks = "junk" + number(3, 4) + std::string("abc\0", 4) + "fmt " + number(16, 4) +
                      format + "fact" + number(4, 4) + number(7, 4) + "data" +
                      number(announced, 4) + data;
  return "RIFF" + number(static_cast<std::uint32_t>(chunks.size() + 4), 4) + "WAVE" + chunks;
}

TEST(WaveView, ReadsPlainFilesAsLibavDoes) {
  const auto samples = clip_samples(5, 2);
  for (const auto& file : {media::encode_wav(samples),
                           wave(1, 1, 16000, 16, std::string("\x00\x80\xff\x7f\x01\x00", 6), 6)}) {
    const auto pcm = view_pcm16_wave(bytes_of(file), "a.wav");
    ASSERT_TRUE(pcm);
    std::vector<float> found(pcm->size() / 2);
    pcm16_to_float(*pcm, found.data());
    const auto expected = media::read_audio(media::Source(bytes_of(file), "a.wav"));
    EXPECT_EQ(found, expected.samples);
  }
}

TEST(WaveView, LeavesOtherKindsToLibav) {
  const std::string data(64, 'x');
  for (const auto& file : {wave(3, 1, 16000, 32, data, 64), wave(1, 2, 16000, 16, data, 64),
                           wave(1, 1, 44100, 16, data, 64), wave(1, 1, 16000, 24, data, 64),
                           wave(1, 1, 16000, 16, data, 0xFFFFFFFF), wave(1, 1, 16000, 16, "", 0),
                           std::string("fLaC"), std::string()}) {
    EXPECT_FALSE(view_pcm16_wave(bytes_of(file), "a.wav"));
  }
}

TEST(WaveView, RefusesFilesThatAreCutOff) {
  const auto whole = wave(1, 1, 16000, 16, std::string(1000, 'x'), 1000);
  try {
    (void)view_pcm16_wave(bytes_of(whole.substr(0, whole.size() - 1)), "a.wav");
    FAIL();
  } catch (const DataError& error) {
    EXPECT_THAT(
        error.what(),
        testing::HasSubstr("a.wav: cut off: 1000 bytes of samples are announced, 999 are there"));
    EXPECT_EQ(error.reason(), "corrupt");
  }
  std::size_t accepted = 0;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    try {
      accepted += view_pcm16_wave(bytes_of(whole.substr(0, size)), "a.wav") ? 1U : 0U;
    } catch (const DataError&) {
    }
  }
  EXPECT_EQ(accepted, 0U);
}

TEST(WaveView, SurvivesEveryFlippedBitOfItsHeader) {
  const auto whole = wave(1, 1, 16000, 16, std::string(100, 'x'), 100);
  for (std::size_t bit = 0; bit < 8 * (whole.size() - 100); ++bit) {
    auto file = whole;
    file[bit / 8] = static_cast<char>(file[bit / 8] ^ (1 << (bit % 8)));
    try {
      const auto pcm = view_pcm16_wave(bytes_of(file), "a.wav");
      if (pcm) {
        EXPECT_LE(pcm->size(), 100U + 70U);
        EXPECT_LE(pcm->data() + pcm->size(), bytes_of(file).data() + file.size());
      }
    } catch (const DataError&) {
    }
  }
}

}  // namespace
}  // namespace raven::data

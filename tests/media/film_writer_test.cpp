#include "raven/media/film_writer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/media/audio_reader.h"
#include "raven/media/probe.h"
#include "raven/media/video_reader.h"
#include "support/temporary_folder.h"

namespace raven::media {
namespace {

namespace fs = std::filesystem;

constexpr int kWidth = 64, kHeight = 48;

std::vector<float> tone(std::int64_t num_samples) {
  std::vector<float> samples;
  for (std::int64_t i = 0; i < num_samples; ++i)
    samples.push_back(static_cast<float>(0.4 * std::sin(0.17 * static_cast<double>(i))));
  return samples;
}

class FilmWriterTest : public testing::Test {
 protected:
  /// Red on the left of frame i's column i, blue from there on.
  static std::vector<std::uint8_t> picture(int i) {
    std::vector<std::uint8_t> pixels;
    for (int y = 0; y < kHeight; ++y) {
      for (int x = 0; x < kWidth; ++x)
        pixels.insert(pixels.end(), {static_cast<std::uint8_t>(x < i ? 230 : 20), 20,
                                     static_cast<std::uint8_t>(x < i ? 20 : 230)});
    }
    return pixels;
  }
  fs::path write(const std::string& name, int frames, bool in_turns) const {
    const auto file = folder_.path() / name;
    FilmWriter writer(file, {.width = kWidth, .height = kHeight, .crf = 5});
    const auto samples = tone(640 * frames);
    for (int i = 0; i < frames; ++i) {
      const auto pixels = picture(i);
      writer.add(RgbPicture{.pixels = pixels.data(), .stride = std::int64_t{3} * kWidth});
      if (in_turns) writer.add(std::span(samples).subspan(640 * i, 640));
    }
    if (!in_turns) writer.add(samples);
    writer.finish();
    return file;
  }
  TemporaryFolder folder_;
};

TEST_F(FilmWriterTest, PicturesAndSoundComeBack) {
  const auto file = write("film.mp4", 50, true);
  const auto info = probe(file);
  EXPECT_EQ(info.video_codec, "h264");
  EXPECT_DOUBLE_EQ(info.duration_s, 2);
  const auto film = read_video(file, {.format = PixelFormat::kRgb});
  ASSERT_EQ(film.num_frames, 50);
  const auto* pixel = film.pixels.data() + 3 * ((40 * kHeight + 24) * kWidth + 10);
  EXPECT_NEAR(pixel[0], 230, 12);  // left of column 40
  EXPECT_NEAR(pixel[2], 20, 12);
  EXPECT_NEAR(pixel[3 * 45], 20, 12);
  EXPECT_NEAR(pixel[3 * 45 + 2], 230, 12);
  const auto sound = read_audio(file, {}).samples;
  const auto expected = tone(640 * 50);
  ASSERT_GE(sound.size(), expected.size());
  EXPECT_LT(sound.size(), expected.size() + 2 * 1024);  // whole frames of AAC
  double difference = 0;
  for (std::size_t i = 4000; i < 28000; ++i) difference += std::pow(sound[i] - expected[i], 2);
  EXPECT_LT(std::sqrt(difference / 24000), 0.03);  // of 0.28
}

TEST_F(FilmWriterTest, TheOrderOfPicturesAndSoundDoesNotMatter) {
  EXPECT_EQ(read_file(write("one.mp4", 40, true)), read_file(write("other.mp4", 40, false)));
}

TEST_F(FilmWriterTest, AFilmMayBeSilent) {
  const auto file = folder_.path() / "silent.mp4";
  FilmWriter writer(file, {.width = kWidth, .height = kHeight, .with_sound = false});
  const auto pixels = picture(3);
  writer.add(RgbPicture{.pixels = pixels.data(), .stride = std::int64_t{3} * kWidth});
  writer.finish();
  EXPECT_EQ(read_file(file).find("mp4a"), std::string::npos);
  EXPECT_EQ(read_video(file).num_frames, 1);
}

TEST_F(FilmWriterTest, WhatCannotBeWrittenIsSaid) {
  EXPECT_THROW(FilmWriter(folder_.path() / "absent" / "film.mp4", {.width = 64, .height = 48}),
               SystemError);
}

}  // namespace
}  // namespace raven::media

#include "raven/transcription/media_pieces.h"

#include <gtest/gtest.h>

#include <cmath>

#include "media/make_media.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/media/audio_reader.h"
#include "support/temporary_folder.h"

namespace raven::transcription {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kCrop = 96 * 96;

/// Two seconds of sound, one of silence, two of sound, ...
double voice(std::int64_t i) {
  const double t = static_cast<double>(i) / 16000;
  return std::fmod(t, 3) < 2 ? 0.3 * std::sin(2000 * t + 20 * std::sin(7 * t)) : 0;
}

media::AudioStreamSpec speech(double length_s) {
  return {.num_samples = std::llround(length_s * 16000),
          .sample = [](std::int64_t i, int) { return voice(i); }};
}

/// Frame i is of grey i modulo 200.
media::VideoStreamSpec mouths(std::int64_t frames) {
  return {.width = 96, .height = 96, .times = media::regular_times(frames), .colour = [](int i) {
            return std::vector<int>{i % 200};
          }};
}

class PieceReaderTest : public testing::Test {
 protected:
  fs::path file(const media::MediaSpec& spec) const {
    const auto path = folder_.path() / "film.mkv";
    write_file_atomically(path, media::make_media("matroska", spec));
    return path;
  }
  static std::vector<MediaPiece> pieces(PieceReader& reader) {
    std::vector<MediaPiece> all;
    while (auto piece = reader.next({})) all.push_back(std::move(*piece));
    return all;
  }
  static std::string reason_of(const fs::path& path, const PieceOptions& options) {
    try {
      PieceReader reader(path, options);
      pieces(reader);
    } catch (const DataError& error) {
      return error.reason();
    }
    return "none";
  }
  TemporaryFolder folder_;
};

void expect_crops(const MediaPiece& piece, std::int64_t num_frames) {
  ASSERT_EQ(piece.crops.size(), static_cast<std::size_t>(num_frames) * kCrop);
  for (std::int64_t t = 0; t < num_frames; ++t)
    EXPECT_EQ(piece.crops[static_cast<std::size_t>(t) * kCrop + 500], (piece.cut.begin + t) % 200);
}

TEST_F(PieceReaderTest, SoundAndLipsOfAPieceAreOfTheSameTime) {
  const auto path = file({.video = mouths(200), .audio = speech(8)});
  PieceReader reader(path, {.sound = true, .lips = true, .cut = {.pad_s = 0.3}});
  const auto all = pieces(reader);
  const auto whole = media::read_audio(path).samples;
  ASSERT_EQ(all.size(), 3U);
  for (const auto& piece : all) {
    const auto count = piece.cut.end - piece.cut.begin;
    expect_crops(piece, count);
    ASSERT_EQ(std::ssize(piece.samples), 640 * count);
    EXPECT_TRUE(std::equal(piece.samples.begin(), piece.samples.end(),
                           whole.begin() + 640 * piece.cut.begin));
  }
  EXPECT_NEAR(static_cast<double>(all[1].cut.begin), 25 * 2.7, 2);
  EXPECT_EQ(reader.num_frames(), 200);
  EXPECT_TRUE(reader.remarks().empty());
}

TEST_F(PieceReaderTest, LipsAloneAreCutByTheSoundBesideThem) {
  const auto path = file({.video = mouths(200), .audio = speech(8)});
  PieceReader reader(path, {.lips = true});
  const auto all = pieces(reader);
  ASSERT_EQ(all.size(), 3U);
  EXPECT_TRUE(all[0].samples.empty());
  expect_crops(all[2], all[2].cut.end - all[2].cut.begin);
}

TEST_F(PieceReaderTest, WithoutSoundLipsComeInWindows) {
  const auto path = file({.video = mouths(130)});
  PieceReader reader(path, {.lips = true, .cut = {.max_s = 2, .overlap_s = 0.4}});
  const auto all = pieces(reader);
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[1].cut, (Cut{.begin = 40, .end = 90, .overlaps = true}));
  EXPECT_EQ(all[2].cut, (Cut{.begin = 80, .end = 130, .overlaps = true}));
  for (const auto& piece : all) expect_crops(piece, 50);
}

TEST_F(PieceReaderTest, PicturesThatEndBeforeTheSoundAreUsedAsFarAsTheyGo) {
  const auto path = file({.video = mouths(30), .audio = speech(5)});
  PieceReader reader(path, {.sound = true, .lips = true});
  const auto all = pieces(reader);
  ASSERT_EQ(all.size(), 2U);
  expect_crops(all[0], 30);
  EXPECT_TRUE(all[1].crops.empty());
  EXPECT_FALSE(all[1].samples.empty());
}

TEST_F(PieceReaderTest, OneOfTwoModalitiesIsEnough) {
  const auto path = file({.audio = speech(5)});
  PieceReader reader(path, {.sound = true, .lips = true});
  EXPECT_TRUE(reader.has_sound());
  EXPECT_FALSE(reader.has_lips());
  ASSERT_EQ(reader.remarks().size(), 1U);
  EXPECT_NE(reader.remarks()[0].find("lips are not read (no-video)"), std::string::npos);
  EXPECT_EQ(pieces(reader).size(), 2U);
  const auto film = file({.video = mouths(30)});
  PieceReader lips(film, {.sound = true, .lips = true});
  EXPECT_TRUE(lips.has_lips());
  EXPECT_NE(lips.remarks().at(0).find("sound is not heard (no-audio)"), std::string::npos);
  EXPECT_EQ(pieces(lips).size(), 1U);
}

TEST_F(PieceReaderTest, SaysWhyThereIsNothing) {
  EXPECT_EQ(reason_of(file({.video = mouths(30)}), {.sound = true}), "no-audio");
  EXPECT_EQ(reason_of(file({.audio = speech(5)}), {.lips = true}), "no-video");
  const auto text = folder_.path() / "notes.txt";
  write_file_atomically(text, "no film at all");
  EXPECT_NE(reason_of(text, {.sound = true}), "none");
  auto large = mouths(5);
  large.width = 128;
  EXPECT_EQ(reason_of(file({.video = large}), {.lips = true}), "missing-landmarks");
}

TEST_F(PieceReaderTest, StopsWhenItIsAskedTo) {
  const auto path = file({.audio = speech(30)});
  PieceReader reader(path, {.sound = true});
  std::stop_source stop;
  EXPECT_TRUE(reader.next(stop.get_token()).has_value());
  stop.request_stop();
  EXPECT_FALSE(reader.next(stop.get_token()).has_value());
}

}  // namespace
}  // namespace raven::transcription

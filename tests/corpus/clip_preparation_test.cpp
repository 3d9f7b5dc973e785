#include "raven/corpus/clip_preparation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "corpus/make_corpus.h"
#include "media/make_media.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/corpus/landmarks.h"
#include "raven/corpus/npy.h"
#include "raven/media/audio_reader.h"
#include "raven/media/video_reader.h"
#include "support/temporary_folder.h"

namespace raven::corpus {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

class ClipPreparation : public testing::Test {
 protected:
  PreparedClip prepare(const TestClip& clip = {}) {
    write_clip(folder(), "a.avi", clip);
    return prepare_written();
  }
  PreparedClip prepare_written() {
    return prepare_clip(list_clips(folder(), Layout::kFolder).at(0), options);
  }
  [[nodiscard]] const fs::path& folder() const { return temporary_.path(); }
  [[nodiscard]] fs::path landmarks() const { return folder() / "landmarks/a.npy"; }

  ClipOptions options{.format = StorageFormat::kRaw};

 private:
  TemporaryFolder temporary_;
};

/// Values of the frames of a raw utterance, each of one colour over the middle of the crop.
std::vector<int> shades(const PreparedUtterance& utterance) {
  const auto array = parse_npy(bytes_of(utterance.video), "video");
  EXPECT_EQ(array.descr, "|u1");
  EXPECT_EQ(array.shape, (std::vector<std::int64_t>{utterance.frames, 96, 96}));
  std::vector<int> values;
  for (std::int64_t t = 0; t < utterance.frames; ++t) {
    values.push_back(
        std::to_integer<int>(array.data[static_cast<std::size_t>(t * 96 * 96 + 30 * 96 + 48)]));
  }
  return values;
}

TEST_F(ClipPreparation, MakesCropsSoundAndText) {
  const auto prepared = prepare({.frames = 20, .shade = 7, .text = "Text:  HELLO WORLD\n"});
  EXPECT_EQ(prepared.verdict, "ok");
  EXPECT_EQ(prepared.message, "");
  ASSERT_EQ(prepared.utterances.size(), 1U);
  const auto& utterance = prepared.utterances[0];
  EXPECT_EQ(utterance.id, "a");
  EXPECT_EQ(utterance.frames, 20);
  EXPECT_EQ(utterance.text, "HELLO WORLD");
  const auto values = shades(utterance);
  for (std::size_t i = 0; i < values.size(); ++i) EXPECT_EQ(values[i], 7 + 2 * static_cast<int>(i));
  const auto audio = media::read_audio({bytes_of(utterance.audio), "audio"});
  ASSERT_EQ(audio.samples.size(), 20U * 640U);
  EXPECT_EQ(audio.source_sample_rate_hz, 16000);
  EXPECT_NEAR(audio.samples[0], -1, 1e-4);
  EXPECT_NEAR(audio.samples[6400], 0, 1e-4);
}

TEST_F(ClipPreparation, MakesH264ThatShowsTheSame) {
  options.format = StorageFormat::kH264;
  const auto prepared = prepare();
  ASSERT_EQ(prepared.utterances.size(), 1U) << prepared.message;
  const auto video = media::read_video({bytes_of(prepared.utterances[0].video), "video"});
  ASSERT_EQ(video.num_frames, 20);
  EXPECT_EQ(video.height, 96);
  EXPECT_EQ(video.width, 96);
  for (std::int64_t t = 0; t < 20; ++t) {
    EXPECT_NEAR(video.pixels[static_cast<std::size_t>(t * 96 * 96 + 30 * 96 + 48)],
                2.0 * static_cast<double>(t), 3);
  }
}

TEST_F(ClipPreparation, MakesThePublishedGreyOfColours) {
  const auto write = [&](AVPixelFormat format, const std::vector<int>& colour) {
    media::VideoStreamSpec video{.format = format,
                                 .width = 128,
                                 .height = 128,
                                 .times = media::regular_times(12),
                                 .colour = [&](int) { return colour; }};
    write_bytes(folder() / "a.mkv",
                media::make_media("matroska", {.video = video, .audio = media::AudioStreamSpec{}}));
    write_bytes(landmarks(), landmark_file(12));
  };
  const auto grey = [&](Grey kind) {
    options.grey = kind;
    const auto prepared = prepare_written();
    EXPECT_EQ(prepared.verdict, "ok") << prepared.message;
    return shades(prepared.utterances.at(0)).at(5);
  };
  write(AV_PIX_FMT_BGR0, {255, 0, 20});
  EXPECT_EQ(grey(Grey::kLuma), 79);       // 0.299 R + 0.587 G + 0.114 B = 78.525
  EXPECT_EQ(grey(Grey::kPublished), 78);  // 0.2989 R + ... = 78.4995
  // Luma 128; but its red is above white, so that R, G, B are 255, 37, 128: 112.5.
  write(AV_PIX_FMT_YUV420P, {126, 128, 240});
  EXPECT_EQ(grey(Grey::kLuma), 128);
  EXPECT_NEAR(grey(Grey::kPublished), 112.5, 1.5);
}

TEST_F(ClipPreparation, GivesTheSameBytesAgain) {
  for (const auto format : {StorageFormat::kH264, StorageFormat::kRaw}) {
    options.format = format;
    const auto first = prepare();
    const auto second = prepare_written();
    EXPECT_TRUE(first.utterances.at(0).video == second.utterances.at(0).video);
    EXPECT_TRUE(first.utterances.at(0).audio == second.utterances.at(0).audio);
  }
}

TEST_F(ClipPreparation, CutsLongClipsWithTheirSound) {
  options.segments = {.min_frames = 5, .max_frames = 25};
  const auto prepared = prepare({.frames = 60,
                                 .text = "Text: A B C\nWORD START END ASDSCORE\n"
                                         "A 0.0 0.6 1\nB 1.0 1.6 1\nC 1.8 2.2 1\n"});
  ASSERT_EQ(prepared.utterances.size(), 3U);
  EXPECT_THAT(prepared.message, HasSubstr("cut into 3 pieces"));
  const std::vector<std::int64_t> frames = {20, 22,
                                            18};  // pauses at 0.8 and 1.7 s, to the nearest frame
  std::int64_t first = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    const auto& utterance = prepared.utterances[i];
    EXPECT_NEAR(static_cast<double>(utterance.frames), static_cast<double>(frames[i]), 1);
    EXPECT_EQ(utterance.id, "a_0" + std::to_string(i));
    EXPECT_EQ(utterance.text, std::string(1, static_cast<char>('A' + i)));
    EXPECT_EQ(shades(utterance).front(), 2 * first);
    const auto audio = media::read_audio({bytes_of(utterance.audio), "audio"});
    ASSERT_EQ(audio.samples.size(), static_cast<std::size_t>(utterance.frames) * 640);
    EXPECT_NEAR(audio.samples[0], -1 + 2 * static_cast<double>(first) / 60, 1e-3);
    first += utterance.frames;
  }
}

TEST_F(ClipPreparation, SaysWhenTextIsLost) {
  options.segments = {.min_frames = 5, .max_frames = 25};
  const auto prepared = prepare({.frames = 60, .text = "what was said"});
  EXPECT_EQ(prepared.utterances.size(), 3U);
  EXPECT_EQ(prepared.utterances.at(0).text, "");
  EXPECT_THAT(prepared.message, HasSubstr("without text"));
}

TEST_F(ClipPreparation, ConvertsOtherFrameRatesAndSaysSo) {
  // 50 frames per second, 68 faces for 68 frames: every second one is shown.
  const auto prepared = prepare({.frames = 68, .rate_hz = 50});
  ASSERT_EQ(prepared.utterances.size(), 1U) << prepared.message;
  EXPECT_EQ(prepared.utterances[0].frames, 34);
  EXPECT_EQ(prepared.message, "");
  EXPECT_EQ(prepared.conversions.frame_rate_hz, 50);
  const auto values = shades(prepared.utterances[0]);
  EXPECT_EQ(values[10], 42);  // the last one that starts at or before 10.5 / 25 s
}

TEST_F(ClipPreparation, TakesLandmarksMadeAfterTheConversion) {
  const auto prepared = prepare({.frames = 68, .rate_hz = 50, .landmark_frames = 34});
  EXPECT_EQ(prepared.verdict, "ok") << prepared.message;
}

TEST_F(ClipPreparation, FillsMissingFacesAndSaysSo) {
  const auto prepared = prepare({.frames = 20, .missing_face = 3});
  EXPECT_EQ(prepared.verdict, "ok");
  EXPECT_EQ(prepared.message, "1 of 20 frames (5 %) without a face, filled in");
}

/// A film whose face moves sideways, and whose pictures move with it: a crop with a picture's own
/// face shows the same every time.
struct MovingFilm {
  static constexpr int kSide = 128;
  static double place(int i) { return 10 * std::sin(0.4 * i); }

  static media::VideoStreamSpec video(std::vector<std::int64_t> times, AVRational time_base,
                                      AVRational rate) {
    return {.width = kSide,
            .height = kSide,
            .time_base = time_base,
            .rate = rate,
            .times = std::move(times),
            .pixel = [](int i, int x, int) {
              return static_cast<int>(std::lround(90 + x - place(i)));
            }};
  }

  static FacePoints face(int i) {
    auto face = mean_face();
    for (auto& point : face) point = {0.5 * point.x + place(i), 0.5 * point.y};
    return face;
  }
};

std::string file_of(const std::vector<FacePoints>& faces) {
  const std::int64_t shape[] = {std::ssize(faces), 68, 2};
  return npy_bytes("<f8", shape, std::as_bytes(std::span(faces)));
}

/// As the reader shows them.
std::vector<std::int64_t> shown_pictures(const std::string& file) {
  media::VideoReader reader({bytes_of(file), "film"});
  std::vector<std::int64_t> shown;
  while (reader.next()) shown.push_back(reader.picture());
  return shown;
}

class FilmAtRates : public ClipPreparation {
 protected:
  /// Prepares the film with a face for each picture, then with one for each frame at 25 a second;
  /// each crop must be of the place where its picture has the face.
  void expect_right_faces(const char* container, media::VideoStreamSpec video) {
    const auto num_pictures = static_cast<int>(video.times.size());
    const auto file = media::make_media(
        container, {.video = std::move(video), .audio = media::AudioStreamSpec{}});
    options.min_sound = 0;
    write_bytes(folder() / "a.mkv", file);
    std::vector<FacePoints> of_pictures, of_frames;
    for (int i = 0; i < num_pictures; ++i) of_pictures.push_back(MovingFilm::face(i));
    const auto shown = shown_pictures(file);
    ASSERT_NE(shown.size(), of_pictures.size());
    for (const auto i : shown) of_frames.push_back(MovingFilm::face(static_cast<int>(i)));
    for (const auto& faces : {of_pictures, of_frames}) {
      SCOPED_TRACE(faces.size());
      write_bytes(landmarks(), file_of(faces));
      const auto prepared = prepare_written();
      ASSERT_EQ(prepared.verdict, "ok") << prepared.message;
      ASSERT_EQ(prepared.utterances.at(0).frames, std::ssize(shown));
      EXPECT_GT(prepared.conversions.frame_rate_hz, 0);
      for (const auto value : shades(prepared.utterances[0])) EXPECT_NEAR(value, 154.5, 1.5);
    }
  }
};

TEST_F(FilmAtRates, TakesTheFaceOfThePictureThatIsShown) {
  for (const int rate : {10, 24, 30, 60}) {
    SCOPED_TRACE(rate);
    expect_right_faces("mov", MovingFilm::video(media::regular_times(101), {1, rate}, {rate, 1}));
  }
}

TEST_F(FilmAtRates, TakesTheFaceOfThePictureAtUnevenTimes) {
  std::vector<std::int64_t> times;
  for (int i = 0; i < 60; ++i) times.push_back(i);
  for (int i = 0; i < 40; ++i) times.push_back(60 + 2 * i);
  expect_right_faces("mov", MovingFilm::video(times, {1, 30}, {30, 1}));
  for (auto& time : times) time = time * 1000 / 30;
  expect_right_faces("matroska", MovingFilm::video(times, {1, 1000}, {0, 1}));  // no rate at all
}

TEST_F(FilmAtRates, TakesTheFaceOfThePictureWhereTheHeaderNamesAnotherRate) {
  std::vector<std::int64_t> times;  // 50 a second, then 12.5, which the header calls 25
  for (int i = 0; i < 50; ++i) times.push_back(2 * i);
  for (int i = 0; i < 30; ++i) times.push_back(100 + 8 * i);
  expect_right_faces("matroska", MovingFilm::video(times, {1, 100}, {25, 1}));
}

TEST_F(FilmAtRates, KeepsFacesWithTheirPicturesWhereSomeCannotBeDecoded) {
  for (const int rate : {25, 30}) {
    SCOPED_TRACE(rate);
    auto video = MovingFilm::video(media::regular_times(60), {1, rate}, {rate, 1});
    video.gop_size = 0;
    video.packet = [](AVPacket& packet, int number) {
      if (number == 10 || number == 20) std::fill_n(packet.data, packet.size, std::uint8_t{0xff});
      return true;
    };
    write_bytes(folder() / "a.mkv", media::make_media("matroska", {.video = video}));
    std::vector<FacePoints> faces;
    for (int i = 0; i < 60; ++i) faces.push_back(MovingFilm::face(i));
    write_bytes(landmarks(), file_of(faces));
    const auto prepared = prepare_written();
    ASSERT_EQ(prepared.verdict, "ok") << prepared.message;
    EXPECT_THAT(prepared.message, HasSubstr("2 of 60 pictures damaged"));
    for (const auto value : shades(prepared.utterances.at(0))) EXPECT_NEAR(value, 154.5, 1.5);
  }
}

TEST_F(ClipPreparation, CountsWhatIsInTheFileWhereLandmarksAreOfAnotherLength) {
  const auto prepared = prepare({.frames = 60, .rate_hz = 50, .landmark_frames = 100});
  EXPECT_EQ(prepared.verdict, "landmarks");
  EXPECT_THAT(prepared.message,
              HasSubstr("landmarks of 100 frames, but the video has 60 pictures, 30 frames at 25"));
}

TEST_F(ClipPreparation, TakesWhatStandsForNoFaceAsNaN) {
  write_clip(folder(), "a.avi", {.frames = 40});
  const auto faces = read_landmarks(read_file(landmarks()), "a.npy");
  std::vector<FacePoints> list;
  for (std::int64_t t = 0; t < faces.count; ++t) list.push_back(faces.at(t));
  const auto prepared_with = [&](double value) {
    auto some = list;
    for (const std::size_t t : {0, 17, 18, 19, 30}) some[t].fill({value, value});
    write_bytes(landmarks(), file_of(some));
    return prepare_written();
  };
  const auto want = prepared_with(std::nan(""));
  ASSERT_EQ(want.verdict, "ok") << want.message;
  EXPECT_EQ(want.message, "5 of 40 frames (12 %) without a face, filled in");
  for (const double value : {0.0, -1.0, 9999.0, HUGE_VAL}) {
    SCOPED_TRACE(value);
    const auto found = prepared_with(value);
    EXPECT_EQ(found.message, want.message);
    EXPECT_TRUE(found.utterances.at(0).video == want.utterances.at(0).video);
  }
}

TEST_F(ClipPreparation, CallsAClipWithoutAFaceInMostFramesSo) {
  write_clip(folder(), "a.avi");
  auto face = mean_face();
  std::vector<FacePoints> faces(20, face);
  for (std::size_t t = 5; t < 16; ++t) faces[t].fill({0, 0});
  write_bytes(landmarks(), file_of(faces));
  const auto prepared = prepare_written();
  EXPECT_EQ(prepared.verdict, "no-face");
  EXPECT_THAT(prepared.message, HasSubstr("11 of 20 frames have no face"));
}

/// A film of pictures that are shown upright, stored turned, 150 x 110 or the other way round.
struct TurnedFilm {
  static constexpr std::int64_t kWidth = 110, kHeight = 150;  // as shown
  static constexpr int kFrames = 15;

  static std::string file(const media::Turn& turn) {
    const bool swapped = turn.swaps_sides();
    const PictureSize stored = {.width = swapped ? kHeight : kWidth,
                                .height = swapped ? kWidth : kHeight};
    constexpr std::int32_t kOne = 1 << 16;
    media::VideoStreamSpec video;
    video.width = static_cast<int>(stored.width);
    video.height = static_cast<int>(stored.height);
    video.times = media::regular_times(kFrames);
    video.pixel = [=](int i, int x, int y) {
      const auto at = shown_at({static_cast<double>(x), static_cast<double>(y)}, stored, turn);
      return static_cast<int>(128 + 60 * std::sin(at.x / 7 + i) + 60 * std::cos(at.y / 9));
    };
    if (!turn.is_none()) {
      video.display_matrix = {
          kOne * turn.xx, kOne * turn.yx, 0, kOne * turn.xy, kOne * turn.yy, 0, 0, 0, 1 << 30};
    }
    return media::make_media(
        "mov", {.video = video, .audio = media::AudioStreamSpec{.num_samples = 640 * kFrames}});
  }

  static std::vector<FacePoints> faces() {
    auto face = mean_face();
    for (auto& point : face) point = {0.4 * point.x + 3, 0.4 * point.y + 50};
    return std::vector<FacePoints>(kFrames, face);
  }

  static std::vector<FacePoints> stored_faces(const media::Turn& turn) {
    const media::Turn back{turn.xx, turn.yx, turn.xy, turn.yy};
    auto list = faces();
    for (auto& face : list) {
      for (auto& point : face) point = shown_at(point, {kWidth, kHeight}, back);
    }
    return list;
  }
};

double mean_difference(const std::string& a, const std::string& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    sum += std::abs(static_cast<unsigned char>(a[i]) - static_cast<unsigned char>(b.at(i)));
  return sum / static_cast<double>(a.size());
}

TEST_F(ClipPreparation, CropsTurnedPicturesAsTheyAreShown) {
  const auto prepared_with = [&](const media::Turn& turn, const std::vector<FacePoints>& faces) {
    write_bytes(folder() / "a.mov", TurnedFilm::file(turn));
    write_bytes(landmarks(), file_of(faces));
    return prepare_written();
  };
  const auto upright = prepared_with({}, TurnedFilm::faces());
  ASSERT_EQ(upright.verdict, "ok") << upright.message;
  EXPECT_EQ(upright.message, "");
  const auto& want = upright.utterances.at(0).video;
  for (const auto& turn : {media::Turn{0, -1, 1, 0},
                           {-1, 0, 0, -1},
                           {0, 1, -1, 0},
                           {1, 0, 0, -1},
                           media::Turn{0, 1, 1, 0},
                           {0, -1, -1, 0},
                           {-1, 0, 0, 1}}) {
    SCOPED_TRACE(turn.text());
    const auto of_shown = prepared_with(turn, TurnedFilm::faces());
    ASSERT_EQ(of_shown.verdict, "ok") << of_shown.message;
    EXPECT_TRUE(of_shown.utterances.at(0).video == want);
    EXPECT_THAT(of_shown.message, HasSubstr(turn.text() + ", landmarks of the displayed picture"));
    const auto of_stored = prepared_with(turn, TurnedFilm::stored_faces(turn));
    ASSERT_EQ(of_stored.verdict, "ok") << of_stored.message;
    EXPECT_THAT(of_stored.message, HasSubstr(turn.text() + ", landmarks of the stored picture"));
    EXPECT_LT(mean_difference(of_stored.utterances.at(0).video, want), 0.5);
  }
}

/// A film that asks for a rotation, with something that moves where the mouth would be after the
/// opposite one, and a plain picture elsewhere.
class FilmThatMovesTheOtherWayRound : public ClipPreparation {
 protected:
  static constexpr media::Turn kAsked{0, 1, -1, 0}, kOpposite{0, -1, 1, 0};

  void SetUp() override {
    constexpr PictureSize kStored = {.width = TurnedFilm::kHeight, .height = TurnedFilm::kWidth};
    const auto face = TurnedFilm::faces().front();
    media::VideoStreamSpec video{.width = kStored.width, .height = kStored.height};
    video.times = media::regular_times(TurnedFilm::kFrames);
    video.pixel = [&](int i, int x, int y) {
      const auto at =
          shown_at({static_cast<double>(x), static_cast<double>(y)}, kStored, kOpposite);
      const bool moves = std::hypot(at.x - face[62].x, at.y - face[62].y) < 14;
      return moves ? 200 + (x + y + 20 * i) % 50 : 100;
    };
    constexpr std::int32_t kOne = 1 << 16;
    video.display_matrix = {0, -kOne, 0, kOne, 0, 0, 0, 0, 1 << 30};
    write_bytes(
        folder() / "a.mov",
        media::make_media(
            "mov", {.video = video,
                    .audio = media::AudioStreamSpec{.num_samples = 640 * TurnedFilm::kFrames}}));
  }

  PreparedClip prepare_with(const std::vector<FacePoints>& faces) {
    write_bytes(landmarks(), file_of(faces));
    return prepare_written();
  }

  static int middle(const PreparedClip& prepared) {
    const auto crops = parse_npy(bytes_of(prepared.utterances.at(0).video), "video");
    return std::to_integer<int>(crops.data[48 * 96 + 48]);
  }
};

TEST_F(FilmThatMovesTheOtherWayRound, IsTurnedSoWhereThePointsOfTheMouthMove) {
  auto faces = TurnedFilm::faces();
  for (std::size_t t = 0; t < faces.size(); ++t) {
    for (std::size_t i = 54; i < kNumFacePoints; ++i)
      faces[t][i].y += 1 + std::sin(0.8 * static_cast<double>(t));
  }
  const auto prepared = prepare_with(faces);
  ASSERT_EQ(prepared.verdict, "ok") << prepared.message;
  EXPECT_THAT(prepared.message, HasSubstr(kAsked.text()));
  EXPECT_THAT(prepared.message, HasSubstr("taken for a " + kOpposite.text()));
  EXPECT_GE(middle(prepared), 200);
  options.landmark_picture = LandmarkPicture::kDisplayed;
  EXPECT_EQ(middle(prepare_written()), 100);
}

TEST_F(FilmThatMovesTheOtherWayRound, IsTurnedSoForPointsThatWereMadeOnce) {
  const auto prepared = prepare_with(TurnedFilm::faces());
  ASSERT_EQ(prepared.verdict, "ok") << prepared.message;
  EXPECT_THAT(prepared.message, HasSubstr("taken for a " + kOpposite.text()));
  EXPECT_GE(middle(prepared), 200);
}

TEST_F(FilmThatMovesTheOtherWayRound, IsNotTurnedForAStillMouth) {
  auto faces = TurnedFilm::faces();  // the head moves a little, and a detector is not exact
  for (std::size_t t = 0; t < faces.size(); ++t) {
    for (std::size_t i = 0; i < kNumFacePoints; ++i) {
      faces[t][i].x += 0.3 * std::sin(static_cast<double>(t));
      faces[t][i].y += 0.02 * std::sin(static_cast<double>(t + 7 * i));
    }
  }
  const auto refused = prepare_with(faces);
  EXPECT_EQ(refused.verdict, "rotation");
  EXPECT_THAT(refused.message, HasSubstr("give --rotation displayed if the mouth is still"));
  options.landmark_picture = LandmarkPicture::kDisplayed;
  const auto kept = prepare_written();
  ASSERT_EQ(kept.verdict, "ok") << kept.message;
  EXPECT_EQ(middle(kept), 100);
}

TEST_F(ClipPreparation, KeepsAStillMouthWhereNothingMoves) {
  constexpr media::Turn kAsked{0, 1, -1, 0};
  constexpr std::int32_t kOne = 1 << 16;
  media::VideoStreamSpec video{.width = TurnedFilm::kHeight, .height = TurnedFilm::kWidth};
  video.times = media::regular_times(TurnedFilm::kFrames);
  video.display_matrix = {0, -kOne, 0, kOne, 0, 0, 0, 0, 1 << 30};
  video.pixel = [](int, int x, int y) { return (2 * x + y) % 200; };
  write_bytes(
      folder() / "a.mov",
      media::make_media(
          "mov", {.video = video,
                  .audio = media::AudioStreamSpec{.num_samples = 640 * TurnedFilm::kFrames}}));
  write_bytes(landmarks(), file_of(TurnedFilm::faces()));
  const auto prepared = prepare_written();
  EXPECT_EQ(prepared.verdict, "ok") << prepared.message;
  EXPECT_EQ(prepared.message, kAsked.text() + ", landmarks of the displayed picture");
}

TEST_F(ClipPreparation, LetsTheUserSayWhichPictureTheLandmarksAreOf) {
  write_bytes(folder() / "a.mov", TurnedFilm::file({-1, 0, 0, -1}));
  auto faces = TurnedFilm::faces();
  for (auto& face : faces) {
    for (auto& point : face) point = {point.y - 20, 108 - point.x};  // lies on its side
  }
  write_bytes(landmarks(), file_of(faces));
  const auto refused = prepare_written();
  EXPECT_EQ(refused.verdict, "rotation");
  EXPECT_THAT(refused.message, HasSubstr("a.npy"));
  options.landmark_picture = LandmarkPicture::kStored;
  const auto stored = prepare_written();
  options.landmark_picture = LandmarkPicture::kDisplayed;
  const auto displayed = prepare_written();
  ASSERT_EQ(stored.verdict, "ok") << stored.message;
  ASSERT_EQ(displayed.verdict, "ok") << displayed.message;
  EXPECT_GT(mean_difference(stored.utterances.at(0).video, displayed.utterances.at(0).video), 5);
}

TEST_F(ClipPreparation, UsesTheShorterOfVideoAndLandmarks) {
  const auto fewer = prepare({.frames = 20, .landmark_frames = 18});
  EXPECT_EQ(fewer.verdict, "ok");
  EXPECT_EQ(fewer.utterances.at(0).frames, 18);
  EXPECT_THAT(fewer.message, HasSubstr("landmarks of 18 frames, video of 20"));
  const auto more = prepare({.frames = 20, .landmark_frames = 22});
  EXPECT_EQ(more.utterances.at(0).frames, 20);
}

TEST_F(ClipPreparation, ToleratesTwoLandmarksTooFewAtLowRatesToo) {
  options.min_sound = 0;
  for (const std::int64_t count : {38, 39}) {
    const auto prepared = prepare({.frames = 40, .rate_hz = 12, .landmark_frames = count});
    EXPECT_EQ(prepared.verdict, "ok") << prepared.message;
    EXPECT_THAT(prepared.message,
                HasSubstr(fmt::format("landmarks of {} frames, video of 40", count)));
  }
  EXPECT_EQ(prepare({.frames = 40, .rate_hz = 12, .landmark_frames = 37}).verdict, "landmarks");
}

TEST_F(ClipPreparation, RefusesLandmarksOfAnotherLength) {
  for (const std::int64_t count : {17, 23, 200}) {
    const auto prepared = prepare({.frames = 20, .landmark_frames = count});
    EXPECT_EQ(prepared.verdict, "landmarks") << count;
    EXPECT_THAT(prepared.message,
                HasSubstr(std::to_string(count) + " frames, but the video has 20"));
    EXPECT_TRUE(prepared.utterances.empty());
  }
}

TEST_F(ClipPreparation, TakesATableOfLandmarksWhereThereIsNoArray) {
  const auto wanted = prepare({.frames = 20});
  const auto faces = read_landmarks(read_file(landmarks()), "a.npy");
  std::string table = "frame";
  for (int i = 0; i < 68; ++i) table += fmt::format(",x_{0},y_{0}", i);
  for (std::int64_t t = 0; t < faces.count; ++t) {
    table += fmt::format("\n{}", t);
    for (const auto& point : faces.at(t)) table += fmt::format(",{},{}", point.x, point.y);
  }
  fs::remove(landmarks());
  write_bytes(folder() / "landmarks/a.csv", table);
  const auto prepared = prepare_written();
  ASSERT_EQ(prepared.verdict, "ok") << prepared.message;
  EXPECT_EQ(prepared.utterances.at(0).video, wanted.utterances.at(0).video);
  write_bytes(folder() / "landmarks/a.csv", "frame\n0\n");
  EXPECT_THAT(prepare_written().message, HasSubstr("a.csv:1: no column x_0"));
  EXPECT_EQ(prepare_written().verdict, "landmarks");
}

TEST_F(ClipPreparation, NamesWhatIsMissing) {
  EXPECT_EQ(prepare({.has_landmarks = false}).verdict, "missing-landmarks");
  const auto silent = prepare({.has_audio = false});
  EXPECT_EQ(silent.verdict, "ok");
  EXPECT_THAT(silent.message, HasSubstr("without sound"));
  EXPECT_TRUE(silent.utterances.at(0).audio.empty());
  EXPECT_EQ(prepare({.has_video = false}).verdict, "no-video");
  EXPECT_EQ(prepare({.frames = 11}).verdict, "short");
  options.segments.min_frames = 11;
  EXPECT_EQ(prepare({.frames = 11}).verdict, "ok");
}

TEST_F(ClipPreparation, RefusesClipsWithHardlyAnySound) {
  const auto prepared = prepare({.frames = 50, .sound_share = 0.05});
  EXPECT_EQ(prepared.verdict, "short-sound");
  EXPECT_THAT(prepared.message, HasSubstr("a.avi: 0.10 s of sound beside 2.00 s of pictures"));
  EXPECT_EQ(prepare({.frames = 50, .sound_share = 0.3}).verdict, "ok");
  options.min_sound = 0;
  EXPECT_EQ(prepare({.frames = 50, .sound_share = 0.05}).verdict, "ok");
}

TEST_F(ClipPreparation, CallsDamagedFilesByName) {
  write_clip(folder(), "a.avi");
  const auto whole = read_file(landmarks());
  write_bytes(landmarks(), whole.substr(0, 500));
  EXPECT_EQ(prepare_written().verdict, "corrupt");
  EXPECT_THAT(prepare_written().message, HasSubstr("a.npy"));
  write_bytes(landmarks(), landmark_file(1, 0));
  EXPECT_EQ(prepare_written().verdict, "no-face");
  write_bytes(landmarks(), whole);
  write_bytes(folder() / "a.txt", "Text: caf\xE9");
  EXPECT_EQ(prepare_written().verdict, "text");
  fs::remove(folder() / "a.txt");
  write_bytes(folder() / "a.avi", "");
  EXPECT_NE(prepare_written().verdict, "ok");
  write_bytes(folder() / "a.avi", std::string(5000, 'x'));
  EXPECT_EQ(prepare_written().verdict, "corrupt");
  EXPECT_THAT(prepare_written().message, HasSubstr("a.avi"));
}

TEST_F(ClipPreparation, SurvivesTruncationAtAnyPlace) {
  write_clip(folder(), "a.avi");
  const auto whole = read_file(folder() / "a.avi");
  for (std::size_t length = 0; length < whole.size(); length += whole.size() / 23) {
    write_bytes(folder() / "a.avi", whole.substr(0, length));
    const auto prepared = prepare_written();
    if (length < whole.size() * 4 / 5) {  // later, only a frame or an index is lost
      EXPECT_NE(prepared.verdict, "ok") << length;
      EXPECT_FALSE(prepared.message.empty());
    }
  }
}

/// 50 grey frames and a constant tone from `sound_s` on; what `audio` says besides.
std::string film(double sound_s, media::AudioStreamSpec audio = {}) {
  const media::VideoStreamSpec video{
      .width = 128, .height = 128, .times = media::regular_times(50)};
  audio.start = std::llround(sound_s * audio.rate_hz);
  audio.num_samples = 2 * audio.rate_hz - audio.start;
  if (audio.channels == 1) audio.sample = [](std::int64_t, int) { return 0.5; };
  return media::make_media("matroska", {.video = video, .audio = audio});
}

TEST_F(ClipPreparation, KeepsSoundAndPicturesOfAFileTogether) {
  write_clip(folder(), "a.mkv", {.frames = 50});
  write_bytes(folder() / "a.mkv", film(0.4));
  const auto late = prepare_written();
  ASSERT_EQ(late.verdict, "ok") << late.message;
  EXPECT_THAT(late.message, HasSubstr("sound begins 0.40 s after the pictures, silence before it"));
  const auto samples = media::read_audio({bytes_of(late.utterances.at(0).audio), "audio"}).samples;
  ASSERT_EQ(samples.size(), 32'000U);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    ASSERT_NEAR(samples[i], i < 6400 ? 0 : 0.5, 1e-3) << i;
  }
  auto clip = list_clips(folder(), Layout::kFolder).at(0);
  clip.audio = clip.video;
  EXPECT_EQ(prepare_clip(clip, options).utterances.at(0).audio, late.utterances[0].audio);

  write_bytes(folder() / "a.mkv", film(0.02));
  EXPECT_EQ(prepare_written().message, "") << "within a frame";
}

TEST_F(ClipPreparation, TakesASoundFileFromItsFirstSample) {
  write_clip(folder(), "a.mkv", {.frames = 50});
  write_bytes(folder() / "a.mkv", film(0));
  write_bytes(folder() / "a.mka", film(0.4));
  auto clip = list_clips(folder(), Layout::kFolder).at(0);
  clip.audio = folder() / "a.mka";
  const auto prepared = prepare_clip(clip, options);
  const auto samples =
      media::read_audio({bytes_of(prepared.utterances.at(0).audio), "audio"}).samples;
  EXPECT_NEAR(samples.at(0), 0.5, 1e-3);
  EXPECT_THAT(prepared.message, testing::Not(HasSubstr("after the pictures")));
}

TEST_F(ClipPreparation, TellsOfTracksAndOfChannelsThatCancelOut) {
  write_clip(folder(), "a.mkv", {.frames = 50});
  const auto opposite = [](std::int64_t i, int channel) {
    return (channel == 0 ? 0.5 : -0.5) * std::sin(0.1 * static_cast<double>(i));
  };
  write_bytes(folder() / "a.mkv", film(0, {.channels = 2, .sample = opposite}));
  EXPECT_THAT(prepare_written().message, HasSubstr("cancel out, their mean is silent"));
  const media::VideoStreamSpec video{
      .width = 128, .height = 128, .times = media::regular_times(50)};
  write_bytes(folder() / "a.mkv",
              media::make_media("matroska",
                                {.video = video,
                                 .audio = media::AudioStreamSpec{.num_samples = 32'000},
                                 .earlier_audio = media::AudioStreamSpec{.num_samples = 32'000}}));
  EXPECT_THAT(prepare_written().message, HasSubstr("2 sound tracks, number 1 taken"));
}

TEST_F(ClipPreparation, FillsHolesOfTheSoundAndSaysSo) {
  write_clip(folder(), "a.mkv", {.frames = 50});
  const auto lose = [](AVPacket&, int number) { return number < 10 || number >= 20; };
  write_bytes(folder() / "a.mkv", film(0, {.packet = lose}));
  EXPECT_THAT(prepare_written().message, HasSubstr("0.64 s of holes in the sound filled"));
}

TEST_F(ClipPreparation, CountsNoHolesBeyondThePicturesAgainstTheSound) {
  write_clip(folder(), "a.mkv", {.frames = 50});
  const media::VideoStreamSpec video{
      .width = 128, .height = 128, .times = media::regular_times(50)};
  const auto sound_losing = [&](double begin_s, double end_s) {
    media::AudioStreamSpec audio{.num_samples = 10 * 16'000};
    audio.packet = [=](AVPacket& packet, int) {
      const auto time_s = static_cast<double>(packet.pts) / 16'000;
      return time_s < begin_s || time_s >= end_s;
    };
    write_bytes(folder() / "a.mkv",
                media::make_media("matroska", {.video = video, .audio = audio}));
    return prepare_written();
  };
  const auto beyond = sound_losing(4, 8);
  EXPECT_EQ(beyond.verdict, "ok") << beyond.message;
  const auto within = sound_losing(0.3, 8);
  EXPECT_EQ(within.verdict, "short-sound");
  EXPECT_THAT(within.message, HasSubstr("0.32 s of sound beside 2.00 s of pictures"));
}

TEST_F(ClipPreparation, TakesATrackThatHoldsNoSoundForNone) {
  write_clip(folder(), "a.mkv", {.frames = 50});
  const media::VideoStreamSpec video{
      .width = 128, .height = 128, .times = media::regular_times(50)};
  const media::AudioStreamSpec nothing{.packet = [](AVPacket&, int) { return false; }};
  write_bytes(folder() / "a.mkv",
              media::make_media("matroska", {.video = video, .audio = nothing}));
  const auto silent = prepare_written();
  ASSERT_EQ(silent.verdict, "ok") << silent.message;
  EXPECT_EQ(silent.message, "without sound");
  EXPECT_TRUE(silent.utterances.at(0).audio.empty());
  write_bytes(folder() / "a.wav",
              media::make_media("wav", {.audio = media::AudioStreamSpec{.num_samples = 32'000}}));
  const auto spare = prepare_written();
  EXPECT_EQ(spare.message, "sound of the file beside it");
  EXPECT_FALSE(spare.utterances.at(0).audio.empty());
  for (const auto* unusable : {"xxxxxxxxxxxxxxxxxxxx", ""}) {
    write_bytes(folder() / "a.wav", unusable);
    const auto without = prepare_written();
    ASSERT_EQ(without.verdict, "ok") << without.message;
    EXPECT_THAT(without.message, HasSubstr("the sound beside it is not used ("));
    EXPECT_THAT(without.message, HasSubstr("; without sound"));
    EXPECT_TRUE(without.utterances.at(0).audio.empty());
  }
}

TEST_F(ClipPreparation, SaysOfSoundWithoutPicturesWhatItSaysOfAFilms) {
  const auto prepare_sound_of = [&](media::MediaSpec spec) {
    write_bytes(folder() / "a.mka", media::make_media("matroska", spec));
    return prepare_written();
  };
  const auto tone = [](std::int64_t i, int channel) {
    return (channel == 0 ? 0.5 : -0.5) * std::sin(0.1 * static_cast<double>(i));
  };
  const media::AudioStreamSpec whole{.num_samples = 32'000};
  EXPECT_EQ(prepare_sound_of({.audio = whole}).message, "without pictures");
  EXPECT_EQ(prepare_sound_of({.audio = whole, .earlier_audio = whole}).message,
            "without pictures; 2 sound tracks, number 1 taken");
  EXPECT_THAT(
      prepare_sound_of(
          {.audio = media::AudioStreamSpec{.channels = 2, .num_samples = 32'000, .sample = tone}})
          .message,
      HasSubstr("cancel out, their mean is silent"));
  const auto lose = [](AVPacket&, int number) { return number < 10 || number >= 20; };
  EXPECT_THAT(
      prepare_sound_of({.audio = media::AudioStreamSpec{.num_samples = 32'000, .packet = lose}})
          .message,
      HasSubstr("0.64 s of holes in the sound filled"));
}

TEST_F(ClipPreparation, CountsDamagedPictures) {
  write_clip(folder(), "a.mkv", {.frames = 50});
  const media::VideoStreamSpec video{.codec = "mpeg4",
                                     .format = AV_PIX_FMT_YUV420P,
                                     .width = 128,
                                     .height = 128,
                                     .times = media::regular_times(50),
                                     .colour =
                                         [](int i) {
                                           return std::vector<int>{40 + i, 128, 128};
                                         },
                                     .packet =
                                         [](AVPacket& packet, int number) {
                                           if (number == 20 || number == 30)
                                             std::fill_n(packet.data, packet.size,
                                                         std::uint8_t{0xff});
                                           return true;
                                         },
                                     .gop_size = 0};
  write_bytes(
      folder() / "a.mkv",
      media::make_media("matroska",
                        {.video = video, .audio = media::AudioStreamSpec{.num_samples = 32'000}}));
  const auto prepared = prepare_written();
  EXPECT_EQ(prepared.verdict, "ok") << prepared.message;
  EXPECT_THAT(prepared.message, HasSubstr("2 of 50 pictures damaged"));
  EXPECT_EQ(prepared.utterances.at(0).frames, 50);
  options.limits.max_damaged = 0.02;
  EXPECT_EQ(prepare_written().verdict, "corrupt");
  EXPECT_THAT(prepare_written().message, HasSubstr("damaged data in 2 of 50 pictures"));
}

TEST_F(ClipPreparation, WritesMessagesOnOneLine) {
  write_clip(folder(), "line\nbreak.avi", {.has_landmarks = false});
  const auto prepared = prepare_written();
  EXPECT_THAT(prepared.message, HasSubstr("line%0Abreak.npy"));
  EXPECT_EQ(prepared.message.find('\n'), std::string::npos);
}

}  // namespace
}  // namespace raven::corpus

#include "transcription/annotated_film.h"

#include <gtest/gtest.h>

#include "media/make_media.h"
#include "raven/core/files.h"
#include "raven/media/probe.h"
#include "raven/media/video_reader.h"
#include "support/temporary_folder.h"

namespace raven::transcription {
namespace {

namespace fs = std::filesystem;

Transcript words(std::initializer_list<Word> list) {
  return {.modality = config::Modality::kVideo,
          .model = "m",
          .passages = {{.begin_s = 0, .end_s = 10, .score = 0, .words = list}}};
}

TEST(SpokenLine, WordsComeAsTheyAreSpoken) {
  const auto said = words({{.text = "SO", .begin_s = 1, .end_s = 1.4},
                           {.text = "SAYS", .begin_s = 1.5, .end_s = 2},
                           {.text = "HE", .begin_s = 2.5, .end_s = 3}});
  EXPECT_EQ(spoken_line(said, 0.9), SpokenLine());
  EXPECT_EQ(spoken_line(said, 1), (SpokenLine{.words = {"SO"}, .now = 0}));
  EXPECT_EQ(spoken_line(said, 1.45), (SpokenLine{.words = {"SO"}, .now = {}}));
  EXPECT_EQ(spoken_line(said, 1.6), (SpokenLine{.words = {"SO", "SAYS"}, .now = 1}));
  EXPECT_EQ(spoken_line(said, 3.9), (SpokenLine{.words = {"SO", "SAYS", "HE"}, .now = {}}));
  EXPECT_EQ(spoken_line(said, 4.1), SpokenLine());
}

TEST(SpokenLine, AFullLineGivesWayToTheNextOne) {
  const std::string long_word(20, 'A');
  const auto said = words({{.text = long_word, .begin_s = 0, .end_s = 1},
                           {.text = long_word, .begin_s = 1, .end_s = 2},
                           {.text = "B", .begin_s = 2, .end_s = 3}});
  EXPECT_EQ(spoken_line(said, 1.5).words.size(), 2U);
  EXPECT_EQ(spoken_line(said, 2).words, (std::vector<std::string>{"B"}));
}

TEST(SpokenLine, TheLaterOfTwoPassagesCounts) {
  auto said = words({{.text = "FIRST", .begin_s = 0, .end_s = 1}});
  said.passages.push_back({.begin_s = 5, .end_s = 9, .score = 0, .words = {}});
  said.passages.back().words.push_back({.text = "SECOND", .begin_s = 5.5, .end_s = 6});
  EXPECT_EQ(spoken_line(said, 1.2).words, (std::vector<std::string>{"FIRST"}));
  EXPECT_EQ(spoken_line(said, 5.6).words, (std::vector<std::string>{"SECOND"}));
}

class AnnotatedFilm : public testing::Test {
 protected:
  fs::path film(int side, std::int64_t frames) const {
    media::MediaSpec spec{.video = media::VideoStreamSpec{.width = side,
                                                          .height = side,
                                                          .times = media::regular_times(frames)}};
    spec.audio = media::AudioStreamSpec{.num_samples = 640 * frames};
    const auto file = temporary_.path() / "film.mkv";
    write_file_atomically(file, media::make_media("matroska", spec));
    return file;
  }
  /// The same window and points in each frame but the last ones, where no face was seen.
  static std::optional<corpus::MouthPlace> place(std::int64_t frame) {
    corpus::MouthPlace place{.window = {{{100, 100}, {200, 100}, {200, 180}, {100, 180}}},
                             .face = corpus::FacePoints{}};
    place.face->fill({40, 300});
    if (frame > 5) place.face.reset();
    return place;
  }
  static std::array<int, 3> pixel(const media::VideoFrames& film, std::int64_t frame,
                                  std::int64_t x, std::int64_t y) {
    const auto* at = film.pixels.data() + 3 * ((frame * film.height + y) * film.width + x);
    return {at[0], at[1], at[2]};
  }
  static bool is_yellow(const std::array<int, 3>& colour) {
    return colour[0] > 120 && colour[1] > 100 && colour[2] < 100;
  }
  TemporaryFolder temporary_;
  fs::path target_ = temporary_.path() / "annotated.mp4";
};

TEST_F(AnnotatedFilm, ShowsWindowPointsAndWords) {
  const FileTranscript transcript{
      .file = "film.mkv",
      .duration_s = 0.4,
      .transcripts = {words({{.text = "MMMM", .begin_s = 0.2, .end_s = 0.4}})},
      .remarks = {}};
  ASSERT_TRUE(write_annotated_film(film(640, 10), transcript, place, target_, {}));
  const auto shown = media::read_video(target_, {.format = media::PixelFormat::kRgb});
  EXPECT_EQ(shown.num_frames, 10);
  EXPECT_EQ(shown.width, 640);
  EXPECT_GT(shown.height, 640);  // a band of text
  EXPECT_TRUE(is_yellow(pixel(shown, 3, 150, 101)));
  EXPECT_TRUE(is_yellow(pixel(shown, 3, 150, 181)));
  EXPECT_FALSE(is_yellow(pixel(shown, 3, 150, 140)));
  EXPECT_GT(pixel(shown, 3, 40, 300)[1], 120);  // a landmark
  EXPECT_LT(pixel(shown, 8, 40, 300)[1], 60);   // none was seen
  const auto brightest = [&](std::int64_t frame) {
    int most = 0;
    for (auto y = std::int64_t{640}; y < shown.height; ++y)
      for (std::int64_t x = 0; x < shown.width; ++x)
        most = std::max(most, pixel(shown, frame, x, y)[0]);
    return most;
  };
  EXPECT_LT(brightest(3), 60);  // nothing is said yet
  EXPECT_GT(brightest(7), 150);
  EXPECT_TRUE(media::probe(target_).has_audio);
}

TEST_F(AnnotatedFilm, SmallPicturesAreEnlarged) {
  const FileTranscript none{
      .file = "film.mkv", .duration_s = 0.4, .transcripts = {}, .remarks = {}};
  const auto nowhere = [](std::int64_t) { return std::optional<corpus::MouthPlace>(); };
  ASSERT_TRUE(write_annotated_film(film(96, 10), none, nowhere, target_, {}));
  const auto info = media::read_video(target_);
  EXPECT_EQ(info.width, 288);
  EXPECT_EQ(info.height, 288);
}

TEST_F(AnnotatedFilm, AStopLeavesNothing) {
  std::stop_source stop;
  stop.request_stop();
  const FileTranscript none{
      .file = "film.mkv", .duration_s = 0.4, .transcripts = {}, .remarks = {}};
  EXPECT_FALSE(write_annotated_film(film(96, 10), none, place, target_, stop.get_token()));
  EXPECT_FALSE(fs::exists(target_));
  EXPECT_EQ(std::distance(fs::directory_iterator(temporary_.path()), fs::directory_iterator()), 1);
}

}  // namespace
}  // namespace raven::transcription

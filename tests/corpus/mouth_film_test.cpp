#include "raven/corpus/mouth_film.h"

#include <gtest/gtest.h>

#include "corpus/make_corpus.h"
#include "media/make_media.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/corpus/clip_preparation.h"
#include "raven/corpus/npy.h"
#include "support/temporary_folder.h"

namespace raven::corpus {
namespace {

namespace fs = std::filesystem;

class MouthFilmTest : public testing::Test {
 protected:
  fs::path film(const TestClip& clip) const {
    write_clip(folder_.path(), "clip.mp4", clip);
    return folder_.path() / "clip.mp4";
  }
  [[nodiscard]] fs::path landmarks() const { return folder_.path() / "landmarks" / "clip.npy"; }

  static std::vector<std::uint8_t> all(MouthFilm& film) {
    std::vector<std::uint8_t> crops;
    while (const auto crop = film.next()) crops.insert(crops.end(), crop->begin(), crop->end());
    return crops;
  }
  /// The crops that preparation stores.
  std::vector<std::uint8_t> prepared(const fs::path& path) const {
    const auto clip = prepare_clip({.id = "clip", .video = path, .landmarks = landmarks()},
                                   {.format = StorageFormat::kRaw});
    EXPECT_EQ(clip.verdict, "ok") << clip.message;
    const auto& bytes = clip.utterances.at(0).video;
    const auto array = parse_npy(std::as_bytes(std::span(bytes)), "clip");
    const auto* pixels = reinterpret_cast<const std::uint8_t*>(array.data.data());
    return {pixels, pixels + array.data.size()};
  }
  static std::vector<std::int64_t> seen_but(std::int64_t missing, std::int64_t count) {
    std::vector<std::int64_t> seen;
    for (std::int64_t frame = 0; frame < count; ++frame)
      if (frame != missing) seen.push_back(frame);
    return seen;
  }
  TemporaryFolder folder_;
};

TEST_F(MouthFilmTest, GivesTheCropsOfPreparation) {
  for (const int rate_hz : {25, 50, 30}) {
    const auto path = film({.frames = 40, .rate_hz = rate_hz, .missing_face = 7});
    MouthFilm mouths(path, landmarks(), {});
    EXPECT_EQ(all(mouths), prepared(path)) << rate_hz;
    EXPECT_EQ(mouths.remark(), "1 of 40 frames without a face, filled in");
  }
}

TEST_F(MouthFilmTest, CutsWherePreparationCuts) {
  const std::int64_t frames = 30;
  media::MediaSpec spec{.video = media::VideoStreamSpec{
                            .width = 128, .height = 128, .times = media::regular_times(frames)}};
  spec.video->pixel = [](int i, int x, int y) { return (3 * x + 5 * y + i) % 256; };
  const auto path = folder_.path() / "clip.avi";
  write_bytes(path, media::make_media("avi", spec));
  write_bytes(landmarks(), landmark_file(frames));
  MouthFilm mouths(path, landmarks(), {});
  EXPECT_EQ(all(mouths), prepared(path));
}

TEST_F(MouthFilmTest, TellsWhereTheCropsLie) {
  const auto path = film({.frames = 40, .rate_hz = 25, .missing_face = 7});
  const auto faces = read_landmarks(read_file(landmarks()), "clip");
  MouthFilm mouths(path, landmarks(), {});
  const auto plan = plan_mouth_crops(fill_gaps(faces, seen_but(7, 40)), 40);
  for (const std::int64_t frame : {3, 7, 39}) {
    const auto place = mouths.place(frame);
    ASSERT_TRUE(place);
    EXPECT_EQ(place->face.has_value(), frame != 7);
    if (frame != 7) EXPECT_EQ(place->face->at(60).x, faces.at(frame)[60].x);
    const auto& crop = plan.at(static_cast<std::size_t>(frame));
    for (std::size_t corner = 0; corner < 4; ++corner) {
      const auto in_mean_face = crop.to_mean_face(place->window[corner]);
      EXPECT_NEAR(in_mean_face.x, crop.window.column + (corner == 1 || corner == 2 ? 96 : 0), 1e-9);
      EXPECT_NEAR(in_mean_face.y, crop.window.row + (corner >= 2 ? 96 : 0), 1e-9);
    }
  }
  EXPECT_FALSE(mouths.place(40));
}

TEST_F(MouthFilmTest, TakesAFaceForEachFrame) {
  const auto path = film({.frames = 40, .rate_hz = 25});
  const auto faces = read_landmarks(read_file(landmarks()), "clip");
  MouthFilm mouths(path, faces, "found faces", {.landmark_picture = LandmarkPicture::kDisplayed});
  EXPECT_EQ(all(mouths), prepared(path));
}

TEST_F(MouthFilmTest, TakesAFilmOfCropsAsItIs) {
  media::MediaSpec spec{.video = media::VideoStreamSpec{
                            .width = 96, .height = 96, .times = media::regular_times(20)}};
  spec.video->pixel = [](int i, int x, int y) { return (3 * x + 5 * y + i) % 256; };
  const auto path = folder_.path() / "clip.avi";
  write_bytes(path, media::make_media("avi", spec));
  MouthFilm mouths(path, {});
  const auto crops = all(mouths);
  EXPECT_EQ(crops, prepared(path));
  EXPECT_EQ(crops.at(96 * 96 * 7 + 96 * 10 + 20), 3 * 20 + 5 * 10 + 7);
  EXPECT_THROW(MouthFilm(film({.frames = 5}), {}), DataError);
}

TEST_F(MouthFilmTest, RefusesLandmarksOfAnotherFilm) {
  const auto reason_of = [&](const TestClip& clip) {
    const auto path = film(clip);
    try {
      MouthFilm mouths(path, landmarks(), {});
    } catch (const DataError& error) {
      return error.reason();
    }
    return std::string("none");
  };
  EXPECT_EQ(reason_of({.landmark_frames = 9}), "landmarks");
  fs::remove(landmarks());
  EXPECT_EQ(reason_of({.has_landmarks = false}), "missing-landmarks");
}

}  // namespace
}  // namespace raven::corpus

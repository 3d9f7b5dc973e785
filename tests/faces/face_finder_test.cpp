#include "raven/faces/face_finder.h"

#include <gtest/gtest.h>

#include <cmath>

#include "media/make_media.h"
#include "raven/core/error.h"
#include "support/drawn_faces.h"
#include "support/phone_film.h"
#include "synth/face_shape.h"

namespace raven::faces {
namespace {

media::Source source_of(const std::string& bytes) {
  return {std::as_bytes(std::span(bytes)), "film"};
}

bool is_seen(const corpus::FacePoints& face) { return !std::isnan(face.front().x); }

corpus::Point mouth_of(const corpus::FacePoints& face) {
  corpus::Point sum;
  for (auto i = corpus::kFirstMouthPoint; i < face.size(); ++i)
    sum.x += face[i].x / 20, sum.y += face[i].y / 20;
  return sum;
}

/// Where the mouth of a drawn face is in its own picture.
corpus::Point drawn_mouth(std::int64_t speaker, double opening) {
  const auto points =
      synth::landmarks(synth::Speaker::random(3, speaker), mouth_opened(opening), synth::View({}));
  corpus::Point sum;
  for (auto i = corpus::kFirstMouthPoint; i < points.size(); ++i)
    sum.x += points[i].x / 20, sum.y += points[i].y / 20;
  return sum;
}

class Finder : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    model_ = std::make_shared<const LandmarkModel>(kDefaultLandmarkModel);
  }
  static void TearDownTestSuite() { model_.reset(); }

  static FoundFaces find(const std::string& film, FaceChoice choice = FaceChoice::kLargest) {
    return FaceFinder(model_, {.choice = choice}).find(source_of(film));
  }
  static FoundFaces find(const DrawnFilm& film, FaceChoice choice = FaceChoice::kLargest) {
    return find(mp4_of(film), choice);
  }

  /// The mouth is where it was drawn in all frames of [begin, end).
  static void expect_mouth(const FoundFaces& found, const DrawnFace& face, std::int64_t begin,
                           std::int64_t end) {
    for (auto t = begin; t < end; ++t) {
      const auto& points = found.points.at(static_cast<std::size_t>(t));
      ASSERT_TRUE(is_seen(points)) << t;
      const auto there = drawn_mouth(face.speaker, face.opening(t));
      const auto mouth = mouth_of(points);
      EXPECT_NEAR(mouth.x, face.left + face.shift_x(t) + face.scale * there.x, 6) << t;
      EXPECT_NEAR(mouth.y, face.top + face.scale * there.y, 6) << t;
    }
  }
  static void expect_no_face(const FoundFaces& found, std::int64_t begin, std::int64_t end) {
    for (auto t = begin; t < end; ++t)
      EXPECT_FALSE(is_seen(found.points.at(static_cast<std::size_t>(t)))) << t;
  }

  static std::shared_ptr<const LandmarkModel> model_;
};

std::shared_ptr<const LandmarkModel> Finder::model_;

TEST_F(Finder, FindsAFaceInEachFrameTheSameEachTime) {
  DrawnFilm film(20);
  const DrawnFace face;
  draw(film, face);
  const auto bytes = mp4_of(film);
  const auto found = find(bytes);
  ASSERT_EQ(found.points.size(), 20U);
  EXPECT_EQ(found.frames_with_face, 20);
  EXPECT_EQ(found.tracks.size(), 1U);
  EXPECT_TRUE(found.cuts.empty());
  expect_mouth(found, face, 0, 20);
  const auto again = find(bytes);
  for (std::size_t t = 0; t < found.points.size(); ++t) {
    for (std::size_t i = 0; i < corpus::kNumFacePoints; ++i) {
      EXPECT_EQ(found.points[t][i].x, again.points[t][i].x);
      EXPECT_EQ(static_cast<double>(static_cast<float>(found.points[t][i].y)),
                found.points[t][i].y);
    }
  }
}

TEST_F(Finder, FindsNothingWhereThereIsNoFace) {
  const auto found = find(DrawnFilm(8));
  EXPECT_EQ(found.points.size(), 8U);
  EXPECT_EQ(found.frames_with_face, 0);
  EXPECT_TRUE(found.tracks.empty());
  expect_no_face(found, 0, 8);
}

TEST_F(Finder, ASearchCanBeStopped) {
  DrawnFilm film(300);
  const auto bytes = mp4_of(film);
  std::stop_source stop;
  std::vector<std::int64_t> reported;
  const SearchWatch watch{.stop = stop.get_token(), .report = [&](std::int64_t frames) {
                            reported.push_back(frames);
                            stop.request_stop();
                          }};
  EXPECT_THROW(static_cast<void>(FaceFinder(model_).find(source_of(bytes), {}, watch)),
               SearchStopped);
  EXPECT_EQ(reported, (std::vector<std::int64_t>{250}));
}

TEST_F(Finder, TakesThreeFrames) {
  DrawnFilm film(3);
  draw(film, {});
  EXPECT_EQ(find(film).frames_with_face, 3);
}

TEST_F(Finder, FollowsAFaceThatMoves) {
  DrawnFilm film(25, 224, 400);
  const DrawnFace face{.shift_x = [](std::int64_t t) { return 7.0 * static_cast<double>(t); }};
  draw(film, face);
  const auto found = find(film);
  EXPECT_EQ(found.tracks.size(), 1U);
  EXPECT_TRUE(found.cuts.empty());
  expect_mouth(found, face, 0, 25);
}

TEST_F(Finder, KnowsWhenAFaceComesAndLeavesToTheFrame) {
  for (const std::int64_t begin : {0, 4, 5, 6}) {
    DrawnFilm film(20, 288, 360);
    const DrawnFace face{.begin = begin, .end = begin + 9, .left = 60, .top = 30, .scale = 0.9};
    draw(film, face);
    const auto found = find(film);
    EXPECT_EQ(found.frames_with_face, 9) << begin;
    expect_no_face(found, 0, begin);
    expect_mouth(found, face, begin, begin + 9);
    expect_no_face(found, begin + 9, 20);
  }
}

TEST_F(Finder, ChoosesAmongTwoFaces) {
  DrawnFilm film(12, 224, 600);
  const DrawnFace middle{.speaker = 0, .left = 200, .top = 20, .scale = 0.9},
      large{.speaker = 1, .left = 0};
  draw(film, middle);
  draw(film, large);
  const auto found = find(film);
  EXPECT_EQ(found.tracks.size(), 2U);
  expect_mouth(found, large, 0, 12);
  expect_mouth(find(film, FaceChoice::kCentral), middle, 0, 12);
}

TEST_F(Finder, BeginsAnewWhereAShotIsCut) {
  DrawnFilm film(14, 224, 500);
  const DrawnFace before{.speaker = 0, .end = 7}, after{.speaker = 5, .begin = 7, .left = 250};
  draw(film, before);
  draw(film, after);
  for (std::int64_t t = 7; t < 14; ++t) {  // another place, darker
    for (std::int64_t y = 0; y < film.height; ++y) {
      for (std::int64_t x = 0; x < film.width; ++x) {
        if (x < 250 || x >= 474) film.at(t, y, x) = 15;
      }
    }
  }
  const auto found = find(film);
  EXPECT_EQ(found.cuts, std::vector<std::int64_t>{7});
  EXPECT_EQ(found.frames_with_face, 14);
  expect_mouth(found, before, 0, 7);
  expect_mouth(found, after, 7, 14);
}

TEST_F(Finder, LooksAtLargeAndSmallPictures) {
  DrawnFilm large(4, 1080, 1920);
  const DrawnFace face{.left = 700, .top = 200, .scale = 2};
  draw(large, face);
  const auto found = find(large);
  EXPECT_EQ(found.frames_with_face, 4);
  const auto mouth = mouth_of(found.points[0]), drawn = drawn_mouth(0, face.opening(0));
  EXPECT_NEAR(mouth.x, 700 + 2 * drawn.x, 12);
  EXPECT_NEAR(mouth.y, 200 + 2 * drawn.y, 12);

  DrawnFilm small(4, 144, 176);
  const DrawnFace little{.left = 30, .top = 10, .scale = 0.55};
  draw(small, little);
  expect_mouth(find(small), little, 0, 4);
}

TEST_F(Finder, FindsFacesInThePictureAsItIsDisplayed) {
  DrawnFilm film(6, 224, 300);
  const DrawnFace face{.left = 50};
  draw(film, face);
  expect_mouth(find(phone_film(film, true)), face, 0, 6);
}

TEST_F(Finder, FindsFacesThatAreUprightAsTheyAreStored) {
  DrawnFilm film(6, 224, 300);
  const DrawnFace face{.left = 50};
  draw(film, face);
  const auto found = find(phone_film(film, false));  // asks for a turn that it does not need
  ASSERT_EQ(found.frames_with_face, 6);
  const auto mouth = mouth_of(found.points[0]), drawn = drawn_mouth(0, face.opening(0));
  EXPECT_NEAR(mouth.x, 223 - drawn.y, 6);  // where a player shows it
  EXPECT_NEAR(mouth.y, 50 + drawn.x, 6);
}

TEST_F(Finder, OfAFilmThatCannotBeReadSaysSo) {
  EXPECT_THROW(find(std::string("no film at all")), MediaError);
}

/// `film` with a voice that is heard in the second half alone.
std::string film_with_voice(const DrawnFilm& film) {
  media::VideoStreamSpec video;
  video.width = static_cast<int>(film.width);
  video.height = static_cast<int>(film.height);
  video.times = media::regular_times(film.frames);
  video.pixel = [&film](int t, int x, int y) -> int { return film.at(t, y, x); };
  media::AudioStreamSpec audio;
  audio.num_samples = film.frames * media::kSamplesPerFrame;
  audio.sample = [n = audio.num_samples](std::int64_t i, int) {
    return i > n / 2 ? 0.3 * std::sin(0.1 * static_cast<double>(i)) : 0.0;
  };
  return media::make_media("mov", {.video = video, .audio = audio});
}

TEST_F(Finder, FindsTheFaceThatSpeaks) {
  constexpr std::int64_t kFrames = 40;
  DrawnFilm film(kFrames, 224, 448);
  const auto still = [](std::int64_t) { return 0.1; };
  const DrawnFace speaks{.speaker = 0, .top = 20, .scale = 0.85, .opening = [](std::int64_t t) {
                           return t >= kFrames / 2 ? talking(t) : 0.1;
                         }};
  const DrawnFace listens{.speaker = 1, .left = 224, .opening = still};
  draw(film, speaks);
  draw(film, listens);
  const auto bytes = film_with_voice(film);
  expect_mouth(find(bytes, FaceChoice::kSpeaking), speaks, 0, kFrames);
  expect_mouth(find(bytes), listens, 0, kFrames);
}

}  // namespace
}  // namespace raven::faces

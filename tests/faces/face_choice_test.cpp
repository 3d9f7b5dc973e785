#include "faces/face_choice.h"

#include <gtest/gtest.h>

#include <cmath>

#include "raven/corpus/mean_face.h"

namespace raven::faces {
namespace {

/// The mean face, `size` pixels large, its middle at `x`, 100; the lips are `opening` apart.
corpus::FacePoints face_at(double x, double size, double opening = 0) {
  auto face = corpus::mean_face();
  for (std::size_t i = 0; i < face.size(); ++i) {
    if (i >= 65) face[i].y += opening * size;
    face[i] = {x + (face[i].x - 128) * size / 256, 100 + (face[i].y - 128) * size / 256};
  }
  return face;
}

FaceTrack track(std::int64_t first, std::int64_t frames, double x, double size) {
  return {.first_frame = first,
          .points =
              std::vector<corpus::FacePoints>(static_cast<std::size_t>(frames), face_at(x, size))};
}

/// Which track each frame shows, by the x that it was made with; -1: none.
std::vector<int> shown(const std::vector<FaceTrack>& tracks, std::int64_t num_frames,
                       FaceChoice choice, std::span<const double> loudness = {}) {
  const auto chosen = choose_faces(
      {.tracks = tracks, .num_frames = num_frames, .picture = {.width = 400, .height = 200}},
      choice, loudness);
  std::vector<int> numbers;
  for (std::int64_t frame = 0; frame < num_frames; ++frame) {
    const auto& face = chosen[static_cast<std::size_t>(frame)];
    int number = -1;
    for (std::size_t i = 0; i < tracks.size(); ++i) {
      const auto at = frame - tracks[i].first_frame;
      if (at < 0 || at >= std::ssize(tracks[i].points)) continue;
      if (tracks[i].points[static_cast<std::size_t>(at)][0].x == face[0].x)
        number = static_cast<int>(i);
    }
    numbers.push_back(number);
  }
  return numbers;
}

using Numbers = std::vector<int>;

TEST(FaceChoice, HasNames) {
  for (const auto choice : {FaceChoice::kLargest, FaceChoice::kCentral, FaceChoice::kSpeaking})
    EXPECT_EQ(face_choice_of(config::enum_name(choice)), choice);
  EXPECT_FALSE(face_choice_of("any"));
}

TEST(FaceChoice, TakesTheLargestOrTheMostCentralOfTwo) {
  const std::vector<FaceTrack> two = {track(0, 4, 190, 100), track(0, 4, 60, 120)};
  EXPECT_EQ(shown(two, 5, FaceChoice::kLargest), (Numbers{1, 1, 1, 1, -1}));
  EXPECT_EQ(shown(two, 5, FaceChoice::kCentral), (Numbers{0, 0, 0, 0, -1}));
}

TEST(FaceChoice, AFaceThatOnlyPassesIsNotTaken) {
  const std::vector<FaceTrack> two = {track(0, 10, 100, 100), track(4, 2, 300, 150)};
  EXPECT_EQ(shown(two, 10, FaceChoice::kLargest), Numbers(10, 0));
}

TEST(FaceChoice, FacesOneAfterAnotherFollowEachOther) {
  const std::vector<FaceTrack> two = {track(0, 3, 100, 100), track(2, 4, 300, 120)};
  EXPECT_EQ(shown(two, 7, FaceChoice::kLargest), (Numbers{0, 0, 1, 1, 1, 1, -1}));
}

TEST(FaceChoice, TheOneSpeaksWhoseMouthMovesWithTheSound) {
  constexpr std::int64_t kFrames = 100;
  FaceTrack still = track(0, kFrames, 100, 150), talks, chews;
  std::vector<double> loudness;
  for (std::int64_t t = 0; t < kFrames; ++t) {
    const bool loud = t / 25 % 2 == 1;
    const auto opening = 0.2 * (0.5 + 0.5 * std::sin(2.0 * static_cast<double>(t)));
    loudness.push_back(loud ? -1 : -4);
    talks.points.push_back(face_at(200, 100, loud ? opening : 0));
    chews.points.push_back(face_at(300, 100, 1.5 * opening));
  }
  const std::vector<FaceTrack> three = {still, chews, talks};
  EXPECT_EQ(shown(three, kFrames, FaceChoice::kSpeaking, loudness), Numbers(kFrames, 2));
  EXPECT_EQ(shown(three, kFrames, FaceChoice::kSpeaking), Numbers(kFrames, 0));
  const std::vector<double> silence(kFrames, -4);
  EXPECT_EQ(shown(three, kFrames, FaceChoice::kSpeaking, silence), Numbers(kFrames, 0));
}

TEST(FaceChoice, LoudnessIsToldForEachFrame) {
  std::vector<float> samples(640, 0.1F);
  samples.resize(1280, 0);
  samples.resize(1600, 1);  // a half frame
  const auto loudness = loudness_of(samples, 4);
  ASSERT_EQ(loudness.size(), 4U);
  EXPECT_NEAR(loudness[0], -1, 1e-6);
  EXPECT_NEAR(loudness[1], -4, 1e-12);
  EXPECT_NEAR(loudness[2], std::log10(std::sqrt(0.5)), 1e-6);
  EXPECT_NEAR(loudness[3], -4, 1e-12);
}

}  // namespace
}  // namespace raven::faces

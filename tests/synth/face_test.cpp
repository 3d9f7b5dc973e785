#include "synth/face.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "synth/draws.h"
#include "synth/head_motion.h"

namespace raven::synth {
namespace {

Picture draw(Face& face, const Articulation& mouth, std::uint64_t grain = 1,
             const Pose& pose = {}) {
  Picture picture;
  face.draw(mouth, pose, grain, picture);
  return picture;
}

/// Mean absolute difference within an area.
double difference(const cv::Mat& a, const cv::Mat& b, cv::Rect area) {
  double sum = 0;
  for (int y = area.y; y < area.y + area.height; ++y) {
    for (int x = area.x; x < area.x + area.width; ++x) {
      sum += std::abs(a.at<std::uint8_t>(y, x) - b.at<std::uint8_t>(y, x));
    }
  }
  return sum / area.area();
}

Articulation mouth_of(const char* mnemonic) { return held(*find_phoneme(mnemonic)); }

TEST(Face, LandmarksLieInThePicture) {
  for (int number = 0; number < 40; ++number) {
    const auto speaker = Speaker::random(3, number);
    const HeadMotion motion(3, number, 4.0);
    for (double time_s = 0; time_s < 4; time_s += 0.2) {
      const auto points = landmarks(speaker, mouth_of(number % 2 == 0 ? "A:" : "u:"),
                                    View(motion.at(time_s, speaker)));
      ASSERT_EQ(points.size(), 68U);
      for (const auto& point : points) {
        ASSERT_TRUE(std::isfinite(point.x) && std::isfinite(point.y));
        EXPECT_TRUE(point.x >= 0 && point.x < kFaceSize && point.y >= 0 && point.y < kFaceSize)
            << "speaker " << number << ": " << point.x << ", " << point.y;
      }
    }
  }
}

TEST(Face, LandmarksKeepTheirOrder) {
  const auto points = landmarks(Speaker{}, mouth_of("A:"), View({}));
  EXPECT_LT(points[0].x, points[16].x);   // jaw: from the picture's left to its right
  EXPECT_GT(points[8].y, points[57].y);   // chin below the lower lip
  EXPECT_LT(points[36].x, points[39].x);  // left eye: outer, then inner corner
  EXPECT_LT(points[39].x, points[42].x);
  EXPECT_LT(points[48].x, points[54].x);  // corners of the mouth
  EXPECT_LT(points[51].y, points[62].y);  // upper lip: outer above inner
  EXPECT_LT(points[62].y, points[66].y);  // open mouth
  EXPECT_LT(points[66].y, points[57].y);  // lower lip: inner above outer
}

TEST(Face, LandmarksFollowTheMouth) {
  const auto gap = [](const char* mnemonic) {
    const auto points = landmarks(Speaker{}, mouth_of(mnemonic), View({}));
    return points[66].y - points[62].y;
  };
  const auto width = [](const char* mnemonic) {
    const auto points = landmarks(Speaker{}, mouth_of(mnemonic), View({}));
    return points[54].x - points[48].x;
  };
  EXPECT_LT(gap("p"), 1.0);
  EXPECT_GT(gap("A:"), 12.0);
  EXPECT_GT(width("i:"), 1.3 * width("u:"));
}

TEST(Face, DrawsTheSameTwice) {
  Face one(Speaker::random(5, 8)), two(Speaker::random(5, 8));
  const auto a = draw(one, mouth_of("E"));
  draw(two, mouth_of("p"));  // leaves nothing behind
  const auto b = draw(two, mouth_of("E"));
  EXPECT_EQ(difference(a.luma, b.luma, {0, 0, kFaceSize, kFaceSize}), 0);
  EXPECT_EQ(difference(a.blue, b.blue, {0, 0, kFaceSize / 2, kFaceSize / 2}), 0);
}

TEST(Face, SpeechMovesTheMouthAndNothingAboveIt) {
  Face face{Speaker{}};
  const auto open = draw(face, mouth_of("A:")), closed = draw(face, mouth_of("p"));
  EXPECT_GT(difference(open.luma, closed.luma, {84, 140, 56, 40}), 10);
  EXPECT_EQ(difference(open.luma, closed.luma, {0, 0, kFaceSize, 100}), 0);
}

TEST(Face, SpeakersDiffer) {
  Face one(Speaker::random(1, 2)), two(Speaker::random(1, 3));
  EXPECT_GT(difference(draw(one, {}).luma, draw(two, {}).luma, {0, 0, kFaceSize, kFaceSize}), 5);
}

TEST(Face, GrainHasTheSensorsStrength) {
  Speaker speaker;
  speaker.sensor_noise = 4;
  Face face{speaker};
  const auto one = draw(face, {}, 1), two = draw(face, {}, 2);
  double squares = 0;
  const cv::Rect area(10, 10, 60, 20);  // background
  for (int y = area.y; y < area.y + area.height; ++y) {
    for (int x = area.x; x < area.x + area.width; ++x) {
      const double d = one.luma.at<std::uint8_t>(y, x) - two.luma.at<std::uint8_t>(y, x);
      squares += d * d;
    }
  }
  // Two independent grains of 4 * 0.77.
  EXPECT_NEAR(std::sqrt(squares / area.area() / 2), 3.08, 0.3);
}

TEST(Picture, ColoursSurviveTheEncodersFormat) {
  for (const cv::Vec3b& colour : {cv::Vec3b(0, 0, 0), cv::Vec3b(255, 255, 255),
                                  cv::Vec3b(40, 90, 200), cv::Vec3b(200, 120, 30)}) {
    cv::Mat bgr(kFaceSize, kFaceSize, CV_8UC3, cv::Scalar(colour[0], colour[1], colour[2]));
    Picture picture;
    cv::Mat chroma(kFaceSize / 2, kFaceSize / 2, CV_8UC2);
    convert_to_yuv(bgr, picture.luma, chroma);
    for (int y = 0; y < chroma.rows; ++y) {
      for (int x = 0; x < chroma.cols; ++x) {
        picture.blue.at<std::uint8_t>(y, x) = chroma.at<cv::Vec2b>(y, x)[0];
        picture.red.at<std::uint8_t>(y, x) = chroma.at<cv::Vec2b>(y, x)[1];
      }
    }
    const auto back = to_bgr(picture).at<cv::Vec3b>(100, 100);
    for (int c = 0; c < 3; ++c) EXPECT_NEAR(back[c], colour[c], 3);
  }
}

}  // namespace
}  // namespace raven::synth

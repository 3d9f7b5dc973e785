#include "raven/corpus/landmarks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "raven/core/error.h"
#include "raven/corpus/npy.h"

namespace raven::corpus {
namespace {

using testing::HasSubstr;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Faces whose points are (value, 2 value), as a float32 file.
std::string file_of(const std::vector<float>& values) {
  std::vector<float> points;
  for (const auto value : values) {
    for (std::size_t i = 0; i < kNumFacePoints; ++i)
      points.insert(points.end(), {value, 2 * value});
  }
  const std::vector<std::int64_t> shape = {static_cast<std::int64_t>(values.size()), 68, 2};
  return npy_bytes("<f4", shape, std::as_bytes(std::span(points)));
}

Landmarks read(const std::string& file) {
  return read_landmarks(std::as_bytes(std::span(file.data(), file.size())), "face.npy");
}

std::vector<double> first_x(const Landmarks& landmarks) {
  std::vector<double> values;
  for (const auto& face : landmarks.frames) values.push_back(face[0].x);
  return values;
}

DataError error_of(const std::string& file) {
  try {
    read(file);
  } catch (const DataError& error) {
    return error;
  }
  return DataError("accepted", "accepted");
}

TEST(Landmarks, ReadsPointsAsXAndY) {
  const auto landmarks = read(file_of({3, 5}));
  ASSERT_EQ(landmarks.frames.size(), 2U);
  EXPECT_EQ(landmarks.frames[1][67].x, 5);
  EXPECT_EQ(landmarks.frames[1][67].y, 10);
  EXPECT_EQ(landmarks.num_interpolated, 0);
}

TEST(Landmarks, InterpolatesGapsAndCopiesTheNearestAtTheEnds) {
  const auto landmarks = read(file_of({kNan, kNan, 4, kNan, kNan, kNan, 8, kNan, 9, kNan}));
  EXPECT_THAT(first_x(landmarks), testing::ElementsAre(4, 4, 4, 5, 6, 7, 8, 8.5, 9, 9));
  EXPECT_EQ(landmarks.num_interpolated, 7);
}

TEST(Landmarks, OneMissingNumberMakesTheWholeFaceMissing) {
  std::vector<float> points(std::size_t{3} * 68 * 2, 10.0F);
  points[68 * 2 + 77] = kNan;
  points[68 * 2 + 5] = -3;  // would be seen if the face were kept
  const auto file =
      npy_bytes("<f4", std::vector<std::int64_t>{3, 68, 2}, std::as_bytes(std::span(points)));
  const auto landmarks = read(file);
  EXPECT_EQ(landmarks.num_interpolated, 1);
  EXPECT_EQ(landmarks.frames[1][2].y, 10);
}

TEST(Landmarks, RefusesClipsWithoutAnyFace) {
  EXPECT_EQ(error_of(file_of({kNan, kNan})).reason(), "no-face");
  EXPECT_EQ(error_of(file_of({})).reason(), "no-face");
}

TEST(Landmarks, RefusesPointsThatAreNoPixels) {
  for (const auto value : {kInfinity, -kInfinity, 1e6F, -1e30F}) {
    const auto error = error_of(file_of({1, value}));
    EXPECT_EQ(error.reason(), "landmarks") << value;
    EXPECT_THAT(error.what(), HasSubstr("face.npy: frame 1, point 0")) << value;
  }
}

TEST(Landmarks, RefusesOtherShapes) {
  const std::vector<float> numbers(136, 1.0F);
  for (const std::vector<std::int64_t>& shape :
       {std::vector<std::int64_t>{1, 136}, {136}, {1, 2, 68}, {68, 2}, {1, 1, 68, 2}}) {
    const auto error = error_of(npy_bytes("<f4", shape, std::as_bytes(std::span(numbers))));
    EXPECT_EQ(error.reason(), "landmarks");
    EXPECT_THAT(error.what(), HasSubstr("expected (frames, 68, 2)"));
  }
}

TEST(Landmarks, CallsDamagedFilesCorrupt) {
  const auto file = file_of({1, 2});
  EXPECT_EQ(error_of(file.substr(0, file.size() - 1)).reason(), "corrupt");
  EXPECT_EQ(error_of("").reason(), "corrupt");
}

/// The mean face, 256 pixels wide and high, after `change`.
std::vector<FacePoints> faces(const std::function<Point(Point)>& change) {
  auto face = mean_face();
  for (auto& point : face) point = change(point);
  return {face, face, face};
}

TEST(Landmarks, OfAFaceInThePictureAreFine) {
  EXPECT_EQ(problem_with_faces(faces([](Point p) { return p; }), 256, 256), "");
  const auto on_its_side = [](Point p) { return Point{256 - p.y, p.x}; };
  const auto upside_down = [](Point p) { return Point{256 - p.x, 256 - p.y}; };
  EXPECT_EQ(problem_with_faces(faces(on_its_side), 256, 256), "");
  EXPECT_EQ(problem_with_faces(faces(upside_down), 256, 256), "");
  auto one_bad = faces([](Point p) { return p; });
  for (auto& point : one_bad[1]) point = {point.y, point.x};
  EXPECT_EQ(problem_with_faces(one_bad, 256, 256), "");
}

TEST(Landmarks, OfAnotherScaleOrAxisAreTold) {
  const auto shares = [](Point p) { return Point{p.x / 256, p.y / 256}; };
  EXPECT_THAT(problem_with_faces(faces(shares), 256, 256), HasSubstr("pixels of the video"));
  const auto exchanged = [](Point p) { return Point{p.y, p.x}; };
  EXPECT_THAT(problem_with_faces(faces(exchanged), 256, 256), HasSubstr("x and y exchanged"));
  const auto large = [](Point p) { return Point{20 * p.x, 20 * p.y}; };
  EXPECT_THAT(problem_with_faces(faces(large), 256, 256), HasSubstr("outside the picture"));
}

}  // namespace
}  // namespace raven::corpus

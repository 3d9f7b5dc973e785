#include "raven/corpus/landmarks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "raven/core/error.h"
#include "raven/corpus/npy.h"
#include "support/resident.h"
#include "support/sanitized.h"

namespace raven::corpus {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr PictureSize kPicture = {.width = 256, .height = 256};
constexpr media::Turn kUpright, kQuarter{0, -1, 1, 0}, kHalf{-1, 0, 0, -1}, kBack{0, 1, -1, 0},
    kMirror{-1, 0, 0, 1}, kFlip{1, 0, 0, -1}, kAcross{0, 1, 1, 0};

/// The mean face, 256 pixels wide and high, after `change`.
FacePoints face_after(const std::function<Point(Point)>& change) {
  auto face = mean_face();
  for (auto& point : face) point = change(point);
  return face;
}

FacePoints face_at(double x, double y) {
  return face_after([=](Point p) { return Point{p.x + x, p.y + y}; });
}

FacePoints all_at(double value) {
  FacePoints face;
  face.fill({value, value});
  return face;
}

DataError error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const DataError& error) {
    return error;
  }
  return DataError("accepted", "accepted");
}

DataError error_of_file(const std::string& file) {
  return error_of([&] { read_landmarks(file, "face.npy"); });
}

template <class T>
std::string file_of(const char* descr, const std::vector<T>& numbers) {
  const std::int64_t shape[] = {std::ssize(numbers) / 136, 68, 2};
  return npy_bytes(descr, shape, std::as_bytes(std::span(numbers)));
}

TEST(Landmarks, ReadPointsAsXAndYOfAnyType) {
  std::vector<float> floats;
  std::vector<std::uint16_t> halves, integers;
  for (std::uint16_t i = 0; i < 2 * 136; ++i) {
    floats.push_back(i);
    integers.push_back(i);
    halves.push_back(static_cast<std::uint16_t>(0x3C00 + i));  // 1 + i / 1024
  }
  for (const auto& file : {file_of("<f4", floats), file_of("<u2", integers)}) {
    const auto faces = read_landmarks(file, "face.npy");
    ASSERT_EQ(faces.count, 2);
    EXPECT_EQ(faces.at(1)[0].x, 136);
    EXPECT_EQ(faces.at(1)[67].y, 271);
    EXPECT_EQ(faces.at(0)[67].x, 134);
  }
  EXPECT_EQ(read_landmarks(file_of("<f2", halves), "face.npy").at(1)[0].y, 1 + 137.0 / 1024);
}

TEST(Landmarks, RefuseOtherShapes) {
  const std::vector<float> numbers(136, 1.0F);
  for (const std::vector<std::int64_t>& shape :
       {std::vector<std::int64_t>{1, 136}, {136}, {1, 2, 68}, {68, 2}, {1, 1, 68, 2}}) {
    const auto error = error_of_file(npy_bytes("<f4", shape, std::as_bytes(std::span(numbers))));
    EXPECT_EQ(error.reason(), "landmarks");
    EXPECT_THAT(error.what(), HasSubstr("expected (frames, 68, 2)"));
  }
}

TEST(Landmarks, CallDamagedFilesCorruptAndEmptyOnesFaceless) {
  const auto file = file_of("<f4", std::vector<float>(272));
  EXPECT_EQ(error_of_file(file.substr(0, file.size() - 1)).reason(), "corrupt");
  EXPECT_EQ(error_of_file("").reason(), "corrupt");
  EXPECT_EQ(error_of_file(file_of("<f4", std::vector<float>{})).reason(), "no-face");
}

TEST(Landmarks, TakeLittleMoreMemoryThanTheirFile) {
  const auto file = file_of("|u1", std::vector<std::uint8_t>(std::size_t{136} * 200'000, 7));
  const ResidentPeak peak;
  const auto faces = read_landmarks(file, "face.npy");
  double sum = 0;
  for (std::int64_t i = 0; i < faces.count; ++i) sum += faces.at(i)[67].x;
  EXPECT_EQ(sum, 7 * 200'000);
  if (!kSanitized) EXPECT_LT(peak.growth(), 3 * std::ssize(file));
}

TEST(Landmarks, WhatStandsForNoFaceIsNone) {
  EXPECT_TRUE(is_face(face_at(0, 0), kPicture));
  for (const double value : {0.0, -1.0, 9999.0, 100.0, kNan, kInfinity, -kInfinity, 1e30})
    EXPECT_FALSE(is_face(all_at(value), kPicture)) << value;
  for (const double value : {kNan, kInfinity, 1e6}) {
    auto face = face_at(0, 0);
    face[38].y = value;
    EXPECT_FALSE(is_face(face, kPicture)) << value;
  }
}

TEST(Landmarks, AMouthOutsideThePictureIsNoFaceAndAJawOutsideIs) {
  EXPECT_TRUE(is_face(face_at(0, 90), kPicture));  // the chin lies below the edge
  auto face = face_at(0, 0);
  for (std::size_t i = 0; i < 17; ++i) face[i] = {-50, 400};
  EXPECT_TRUE(is_face(face, kPicture));
  EXPECT_FALSE(is_face(face_at(0, 120), kPicture));
  EXPECT_FALSE(is_face(face_at(-150, 0), kPicture));
  EXPECT_FALSE(is_face(face_at(9999, 9999), kPicture));
}

TEST(Landmarks, PointsOfAnotherShapeAreNoFace) {
  auto scattered = face_at(0, 0);
  for (std::size_t i = 0; i < scattered.size(); ++i) {
    scattered[i] = {static_cast<double>(i * i * 37 % 256), static_cast<double>(i * i * i % 256)};
  }
  EXPECT_FALSE(is_face(scattered, kPicture));
  const auto profile = [](Point p) { return Point{128 + (p.x - 128) / 5, p.y}; };
  EXPECT_TRUE(is_face(face_after(profile), kPicture));
  const auto on_its_side = [](Point p) { return Point{256 - p.y, p.x}; };
  EXPECT_TRUE(is_face(face_after(on_its_side), kPicture));
}

FittedFaces fit(const std::vector<FacePoints>& faces, const media::Turn& turn = kUpright,
                PictureSize stored = kPicture, LandmarkPicture picture = LandmarkPicture::kAuto) {
  return fit_to_picture(faces_of(faces), stored, turn, picture, "face.npy");
}

DataError problem_of(const std::vector<FacePoints>& faces, const media::Turn& turn = kUpright,
                     PictureSize stored = kPicture,
                     LandmarkPicture picture = LandmarkPicture::kAuto) {
  return error_of([&] { fit(faces, turn, stored, picture); });
}

TEST(Landmarks, OfAFaceInThePictureAreFine) {
  const auto on_its_side = [](Point p) { return Point{256 - p.y, p.x}; };
  const auto upside_down = [](Point p) { return Point{256 - p.x, 256 - p.y}; };
  EXPECT_THAT(fit({face_after(on_its_side)}).detected, ElementsAre(0));
  EXPECT_THAT(fit({face_after(upside_down)}).detected, ElementsAre(0));
  const auto exchanged = face_after([](Point p) { return Point{p.y, p.x}; });
  EXPECT_FALSE(fit({face_at(0, 0), exchanged, face_at(1, 0)}).turned);
}

TEST(Landmarks, FindWhichFramesHaveAFace) {
  const auto fitted = fit({all_at(0), face_at(0, 0), all_at(9999), face_at(0, 150), face_at(1, 0),
                           face_at(2, 0), all_at(kNan), face_at(3, 3)});
  EXPECT_THAT(fitted.detected, ElementsAre(1, 4, 5, 7));
}

TEST(Landmarks, WithoutAFaceInMostFramesAreRefused) {
  const auto face = face_at(0, 0);
  EXPECT_EQ(problem_of({all_at(0), all_at(-1), face, face}).reason(), "accepted");
  const auto error = problem_of({all_at(0), all_at(-1), all_at(9999), face, face});
  EXPECT_EQ(error.reason(), "no-face");
  EXPECT_THAT(error.what(), HasSubstr("3 of 5 frames have no face"));
  EXPECT_THAT(problem_of({all_at(kNan)}).what(), HasSubstr("no frame has a face"));
  EXPECT_EQ(problem_of({face, face_at(0, 120), face_at(0, 130), face_at(0, 121)}).reason(),
            "no-face");
}

TEST(Landmarks, OfAnotherScaleOrAxisAreTold) {
  const auto shares = [](Point p) { return Point{p.x / 256, p.y / 256}; };
  EXPECT_THAT(problem_of({face_after(shares)}).what(), HasSubstr("pixels of the video"));
  const auto exchanged = [](Point p) { return Point{p.y, p.x}; };
  EXPECT_THAT(problem_of({face_after(exchanged)}).what(), HasSubstr("x and y exchanged"));
  const auto large = [](Point p) { return Point{20 * p.x, 20 * p.y}; };
  EXPECT_THAT(problem_of({face_after(large)}).what(), HasSubstr("outside the picture"));
}

/// Where a point of the displayed picture is stored.
Point stored_at(Point shown, const PictureSize& stored, const media::Turn& turn) {
  const media::Turn back{turn.xx, turn.yx, turn.xy, turn.yy};
  const PictureSize size = turn.swaps_sides() ? PictureSize{stored.height, stored.width} : stored;
  return shown_at(shown, size, back);
}

TEST(Landmarks, OfATurnedPictureAreToldFromThoseOfTheStoredOne) {
  constexpr PictureSize kStored = {.width = 480, .height = 300};
  for (const auto& turn : {kQuarter, kHalf, kBack, kFlip, kAcross, kMirror}) {
    SCOPED_TRACE(turn.text());
    const auto displayed = face_at(10, 20);
    auto stored = displayed;
    for (auto& point : stored) point = stored_at(point, kStored, turn);
    const auto from_stored = fit({stored}, turn, kStored);
    EXPECT_EQ(from_stored.turned, turn.mirrors());
    if (turn.mirrors()) {  // only turned back is it a face
      EXPECT_NEAR(from_stored.faces.at(0)[48].x, displayed[48].x, 1e-9);
      EXPECT_NEAR(from_stored.faces.at(0)[48].y, displayed[48].y, 1e-9);
    } else {
      EXPECT_EQ(from_stored.faces.at(0)[48].x, stored[48].x);
    }
    if (turn.text() == "mirroring") continue;
    const auto from_displayed = fit({displayed}, turn, kStored);
    EXPECT_TRUE(from_displayed.turned);
    EXPECT_EQ(from_displayed.faces.at(0)[48].x, displayed[48].x);
  }
}

TEST(Landmarks, ThatFitNeitherPictureAreRefusedByName) {
  const auto on_its_side = face_after([](Point p) { return Point{p.y, 255 - p.x}; });
  for (const auto& turn : {kHalf, kFlip}) {
    const auto error = problem_of({on_its_side}, turn);
    EXPECT_EQ(error.reason(), "rotation");
    EXPECT_THAT(error.what(), HasSubstr("rotation of 180 degrees"));
    EXPECT_THAT(error.what(), HasSubstr("--rotation stored"));
  }
  EXPECT_FALSE(fit({on_its_side}, kHalf, kPicture, LandmarkPicture::kStored).turned);
  EXPECT_TRUE(fit({on_its_side}, kHalf, kPicture, LandmarkPicture::kDisplayed).turned);
  const auto far_out = face_at(3000, 3000);
  EXPECT_EQ(problem_of({far_out}, kQuarter).reason(), "landmarks");
}

TEST(Landmarks, ThatFitAMirroredPictureAndItsMirrorImageAreRefusedUnlessInTheMiddle) {
  constexpr PictureSize kWide = {.width = 800, .height = 256};
  EXPECT_EQ(problem_of({face_at(0, 0)}, kMirror, kWide).reason(), "rotation");
  EXPECT_TRUE(fit({face_at(0, 0)}, kMirror, kWide, LandmarkPicture::kDisplayed).turned);
  EXPECT_FALSE(fit({face_at(0, 0)}, kMirror, kWide, LandmarkPicture::kStored).turned);
  EXPECT_TRUE(fit({face_at(0, 0)}, kMirror, kPicture).turned);
}

}  // namespace
}  // namespace raven::corpus

#include "raven/corpus/mouth_crop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "raven/core/error.h"

namespace raven::corpus {
namespace {

using testing::HasSubstr;

/// The mean face turned by `angle` radians, scaled and moved.
FacePoints face_seen_as(double scale, double angle, double shift_x, double shift_y) {
  const Similarity map{scale * std::cos(angle), scale * std::sin(angle), shift_x, shift_y};
  auto face = mean_face();
  for (auto& point : face) point = map(point);
  return face;
}

std::vector<std::uint8_t> crop_of(const std::vector<std::uint8_t>& pixels, std::int64_t height,
                                  std::int64_t width, const MouthCrop& how,
                                  std::int64_t channels = 1) {
  std::vector<std::uint8_t> crop(static_cast<std::size_t>(kCropSize * kCropSize * channels));
  crop_mouth({pixels.data(), height, width, channels, width * channels}, how, crop);
  return crop;
}

MouthCrop unmoved(int row, int column) { return {.window = {.row = row, .column = column}}; }

TEST(MouthCrop, FindsTheSimilarityThatBringsTheFaceBack) {
  const auto face = face_seen_as(0.5, 0.3, 20, -7);
  const auto crop = plan_mouth_crops(faces_of({face}), 1).at(0);
  EXPECT_EQ(crop.points_used, 8);
  for (std::size_t i = 0; i < face.size(); ++i) {
    EXPECT_NEAR(crop.to_mean_face(face[i]).x, mean_face()[i].x,
                1e-4);  // the estimator rounds to float
    EXPECT_NEAR(crop.to_mean_face(face[i]).y, mean_face()[i].y, 1e-4);
  }
  EXPECT_NEAR(crop.mouth_centre.x, 129.3134, 1e-3);
  EXPECT_NEAR(crop.mouth_centre.y, 157.8230, 1e-3);
  EXPECT_EQ(crop.window.row, 110);
  EXPECT_EQ(crop.window.column, 81);
}

TEST(MouthCrop, LeavesOutPointsThatDisagree) {
  auto face = face_seen_as(0.8, -0.1, 3, 4);
  const auto clean = plan_mouth_crops(faces_of({face}), 1).at(0);
  face[45].x += 60;  // the outer corner of an eye
  const auto crop = plan_mouth_crops(faces_of({face}), 1).at(0);
  EXPECT_EQ(crop.points_used, 7);
  EXPECT_NEAR(crop.to_mean_face.cos_part, clean.to_mean_face.cos_part, 1e-6);
  EXPECT_NEAR(crop.to_mean_face.shift_x, clean.to_mean_face.shift_x, 1e-4);
}

TEST(MouthCrop, SmoothsTheShapeButKeepsThePlace) {
  std::vector<FacePoints> faces;
  for (int i = 0; i < 13; ++i) faces.push_back(face_seen_as(1, 0, i * i, 0));
  for (auto& point : faces[6]) point.x += 5;  // the whole face jumps: no change of shape
  const auto crops = plan_mouth_crops(faces_of(faces), 13);
  EXPECT_NEAR(crops[6].to_mean_face.shift_x, -41, 1e-4);
  faces[6][51].y += 13;  // one point of the mouth moves: an average over thirteen frames
  const auto moved = plan_mouth_crops(faces_of(faces), 13);
  // Smoothed, the point is 1 lower; the face's mean of 68 points moves by the whole 13 / 68, the
  // smoothed one's by 1 / 68, and the 20 points of the mouth share the point's own move.
  EXPECT_NEAR(moved[6].to_mean_face.shift_y - crops[6].to_mean_face.shift_y, -12.0 / 68, 1e-3);
  EXPECT_NEAR(moved[6].mouth_centre.y - crops[6].mouth_centre.y, 1.0 / 20, 1e-3);
  EXPECT_NEAR(moved[0].mouth_centre.y, crops[0].mouth_centre.y,
              1e-9);  // the first frame stands alone
}

TEST(MouthCrop, UsesLandmarksBeyondTheLastFrame) {
  std::vector<FacePoints> faces(5, face_seen_as(1, 0, 0, 0));
  faces[4][60].x += 15;
  const auto long_list = plan_mouth_crops(faces_of(faces), 3);
  faces.resize(3);
  const auto short_list = plan_mouth_crops(faces_of(faces), 3);
  EXPECT_EQ(long_list.size(), 3U);
  EXPECT_GT(std::fabs(long_list[2].mouth_centre.x - short_list[2].mouth_centre.x), 0.1);
}

TEST(MouthCrop, RefusesLandmarksInOneSpot) {
  std::vector<FacePoints> faces(2, face_seen_as(1, 0, 0, 0));
  faces[1].fill({40, 50});
  try {
    plan_mouth_crops(faces_of({faces[1]}), 1);
    FAIL() << "accepted";
  } catch (const DataError& error) {
    EXPECT_EQ(error.reason(), "landmarks");
    EXPECT_THAT(error.what(), HasSubstr("frame 0"));
  }
  EXPECT_THROW(plan_mouth_crops(faces_of({face_seen_as(1e5, 0, 0, 0)}), 1), DataError);
}

TEST(MouthCrop, CopiesPixelsWhereNothingMoves) {
  std::vector<std::uint8_t> pixels(std::size_t{256} * 256);
  for (std::size_t i = 0; i < pixels.size(); ++i)
    pixels[i] = static_cast<std::uint8_t>(i * 37 % 251);
  const auto crop = crop_of(pixels, 256, 256, unmoved(110, 81));
  for (const std::size_t row : {0, 40, 95}) {
    for (const std::size_t column : {0, 40, 95}) {
      EXPECT_EQ(crop[row * 96 + column], pixels[(110 + row) * 256 + 81 + column]);
    }
  }
}

TEST(MouthCrop, BlendsNeighboursInThirtySecondsOfAPixel) {
  std::vector<std::uint8_t> pixels(std::size_t{256} * 256, 0);
  pixels[120 * 256 + 90] = 200;
  auto how = unmoved(110, 81);
  how.to_mean_face.shift_x = 0.25;  // the image moves right: pixel 90 is seen at 90.25
  const auto crop = crop_of(pixels, 256, 256, how);
  EXPECT_EQ(crop[10 * 96 + 9], 150);
  EXPECT_EQ(crop[10 * 96 + 10], 50);
  how.to_mean_face.shift_x = 0.01;  // less than half of a thirty-second: nothing moves
  EXPECT_EQ(crop_of(pixels, 256, 256, how)[10 * 96 + 9], 200);
}

TEST(MouthCrop, IsBlackOutsideTheImage) {
  const std::vector<std::uint8_t> pixels(std::size_t{20} * 30, 255);
  auto how = unmoved(0, 0);
  how.to_mean_face.shift_x = 10.5;
  how.to_mean_face.shift_y = 10;
  const auto crop = crop_of(pixels, 20, 30, how);
  EXPECT_EQ(crop[9 * 96 + 20], 0);
  EXPECT_EQ(crop[10 * 96 + 9], 0);
  EXPECT_EQ(crop[10 * 96 + 10], 128);  // half of it lies outside
  EXPECT_EQ(crop[10 * 96 + 11], 255);
  EXPECT_EQ(crop[29 * 96 + 40], 128);
  EXPECT_EQ(crop[30 * 96 + 20], 0);
  how.to_mean_face.shift_x = 1e5;
  EXPECT_THAT(crop_of(pixels, 20, 30, how), testing::Each(0));
}

TEST(MouthCrop, TreatsChannelsAlikeInsideTheImageAndAtItsBorder) {
  std::vector<std::uint8_t> grey(std::size_t{200} * 180), colour;
  for (std::size_t i = 0; i < grey.size(); ++i) {
    grey[i] = static_cast<std::uint8_t>(i * i % 253);
    colour.insert(colour.end(), {grey[i], static_cast<std::uint8_t>(255 - grey[i]), grey[i]});
  }
  for (const double shift_x : {-120.0, -60.0, 0.0, 40.0, 100.0}) {
    for (const double shift_y : {-150.0, -100.0, -50.0, 0.0}) {
      const auto how =
          plan_mouth_crops(faces_of({face_seen_as(0.9, 0.2, shift_x, shift_y)}), 1).at(0);
      const auto grey_crop = crop_of(grey, 200, 180, how);
      const auto colour_crop = crop_of(colour, 200, 180, how, 3);
      for (std::size_t i = 0; i < grey_crop.size(); ++i) {
        ASSERT_EQ(colour_crop[3 * i], grey_crop[i]) << shift_x << " " << shift_y << " " << i;
        ASSERT_EQ(colour_crop[3 * i + 2], grey_crop[i]) << shift_x << " " << shift_y << " " << i;
      }
    }
  }
}

TEST(MouthCrop, ReadsRowsThatAreFurtherApartThanTheirWidth) {
  std::vector<std::uint8_t> padded(std::size_t{256} * 300, 9);
  std::vector<std::uint8_t> dense;
  for (std::size_t row = 0; row < 256; ++row) {
    for (std::size_t column = 0; column < 256; ++column) {
      padded[row * 300 + column] = static_cast<std::uint8_t>(row + 2 * column);
      dense.push_back(padded[row * 300 + column]);
    }
  }
  std::vector<std::uint8_t> crop(std::size_t{96} * 96);
  crop_mouth({padded.data(), 256, 256, 1, 300}, unmoved(160, 160), crop);
  EXPECT_EQ(crop, crop_of(dense, 256, 256, unmoved(160, 160)));
}

TEST(MouthCrop, CutsAPictureAsItIsShownWithoutCopyingIt) {
  constexpr std::int64_t kHeight = 170, kWidth = 210;
  for (const std::int64_t channels : {1, 3}) {
    std::vector<std::uint8_t> stored(static_cast<std::size_t>(kHeight * kWidth * channels));
    for (std::size_t i = 0; i < stored.size(); ++i)
      stored[i] = static_cast<std::uint8_t>(i * i % 241);
    const ImageView view{stored.data(), kHeight, kWidth, channels, kWidth * channels};
    for (const auto& turn : {media::Turn{1, 0, 0, 1},
                             {-1, 0, 0, 1},
                             {1, 0, 0, -1},
                             {-1, 0, 0, -1},
                             media::Turn{0, 1, 1, 0},
                             {0, -1, 1, 0},
                             {0, 1, -1, 0},
                             {0, -1, -1, 0}}) {
      const auto width = turn.swaps_sides() ? kHeight : kWidth;
      const auto height = turn.swaps_sides() ? kWidth : kHeight;
      std::vector<std::uint8_t> copy(stored.size());
      for (std::int64_t y = 0; y < kHeight; ++y) {
        for (std::int64_t x = 0; x < kWidth; ++x) {
          const auto to_x = turn.xx * x + turn.xy * y + (turn.xx + turn.xy < 0 ? width - 1 : 0);
          const auto to_y = turn.yx * x + turn.yy * y + (turn.yx + turn.yy < 0 ? height - 1 : 0);
          for (std::int64_t c = 0; c < channels; ++c) {
            copy[static_cast<std::size_t>((to_y * width + to_x) * channels + c)] =
                stored[static_cast<std::size_t>((y * kWidth + x) * channels + c)];
          }
        }
      }
      const auto how = plan_mouth_crops(faces_of({face_seen_as(0.7, 0.2, 5, -30)}), 1).at(0);
      std::vector<std::uint8_t> crop(static_cast<std::size_t>(96 * 96 * channels));
      crop_mouth(shown(view, turn), how, crop);
      EXPECT_EQ(crop, crop_of(copy, height, width, how, channels)) << turn.text();
    }
  }
}

TEST(MouthCrop, WindowsStayWithinTheFrame) {
  const auto window = [](double y, double x) {
    const auto found = crop_window({.x = x, .y = y});
    return std::pair(found.row, found.column);
  };
  EXPECT_EQ(window(128, 128), std::pair(80, 80));
  EXPECT_EQ(window(-5, 300), std::pair(0, 160));
  EXPECT_EQ(window(157.5, 158.5), std::pair(110, 110));  // half to even
}

}  // namespace
}  // namespace raven::corpus

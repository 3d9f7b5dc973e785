#include "faces/grey_picture.h"

#include <gtest/gtest.h>

namespace raven::faces {
namespace {

using Pixels = std::vector<std::uint8_t>;

GreyView view(const Pixels& pixels, std::int64_t width) {
  return {.pixels = pixels.data(),
          .height = std::ssize(pixels) / width,
          .width = width,
          .stride = width};
}

TEST(GreyPicture, DivisorsBringTheLongerSideDown) {
  EXPECT_EQ(divisor_for(360, 640, 640), 1);
  EXPECT_EQ(divisor_for(641, 100, 640), 2);
  EXPECT_EQ(divisor_for(2160, 3840, 1280), 3);
}

TEST(GreyPicture, ShrinksToMeansAndDropsWhatIsLeftOver) {
  const Pixels pixels = {0, 10, 20, 30, 99, 2, 6, 30, 44, 99, 99, 99, 99, 99, 99};
  const auto small = shrunk(view(pixels, 5), 2);
  EXPECT_EQ(small.width, 2);
  EXPECT_EQ(small.height, 1);
  EXPECT_EQ(small.pixels, (Pixels{5, 31}));
}

TEST(GreyPicture, ReadsATurnedPictureInItsOrder) {
  const Pixels pixels = {1, 2, 3, 4, 5, 6};  // 2 x 3, shown from the last pixel to the first
  const corpus::ImageView turned{
      .pixels = &pixels[5], .height = 2, .width = 3, .stride = -3, .pixel_step = -1};
  EXPECT_EQ(shrunk(turned, 1).pixels, (Pixels{6, 5, 4, 3, 2, 1}));
}

TEST(GreyPicture, DoublesLinearly) {
  const Pixels pixels = {0, 100};
  const auto large = doubled(view(pixels, 2));
  EXPECT_EQ(large.width, 4);
  EXPECT_EQ(large.height, 2);
  EXPECT_EQ(large.pixels, (Pixels{0, 25, 75, 100, 0, 25, 75, 100}));
}

TEST(GreyPicture, CutsASquareOut) {
  Pixels pixels;
  for (int y = 0; y < 8; ++y) {
    for (int x = 0; x < 8; ++x) pixels.push_back(static_cast<std::uint8_t>(10 * y + x));
  }
  const auto same = cut_out(view(pixels, 8), {.left = 2, .top = 3, .side = 2}, 2);
  EXPECT_EQ(same.pixels, (Pixels{32, 33, 42, 43}));
  const auto half = cut_out(view(pixels, 8), {.left = 0, .top = 0, .side = 4}, 2);
  EXPECT_EQ(half.pixels, (Pixels{6, 8, 26, 28}));  // means of 2 x 2, 5.5 and so on, rounded up
  const auto beyond = cut_out(view(pixels, 8), {.left = 7, .top = -1, .side = 2}, 2);
  EXPECT_EQ(beyond.pixels, (Pixels{7, 7, 7, 7}));  // the border repeated
}

}  // namespace
}  // namespace raven::faces

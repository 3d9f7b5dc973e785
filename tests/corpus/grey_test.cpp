#include "raven/corpus/grey.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace raven::corpus {
namespace {

TEST(Grey, HasNames) {
  for (const auto grey : {Grey::kLuma, Grey::kPublished, Grey::kColour})
    EXPECT_EQ(grey_of(name_of(grey)), grey);
  EXPECT_EQ(name_of(Grey::kPublished), "published");
  EXPECT_EQ(grey_of("Luma"), std::nullopt);
}

TEST(Grey, OfAPixelIsThePublishedWeightsRounded) {
  const std::vector<std::uint8_t> rgb = {0, 0, 0,   255, 255, 255, 255, 0, 0,   0,  255, 0,
                                         0, 0, 255, 255, 0,   20,  100, 0, 100, 50, 0,   5};
  // 0; 254.9745; 76.2195; 149.685; 29.07; 78.4995 (78.525 by weights that sum to 1); 41.29; 15.515
  const std::vector<std::uint8_t> expected = {0, 255, 76, 150, 29, 78, 41, 16};
  std::vector<std::uint8_t> grey(expected.size());
  published_grey(rgb, grey);
  EXPECT_EQ(grey, expected);
}

TEST(Grey, LevelsAreNotRounded) {
  // The published transform takes 0.2989 R + 0.587 G + 0.114 B for it, and 0.9999 x for grey x.
  const std::array<std::uint8_t, 3> colour = {255, 0, 20};
  EXPECT_NEAR(0.9999 * static_cast<double>(grey_level(colour.data())), 78.4995, 1e-5);
  for (int x = 0; x < 256; ++x) {
    const std::array<std::uint8_t, 3> grey = {
        static_cast<std::uint8_t>(x), static_cast<std::uint8_t>(x), static_cast<std::uint8_t>(x)};
    EXPECT_EQ(grey_level(grey.data()), static_cast<float>(x));
  }
}

}  // namespace
}  // namespace raven::corpus

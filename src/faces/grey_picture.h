// Grey pictures of the sizes that detection wants.
#pragma once

#include <cstdint>
#include <vector>

#include "raven/corpus/mouth_crop.h"
#include "raven/faces/landmark_model.h"

namespace raven::faces {

struct GreyPicture {
  std::int64_t height = 0, width = 0;
  std::vector<std::uint8_t> pixels;

  [[nodiscard]] GreyView view() const {
    return {.pixels = pixels.data(), .height = height, .width = width, .stride = width};
  }
};

/// The smallest whole divisor that brings the longer side to `most` pixels.
std::int64_t divisor_for(std::int64_t height, std::int64_t width, std::int64_t most);

/// Each pixel is the mean of `divisor` x `divisor`; what is left over at the right and below is
/// dropped.
GreyPicture shrunk(const corpus::ImageView& picture, std::int64_t divisor);
GreyPicture shrunk(const GreyView& picture, std::int64_t divisor);

/// Twice the height and width, linearly between pixels.
GreyPicture doubled(const GreyView& picture);

/// A square part of a picture: its left and upper edge, and its side.
struct Square {
  double left = 0, top = 0, side = 0;
};

/// The square as `size` x `size` pixels, means where it is shrunk, linearly between pixels where it
/// is not; the picture's border is repeated outside.
GreyPicture cut_out(const GreyView& picture, const Square& square, std::int64_t size);

}  // namespace raven::faces

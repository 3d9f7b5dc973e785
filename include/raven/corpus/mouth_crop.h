// The published mouth crop: landmarks smoothed over time, a similarity to the mean face that
// outliers do not move, a warp in OpenCV 4.5's fixed point, and a 96 x 96 window around the mouth.
// The method is described in docs/method.md, section 7.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "raven/corpus/faces.h"
#include "raven/media/turn.h"

namespace raven::corpus {

inline constexpr int kCropSize = 96;

/// (x, y) -> (cos_part x - sin_part y + shift_x, sin_part x + cos_part y + shift_y).
struct Similarity {
  double cos_part = 1, sin_part = 0, shift_x = 0, shift_y = 0;

  [[nodiscard]] Point operator()(const Point& point) const {
    return {cos_part * point.x - sin_part * point.y + shift_x,
            sin_part * point.x + cos_part * point.y + shift_y};
  }
};

/// First row and column of the window within the mean face's 256 x 256 frame.
struct CropWindow {
  int row = 0, column = 0;
};

/// How one frame is cut.
struct MouthCrop {
  Similarity to_mean_face;
  Point mouth_centre;  // in the mean face's frame, before it is clamped
  CropWindow window;
  int points_used = 0;  // of the eight stable ones: those that the estimate takes for inliers
};

/// The window whose centre is nearest to `mouth_centre` and lies within the frame; rounds half to
/// even.
CropWindow crop_window(const Point& mouth_centre);

/// Crops of the first `num_frames` frames; there may be more faces, and all of them take part in
/// the smoothing. Throws DataError ("landmarks") naming the frame whose points lie in one spot or
/// give a scale beyond reason.
std::vector<MouthCrop> plan_mouth_crops(const Faces& faces, std::int64_t num_frames);

/// Rows of `width` pixels of `channels` bytes each, `stride` bytes apart; pixels of a row lie
/// `pixel_step` bytes apart, 0: next to each other. Both may be negative.
struct ImageView {
  const std::uint8_t* pixels = nullptr;
  std::int64_t height = 0, width = 0, channels = 1, stride = 0, pixel_step = 0;

  [[nodiscard]] std::int64_t step() const { return pixel_step == 0 ? channels : pixel_step; }
};

/// The same pixels as a player shows them; nothing is copied.
ImageView shown(const ImageView& stored, const media::Turn& turn);

/// Fills `crop`, 96 x 96 x channels bytes. Pixels outside the image count as black.
void crop_mouth(const ImageView& image, const MouthCrop& how, std::span<std::uint8_t> crop);

}  // namespace raven::corpus

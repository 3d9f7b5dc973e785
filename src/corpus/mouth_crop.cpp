#include "raven/corpus/mouth_crop.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <utility>

#include "raven/core/error.h"

// This file is compiled without fused multiply-add: crops are the same bytes on every machine.

namespace raven::corpus {
namespace {

constexpr std::int64_t kSmoothing = 6;  // frames on either side
constexpr std::size_t kNumStable = kStablePoints.size();

using StablePoints = std::array<Point, kNumStable>;

/// Position in kStablePoints of the pairs that the estimator tries. OpenCV draws them at random,
/// but from a generator that starts from the same state in every call.
constexpr std::array<std::pair<std::size_t, std::size_t>, 13> kTriedPairs = {{{5, 4},
                                                                              {4, 5},
                                                                              {7, 0},
                                                                              {5, 0},
                                                                              {5, 6},
                                                                              {1, 2},
                                                                              {2, 1},
                                                                              {2, 7},
                                                                              {6, 0},
                                                                              {6, 0},
                                                                              {0, 3},
                                                                              {3, 0},
                                                                              {1, 0}}};

template <class Range>
Point mean_of(const Range& points, std::size_t first = 0) {
  Point sum;
  for (auto i = first; i < points.size(); ++i) {
    sum.x += points[i].x;
    sum.y += points[i].y;
  }
  const auto count = static_cast<double>(points.size() - first);
  return {sum.x / count, sum.y / count};
}

/// Faces around a frame, each made once.
class FaceWindow {
 public:
  explicit FaceWindow(const Faces& faces) : faces_(faces) {}

  /// `frame` may be at most kSmoothing before the latest that was asked for.
  const FacePoints& at(std::int64_t frame) {
    for (; num_made_ <= frame; ++num_made_) slot(num_made_) = faces_.at(num_made_);
    return slot(frame);
  }

 private:
  FacePoints& slot(std::int64_t frame) {
    return ring_[static_cast<std::size_t>(frame) % ring_.size()];
  }

  const Faces& faces_;
  std::int64_t num_made_ = 0;
  std::array<FacePoints, 2 * kSmoothing + 1> ring_{};
};

/// Mean over a window that shrinks at the clip's ends so that `frame` stays in its middle. Only the
/// shape is smoothed: the mean's centre is moved back to the frame's own.
FacePoints smoothed_face(FaceWindow& faces, std::int64_t frame, std::int64_t last) {
  const auto reach = std::min({kSmoothing, frame, last - frame});
  const auto count = static_cast<double>(2 * reach + 1);
  FacePoints face{};
  for (auto i = frame - reach; i <= frame + reach; ++i) {
    const auto& other = faces.at(i);
    for (std::size_t p = 0; p < face.size(); ++p) {
      face[p].x += other[p].x;
      face[p].y += other[p].y;
    }
  }
  for (auto& point : face) point = {point.x / count, point.y / count};
  const auto wanted = mean_of(faces.at(frame));
  const auto found = mean_of(face);
  for (auto& point : face) {
    point.x += wanted.x - found.x;
    point.y += wanted.y - found.y;
  }
  return face;
}

/// The stable points, rounded to float as the estimator takes them.
StablePoints stable_points(const FacePoints& face) {
  StablePoints points;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const auto& point = face[kStablePoints[i]];
    points[i] = {static_cast<float>(point.x), static_cast<float>(point.y)};
  }
  return points;
}

/// Least-squares similarity from the chosen points of `from` to those of `to`; exact for two of
/// them. Empty when the chosen points of `from` lie in one spot.
std::optional<Similarity> fit_similarity(const StablePoints& from, const StablePoints& to,
                                         const std::array<bool, kNumStable>& chosen) {
  std::vector<Point> chosen_from, chosen_to;
  for (std::size_t i = 0; i < kNumStable; ++i) {
    if (!chosen[i]) continue;
    chosen_from.push_back(from[i]);
    chosen_to.push_back(to[i]);
  }
  const auto from_mean = mean_of(chosen_from), to_mean = mean_of(chosen_to);
  double dot = 0, cross = 0, spread = 0;
  for (std::size_t i = 0; i < chosen_from.size(); ++i) {
    const Point u{chosen_from[i].x - from_mean.x, chosen_from[i].y - from_mean.y};
    const Point v{chosen_to[i].x - to_mean.x, chosen_to[i].y - to_mean.y};
    dot += u.x * v.x + u.y * v.y;
    cross += u.x * v.y - u.y * v.x;
    spread += u.x * u.x + u.y * u.y;
  }
  if (!(spread > 0)) return std::nullopt;
  Similarity fit{.cos_part = dot / spread, .sin_part = cross / spread};
  const auto turned = fit(from_mean);
  fit.shift_x = to_mean.x - turned.x;
  fit.shift_y = to_mean.y - turned.y;
  return fit;
}

/// Squared distances in float arithmetic, as the estimator measures them.
std::array<float, kNumStable> squared_residuals(const StablePoints& from, const StablePoints& to,
                                                const Similarity& fit) {
  const auto c = static_cast<float>(fit.cos_part), s = static_cast<float>(fit.sin_part);
  const auto shift_x = static_cast<float>(fit.shift_x), shift_y = static_cast<float>(fit.shift_y);
  std::array<float, kNumStable> residuals{};
  for (std::size_t i = 0; i < kNumStable; ++i) {
    const auto x = static_cast<float>(from[i].x), y = static_cast<float>(from[i].y);
    const auto dx = c * x - s * y + shift_x - static_cast<float>(to[i].x);
    const auto dy = s * x + c * y + shift_y - static_cast<float>(to[i].y);
    residuals[i] = dx * dx + dy * dy;
  }
  return residuals;
}

struct Estimate {
  Similarity fit;
  int points_used = 0;
};

/// Least median of squares over the tried pairs, then least squares over the points that agree with
/// the best pair (Rousseeuw, 1984, with the constants of OpenCV's estimator).
std::optional<Estimate> estimate_similarity(const StablePoints& from, const StablePoints& to) {
  std::optional<float> least_median;
  std::array<float, kNumStable> residuals{};  // of the best pair
  for (const auto& [first, second] : kTriedPairs) {
    std::array<bool, kNumStable> chosen{};
    chosen[first] = chosen[second] = true;
    const auto fit = fit_similarity(from, to, chosen);
    if (!fit) continue;
    const auto candidate = squared_residuals(from, to, *fit);
    auto sorted = candidate;
    std::sort(sorted.begin(), sorted.end());
    const auto median = sorted[kNumStable / 2];
    if (least_median && median >= *least_median) continue;
    least_median = median;
    residuals = candidate;
  }
  if (!least_median) return std::nullopt;
  const auto deviation = std::max(0.001, 2.5 * 1.4826 * (1 + 5.0 / (kNumStable - 2)) *
                                             std::sqrt(static_cast<double>(*least_median)));
  const auto largest = static_cast<float>(deviation * deviation);
  std::array<bool, kNumStable> agrees{};
  std::transform(residuals.begin(), residuals.end(), agrees.begin(),
                 [largest](float residual) { return residual <= largest; });
  const auto fit = fit_similarity(from, to, agrees);
  if (!fit) return std::nullopt;
  return Estimate{*fit, static_cast<int>(std::count(agrees.begin(), agrees.end(), true))};
}

/// An affine map in 1/1024 pixel, from pixels of the mean face's frame to those of the image.
class FixedPointInverse {
 public:
  explicit FixedPointInverse(const Similarity& to_mean_face) {
    const auto& m = to_mean_face;
    const auto scale = 1.0 / (m.cos_part * m.cos_part + m.sin_part * m.sin_part);
    a_ = m.cos_part * scale;
    b_ = m.sin_part * scale;
    shift_x_ = -a_ * m.shift_x - b_ * m.shift_y;
    shift_y_ = b_ * m.shift_x - a_ * m.shift_y;
  }

  // The two addends of a position are rounded on their own; kHalf makes the sum's shift to 1/32
  // round.
  [[nodiscard]] std::int64_t x_of_row(int y) const { return rounded(b_ * y + shift_x_) + kHalf; }
  [[nodiscard]] std::int64_t y_of_row(int y) const { return rounded(a_ * y + shift_y_) + kHalf; }
  [[nodiscard]] std::int64_t x_of_column(int x) const { return rounded(a_ * x); }
  [[nodiscard]] std::int64_t y_of_column(int x) const { return rounded(-b_ * x); }

 private:
  static constexpr std::int64_t kHalf = 16;
  static std::int64_t rounded(double pixels) { return std::llrint(1024 * pixels); }  // half to even

  double a_, b_, shift_x_, shift_y_;
};

constexpr int kFractionBits = 5;  // positions are multiples of 1/32 pixel

/// One pixel whose four neighbours may lie outside the image.
void blend_at_border(const ImageView& image, std::int64_t x, std::int64_t y, int fx, int fy,
                     std::uint8_t* out) {
  const auto pixel = [&](std::int64_t px, std::int64_t py, std::int64_t channel) -> int {
    const bool inside = px >= 0 && px < image.width && py >= 0 && py < image.height;
    return inside ? image.pixels[py * image.stride + px * image.step() + channel] : 0;
  };
  for (std::int64_t c = 0; c < image.channels; ++c) {
    const int upper = (32 - fx) * pixel(x, y, c) + fx * pixel(x + 1, y, c);
    const int lower = (32 - fx) * pixel(x, y + 1, c) + fx * pixel(x + 1, y + 1, c);
    out[c] = static_cast<std::uint8_t>(((32 - fy) * upper + fy * lower + 512) >> 10);
  }
}

/// One pixel whose four neighbours lie inside. `step` is the distance of columns, `stride` of rows.
template <int kChannels>
void blend_inside(const std::uint8_t* upper_left, std::int64_t step, std::int64_t stride, int fx,
                  int fy, std::uint8_t* out) {
  const auto* lower_left = upper_left + stride;
  for (int c = 0; c < kChannels; ++c) {
    const int upper = (32 - fx) * upper_left[c] + fx * upper_left[c + step];
    const int lower = (32 - fx) * lower_left[c] + fx * lower_left[c + step];
    out[c] = static_cast<std::uint8_t>(((32 - fy) * upper + fy * lower + 512) >> 10);
  }
}

/// kTurned: the columns of the image are not next to each other.
template <int kChannels, bool kTurned>
void warp_window(const ImageView& image, const MouthCrop& how, std::uint8_t* out) {
  const FixedPointInverse from_mean_face(how.to_mean_face);
  std::array<std::int64_t, kCropSize> column_x{}, column_y{};
  for (int i = 0; i < kCropSize; ++i) {
    const auto index = static_cast<std::size_t>(i);
    column_x[index] = from_mean_face.x_of_column(how.window.column + i);
    column_y[index] = from_mean_face.y_of_column(how.window.column + i);
  }
  const std::int64_t step = kTurned ? image.step() : kChannels;
  for (int row = 0; row < kCropSize; ++row) {
    const auto row_x = from_mean_face.x_of_row(how.window.row + row);
    const auto row_y = from_mean_face.y_of_row(how.window.row + row);
    for (std::size_t i = 0; i < kCropSize; ++i, out += kChannels) {
      const auto fixed_x = (row_x + column_x[i]) >> kFractionBits;
      const auto fixed_y = (row_y + column_y[i]) >> kFractionBits;
      const auto x = fixed_x >> kFractionBits, y = fixed_y >> kFractionBits;
      const auto fx = static_cast<int>(fixed_x & 31), fy = static_cast<int>(fixed_y & 31);
      if (x >= 0 && x + 1 < image.width && y >= 0 && y + 1 < image.height) {
        blend_inside<kChannels>(image.pixels + y * image.stride + x * step, step, image.stride, fx,
                                fy, out);
      } else {
        blend_at_border(image, x, y, fx, fy, out);
      }
    }
  }
}

int first_of_window(double centre) {
  constexpr double kHalf = kCropSize / 2.0;
  return static_cast<int>(std::nearbyint(std::clamp(centre, kHalf, kMeanFaceSize - kHalf)) - kHalf);
}

}  // namespace

CropWindow crop_window(const Point& mouth_centre) {
  return {.row = first_of_window(mouth_centre.y), .column = first_of_window(mouth_centre.x)};
}

std::vector<MouthCrop> plan_mouth_crops(const Faces& faces, std::int64_t num_frames) {
  RAVEN_CHECK(num_frames <= faces.count, "{} frames, landmarks of {}", num_frames, faces.count);
  static const auto target = stable_points(mean_face());
  std::vector<MouthCrop> crops;
  crops.reserve(static_cast<std::size_t>(num_frames));
  FaceWindow window(faces);
  for (std::int64_t frame = 0; frame < num_frames; ++frame) {
    auto face = smoothed_face(window, frame, faces.count - 1);
    const auto estimate = estimate_similarity(stable_points(face), target);
    // Faces of a ten-thousandth or thousand times the mean face's size are not faces; nor could
    // they be warped.
    const auto scale = estimate ? std::hypot(estimate->fit.cos_part, estimate->fit.sin_part) : 0;
    if (!(scale > 1e-3 && scale < 1e4)) {
      throw DataError(
          fmt::format("frame {}: the landmarks lie in one spot or are not a face", frame),
          "landmarks");
    }
    for (auto& point : face) point = estimate->fit(point);
    const auto centre = mean_of(face, kFirstMouthPoint);
    crops.push_back({.to_mean_face = estimate->fit,
                     .mouth_centre = centre,
                     .window = crop_window(centre),
                     .points_used = estimate->points_used});
  }
  return crops;
}

void crop_mouth(const ImageView& image, const MouthCrop& how, std::span<std::uint8_t> crop) {
  RAVEN_CHECK(image.channels == 1 || image.channels == 3, "{} channels", image.channels);
  RAVEN_CHECK(crop.size() == static_cast<std::size_t>(kCropSize * kCropSize * image.channels),
              "a crop of {} bytes", crop.size());
  const bool turned = image.step() != image.channels;
  if (image.channels == 1) {
    turned ? warp_window<1, true>(image, how, crop.data())
           : warp_window<1, false>(image, how, crop.data());
  } else {
    turned ? warp_window<3, true>(image, how, crop.data())
           : warp_window<3, false>(image, how, crop.data());
  }
}

ImageView shown(const ImageView& stored, const media::Turn& turn) {
  auto view = stored;
  if (turn.swaps_sides()) std::swap(view.width, view.height);
  // The stored pixel that is shown at (0, 0): columns and rows that run backwards begin at the end.
  const auto first = [](int steps, std::int64_t pixels) { return steps < 0 ? pixels - 1 : 0; };
  view.pixels += first(turn.xx + turn.yx, stored.width) * stored.step() +
                 first(turn.xy + turn.yy, stored.height) * stored.stride;
  view.pixel_step = turn.xx * stored.step() + turn.xy * stored.stride;
  view.stride = turn.yx * stored.step() + turn.yy * stored.stride;
  return view;
}

}  // namespace raven::corpus

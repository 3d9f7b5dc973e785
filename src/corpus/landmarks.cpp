#include "raven/corpus/landmarks.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "raven/core/error.h"
#include "raven/corpus/npy.h"

namespace raven::corpus {
namespace {

constexpr double kFarthest = 1e5;  // pixels; beyond any frame that is decoded

bool is_missing(const FacePoints& face) {
  return std::any_of(face.begin(), face.end(),
                     [](const Point& point) { return std::isnan(point.x) || std::isnan(point.y); });
}

/// `from` moved towards `to` by `share` of the way.
FacePoints between(const FacePoints& from, const FacePoints& to, double share) {
  FacePoints face;
  for (std::size_t i = 0; i < face.size(); ++i) {
    face[i] = {from[i].x + share * (to[i].x - from[i].x),
               from[i].y + share * (to[i].y - from[i].y)};
  }
  return face;
}

std::vector<FacePoints> split_into_faces(const std::vector<double>& values) {
  std::vector<FacePoints> frames(values.size() / (2 * kNumFacePoints));
  auto value = values.begin();
  for (auto& face : frames) {
    for (auto& point : face) {
      point.x = *value++;
      point.y = *value++;
    }
  }
  return frames;
}

void check_points(const std::vector<FacePoints>& frames, const std::string& name) {
  for (std::size_t frame = 0; frame < frames.size(); ++frame) {
    for (std::size_t i = 0; i < kNumFacePoints; ++i) {
      const auto& point = frames[frame][i];
      if (std::fabs(point.x) > kFarthest || std::fabs(point.y) > kFarthest) {  // false for NaN
        throw DataError(
            fmt::format("{}: frame {}, point {} is ({:g}, {:g}), expected pixels of the frame; "
                        "use NaN where no face was found",
                        name, frame, i, point.x, point.y),
            "landmarks");
      }
    }
  }
}

/// Of points [begin, end).
Point mean_between(const FacePoints& face, std::size_t begin, std::size_t end) {
  Point sum{0, 0};
  for (std::size_t i = begin; i < end; ++i) sum.x += face[i].x, sum.y += face[i].y;
  const auto count = static_cast<double>(end - begin);
  return {sum.x / count, sum.y / count};
}

}  // namespace

std::int64_t fill_missing(std::vector<FacePoints>& frames) {
  std::int64_t filled = 0;
  std::optional<std::size_t> last;  // detection before `next`
  for (std::size_t next = 0; next <= frames.size(); ++next) {
    const bool at_end = next == frames.size();
    if (!at_end && is_missing(frames[next])) continue;
    if (at_end && !last) return 0;
    for (auto i = last ? *last + 1 : 0; i < next; ++i, ++filled) {
      if (at_end) {
        frames[i] = frames[*last];
      } else if (!last) {
        frames[i] = frames[next];
      } else {
        const auto share = static_cast<double>(i - *last) / static_cast<double>(next - *last);
        frames[i] = between(frames[*last], frames[next], share);
      }
    }
    last = next;
  }
  return filled;
}

Landmarks read_landmarks(std::span<const std::byte> npy, const std::string& name) {
  const auto array = parse_npy(npy, name);
  if (array.shape.size() != 3 || array.shape[1] != kNumFacePoints || array.shape[2] != 2) {
    std::string shape;
    for (const auto size : array.shape) shape += (shape.empty() ? "" : ", ") + std::to_string(size);
    throw DataError(fmt::format("{}: its shape is ({}), expected (frames, 68, 2)", name, shape),
                    "landmarks");
  }
  Landmarks landmarks{.frames = split_into_faces(npy_as_doubles(array, name))};
  check_points(landmarks.frames, name);
  if (std::all_of(landmarks.frames.begin(), landmarks.frames.end(), is_missing)) {
    throw DataError(fmt::format("{}: no frame has a face", name), "no-face");
  }
  landmarks.num_interpolated = fill_missing(landmarks.frames);
  return landmarks;
}

std::string problem_with_faces(const std::vector<FacePoints>& frames, std::int64_t width,
                               std::int64_t height) {
  constexpr double kFewPixels = 8;
  const auto most = [&](auto holds) {
    return 2 * std::ranges::count_if(frames, holds) > std::ssize(frames);
  };
  const auto spans_little = [](const FacePoints& face) {
    const auto [left, right] = std::ranges::minmax(face, {}, &Point::x);
    const auto [top, bottom] = std::ranges::minmax(face, {}, &Point::y);
    return right.x - left.x < kFewPixels && bottom.y - top.y < kFewPixels;
  };
  if (most(spans_little)) {
    return fmt::format(
        "the points of a face span less than {} pixels; pixels of the video are expected, not "
        "shares of its width and height",
        kFewPixels);
  }
  const double w = static_cast<double>(width), h = static_cast<double>(height);
  const auto lies_outside = [&](const FacePoints& face) {  // further than half a picture
    return 2 * std::ranges::count_if(face,
                                     [&](const Point& point) {
                                       return point.x < -w / 2 || point.x > 1.5 * w ||
                                              point.y < -h / 2 || point.y > 1.5 * h;
                                     }) >
           std::ssize(face);
  };
  if (most(lies_outside)) {
    return fmt::format(
        "the faces lie outside the picture of {} x {} pixels; were they made from "
        "this file, at this size?",
        width, height);
  }
  const auto is_mirrored = [](const FacePoints& face) {
    const auto right_eye = mean_between(face, 36, 42), left_eye = mean_between(face, 42, 48),
               mouth = mean_between(face, kFirstMouthPoint, kNumFacePoints);
    const Point across{left_eye.x - right_eye.x, left_eye.y - right_eye.y};
    const Point down{mouth.x - (left_eye.x + right_eye.x) / 2,
                     mouth.y - (left_eye.y + right_eye.y) / 2};
    return across.x * down.y - across.y * down.x < 0;
  };
  if (most(is_mirrored)) {
    return "the faces are mirrored: are x and y exchanged, or left and right?";
  }
  return "";
}

}  // namespace raven::corpus

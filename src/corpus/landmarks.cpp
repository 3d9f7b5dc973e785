#include "raven/corpus/landmarks.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <optional>
#include <utility>

#include "raven/core/error.h"
#include "raven/corpus/npy.h"

namespace raven::corpus {
namespace {

constexpr double kFarthest = 1e5;     // pixels; beyond any frame that is decoded
constexpr double kOneSpot = 0.01;     // pixels; the smallest face in shares of a picture is larger
constexpr double kFewPixels = 8;      // width or height of the points of a face
constexpr double kResemblance = 0.5;  // of -1 .. 1; profiles have 0.7, random points 0.2
constexpr std::size_t kFirstInnerPoint = 17;  // after the jaw
constexpr std::size_t kNumCoordinates = 2 * kNumFacePoints;

constexpr std::array<std::pair<std::string_view, LandmarkPicture>, 3> kLandmarkPictures = {
    {{"auto", LandmarkPicture::kAuto},
     {"stored", LandmarkPicture::kStored},
     {"displayed", LandmarkPicture::kDisplayed}}};

struct NpyFile {
  NpyFile(std::string content, const std::string& name)
      : bytes(std::move(content)),
        array(parse_npy(std::as_bytes(std::span(bytes)), name)),
        numbers(array, name) {}

  std::string bytes;
  NpyView array;
  NpyNumbers numbers;
};

/// Of points [begin, end).
Point mean_between(const FacePoints& face, std::size_t begin, std::size_t end) {
  Point sum{0, 0};
  for (std::size_t i = begin; i < end; ++i) sum.x += face[i].x, sum.y += face[i].y;
  const auto count = static_cast<double>(end - begin);
  return {sum.x / count, sum.y / count};
}

Point mouth_of(const FacePoints& face) {
  return mean_between(face, kFirstMouthPoint, kNumFacePoints);
}

/// From the middle between the eyes to the mouth, and from the right eye (which is on the left of
/// the picture) to the left one.
struct Axes {
  Point down, across;
};

Axes axes_of(const FacePoints& face) {
  const auto right_eye = mean_between(face, 36, 42), left_eye = mean_between(face, 42, 48);
  const auto mouth = mouth_of(face);
  return {
      .down = {mouth.x - (left_eye.x + right_eye.x) / 2, mouth.y - (left_eye.y + right_eye.y) / 2},
      .across = {left_eye.x - right_eye.x, left_eye.y - right_eye.y}};
}

bool is_upright(const FacePoints& face) {
  const auto down = axes_of(face).down;
  return down.y > std::fabs(down.x);
}

bool is_mirrored(const FacePoints& face) {
  const auto [down, across] = axes_of(face);
  return across.x * down.y - across.y * down.x < 0;
}

/// The larger of the points' width and height.
double extent_of(const FacePoints& face) {
  const auto [left, right] = std::ranges::minmax(face, {}, &Point::x);
  const auto [top, bottom] = std::ranges::minmax(face, {}, &Point::y);
  return std::max(right.x - left.x, bottom.y - top.y);
}

/// Correlation of the points but the jaw's with the mean face's, turned and scaled to fit best.
double resemblance(const FacePoints& face) {
  static const auto mean = mean_between(mean_face(), kFirstInnerPoint, kNumFacePoints);
  const auto centre = mean_between(face, kFirstInnerPoint, kNumFacePoints);
  double dot = 0, cross = 0, spread = 0, mean_spread = 0;
  for (auto i = kFirstInnerPoint; i < kNumFacePoints; ++i) {
    const Point u{face[i].x - centre.x, face[i].y - centre.y};
    const Point v{mean_face()[i].x - mean.x, mean_face()[i].y - mean.y};
    dot += u.x * v.x + u.y * v.y;
    cross += u.x * v.y - u.y * v.x;
    spread += u.x * u.x + u.y * u.y;
    mean_spread += v.x * v.x + v.y * v.y;
  }
  return std::hypot(dot, cross) / std::sqrt(spread * mean_spread);
}

bool is_inside(const Point& point, const PictureSize& picture) {
  return point.x >= 0 && point.x <= static_cast<double>(picture.width) && point.y >= 0 &&
         point.y <= static_cast<double>(picture.height);
}

/// Most points are further out than half a picture.
bool lies_outside(const FacePoints& face, const PictureSize& picture) {
  const auto w = static_cast<double>(picture.width), h = static_cast<double>(picture.height);
  const auto is_far = [&](const Point& p) {
    return p.x < -w / 2 || p.x > 1.5 * w || p.y < -h / 2 || p.y > 1.5 * h;
  };
  return 2 * std::ranges::count_if(face, is_far) > std::ssize(face);
}

PictureSize shown_size(const PictureSize& stored, const media::Turn& turn) {
  if (turn.swaps_sides()) return {.width = stored.height, .height = stored.width};
  return stored;
}

/// All points as they are shown.
Faces turned_faces(const Faces& faces, const PictureSize& stored, const media::Turn& turn) {
  return {.count = faces.count, .at = [=](std::int64_t frame) {
            auto face = faces.at(frame);
            for (auto& point : face) point = shown_at(point, stored, turn);
            return face;
          }};
}

class Fitting {
 public:
  Fitting(const Faces& faces, const PictureSize& stored, const media::Turn& turn,
          const std::string& name)
      : faces_(faces), stored_(stored), turn_(turn), name_(name) {
    std::ptrdiff_t small = 0;
    for (std::int64_t frame = 0; frame < faces.count; ++frame) {
      const auto face = faces.at(frame);
      if (is_missing(face)) continue;
      present_.push_back(frame);
      small += extent_of(face) < kFewPixels ? 1 : 0;
    }
    refuse_few(present_, "");
    if (2 * small > std::ssize(present_)) {
      refuse(
          fmt::format("the points of a face span less than {} pixels; pixels of the video are "
                      "expected, not shares of its width and height",
                      kFewPixels));
    }
  }

  FittedFaces fit(LandmarkPicture picture) {
    if (turn_.is_none()) return fitted(faces_, stored_, false);
    if (picture == LandmarkPicture::kAuto) picture = decide();
    if (picture == LandmarkPicture::kDisplayed) {
      auto displayed = fitted(faces_, shown_size(stored_, turn_), true);
      displayed.picture = picture;
      return displayed;
    }
    // Points that were mirrored with the picture are a face only where they are mirrored back.
    const auto shown = turned_faces(faces_, stored_, turn_);
    if (turn_.mirrors() && most(faces_, is_mirrored))
      return fitted(shown, shown_size(stored_, turn_), true);
    return fitted(faces_, stored_, false);
  }

 private:
  /// Of the frames that have points.
  template <class Holds>
  [[nodiscard]] bool most(const Faces& faces, Holds holds) const {
    return 2 * std::ranges::count_if(present_,
                                     [&](std::int64_t frame) { return holds(faces.at(frame)); }) >
           std::ssize(present_);
  }

  /// As they are shown, most faces are upright and lie in the picture.
  [[nodiscard]] bool fits(const Faces& shown) const {
    const auto size = shown_size(stored_, turn_);
    return most(shown, [&](const FacePoints& face) {
      return is_upright(face) && is_inside(mouth_of(face), size);
    });
  }

  [[nodiscard]] LandmarkPicture decide() const {
    const auto size = shown_size(stored_, turn_);
    const auto if_stored = turned_faces(faces_, stored_, turn_);
    const bool fit_stored = fits(if_stored), fit_displayed = fits(faces_);
    if (fit_stored && fit_displayed) {  // the turn is a mirror and nothing else
      if (most(faces_, is_mirrored)) return LandmarkPicture::kStored;
      const auto is_same_place = [&](const FacePoints& face) {
        const auto here = mouth_of(face), there = shown_at(here, stored_, turn_);
        return std::hypot(here.x - there.x, here.y - there.y) < extent_of(face) / 10;
      };
      if (most(faces_, is_same_place)) return LandmarkPicture::kDisplayed;
      refuse_rotation("the points fit the picture as it is stored and as it is displayed");
    }
    if (fit_stored) return LandmarkPicture::kStored;
    if (fit_displayed) return LandmarkPicture::kDisplayed;
    const auto far_out = [&](const FacePoints& face) {
      return lies_outside(face, size) && lies_outside(face, stored_);
    };
    if (most(faces_, far_out)) refuse(outside(size));
    refuse_rotation(fmt::format(
        "most faces are upright neither as points of the stored picture of {} x {} nor of the "
        "displayed one of {} x {}",
        stored_.width, stored_.height, size.width, size.height));
  }

  FittedFaces fitted(const Faces& faces, const PictureSize& picture, bool turned) const {
    FittedFaces fitted{.faces = faces, .detected = {}, .turned = turned};
    std::ptrdiff_t num_outside = 0, num_mirrored = 0;
    for (const auto frame : present_) {
      const auto face = faces.at(frame);
      num_outside += lies_outside(face, picture) ? 1 : 0;
      num_mirrored += is_mirrored(face) ? 1 : 0;
      if (is_face(face, picture)) fitted.detected.push_back(frame);
    }
    if (2 * num_outside > std::ssize(present_)) refuse(outside(picture));
    if (2 * num_mirrored > std::ssize(present_))
      refuse("the faces are mirrored: are x and y exchanged, or left and right?");
    refuse_few(fitted.detected, fmt::format(" whose mouth lies in the picture of {} x {} pixels",
                                            picture.width, picture.height));
    return fitted;
  }

  void refuse_few(const std::vector<std::int64_t>& detected, const std::string& which) const {
    const auto missing = faces_.count - std::ssize(detected);
    if (2 * missing <= faces_.count) return;
    throw DataError(missing == faces_.count ? fmt::format("{}: no frame has a face{}", name_, which)
                                            : fmt::format("{}: {} of {} frames have no face{}",
                                                          name_, missing, faces_.count, which),
                    "no-face");
  }

  static std::string outside(const PictureSize& picture) {
    return fmt::format(
        "the faces lie outside the picture of {} x {} pixels; were they made from "
        "this file, at this size?",
        picture.width, picture.height);
  }

  [[noreturn]] void refuse(const std::string& problem) const {
    throw DataError(fmt::format("{}: {}", name_, problem), "landmarks");
  }

  [[noreturn]] void refuse_rotation(const std::string& problem) const {
    throw DataError(
        fmt::format("{}: the video asks for a {}, and {}; say which of them the landmarks were "
                    "made from with --rotation stored or --rotation displayed",
                    name_, turn_.text(), problem),
        "rotation");
  }

  const Faces& faces_;
  PictureSize stored_;
  media::Turn turn_;
  const std::string& name_;
  std::vector<std::int64_t> present_;  // frames with points
};

}  // namespace

std::optional<LandmarkPicture> landmark_picture_of(std::string_view name) {
  for (const auto& [known, picture] : kLandmarkPictures) {
    if (known == name) return picture;
  }
  return std::nullopt;
}

std::string_view name_of(LandmarkPicture picture) {
  for (const auto& [name, known] : kLandmarkPictures) {
    if (known == picture) return name;
  }
  return "unknown";
}

Faces read_landmarks(std::string npy, const std::string& name) {
  const auto file = std::make_shared<const NpyFile>(std::move(npy), name);
  const auto& shape = file->array.shape;
  if (shape.size() != 3 || shape[1] != kNumFacePoints || shape[2] != 2) {
    std::string text;
    for (const auto size : shape) text += (text.empty() ? "" : ", ") + std::to_string(size);
    throw DataError(fmt::format("{}: its shape is ({}), expected (frames, 68, 2)", name, text),
                    "landmarks");
  }
  if (shape[0] == 0) throw DataError(fmt::format("{}: holds no frames", name), "no-face");
  return {.count = shape[0], .at = [file](std::int64_t frame) {
            std::array<double, kNumCoordinates> numbers;
            file->numbers.read(frame * static_cast<std::int64_t>(kNumCoordinates), numbers);
            FacePoints face;
            for (std::size_t i = 0; i < face.size(); ++i)
              face[i] = {numbers[2 * i], numbers[2 * i + 1]};
            return face;
          }};
}

bool is_missing(const FacePoints& face) {
  const auto is_pixel = [](const Point& p) {
    return std::fabs(p.x) <= kFarthest && std::fabs(p.y) <= kFarthest;  // false for NaN
  };
  return !std::ranges::all_of(face, is_pixel) || extent_of(face) < kOneSpot;
}

bool is_face(const FacePoints& face, const PictureSize& picture) {
  return !is_missing(face) && extent_of(face) >= kFewPixels && is_inside(mouth_of(face), picture) &&
         resemblance(face) >= kResemblance;
}

FittedFaces fit_to_picture(const Faces& faces, const PictureSize& stored, const media::Turn& turn,
                           LandmarkPicture picture, const std::string& name) {
  return Fitting(faces, stored, turn, name).fit(picture);
}

Point shown_at(const Point& stored, const PictureSize& size, const media::Turn& turn) {
  const auto shown = shown_size(size, turn);
  const auto shift = [](int from_x, int from_y, std::int64_t pixels) {
    return from_x + from_y < 0 ? static_cast<double>(pixels - 1) : 0.0;
  };
  return {turn.xx * stored.x + turn.xy * stored.y + shift(turn.xx, turn.xy, shown.width),
          turn.yx * stored.x + turn.yy * stored.y + shift(turn.yx, turn.yy, shown.height)};
}

}  // namespace raven::corpus

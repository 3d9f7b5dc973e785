#include "faces/face_choice.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <tuple>
#include <utility>

#include "raven/media/media.h"

namespace raven::faces {
namespace {

struct Extent {
  double left, top, right, bottom;

  explicit Extent(const corpus::FacePoints& face) {
    std::tie(left, right) = range(face, &corpus::Point::x);
    std::tie(top, bottom) = range(face, &corpus::Point::y);
  }
  [[nodiscard]] double area() const { return (right - left) * (bottom - top); }

 private:
  static std::pair<double, double> range(const corpus::FacePoints& face,
                                         double corpus::Point::*part) {
    const auto [least, most] = std::ranges::minmax(face, {}, part);
    return {least.*part, most.*part};
  }
};

template <class Value>
double sum_over_seen(const FaceTrack& track, Value value) {
  double sum = 0;
  for (const auto& face : track.points) {
    if (!corpus::is_missing(face)) sum += value(Extent(face));
  }
  return sum;
}

/// 1 in the middle of the picture, less the further from it.
double closeness_to_middle(const Extent& face, const corpus::PictureSize& picture) {
  constexpr double kSharpness = 10;
  const auto width = static_cast<double>(picture.width),
             height = static_cast<double>(picture.height);
  const auto away =
      std::hypot((face.left + face.right - width) / 2, (face.top + face.bottom - height) / 2);
  return 1 / (1 + kSharpness * away / std::hypot(width, height));
}

/// Between the inner lips, by the distance of the outer corners of the eyes.
double opening_of(const corpus::FacePoints& face) {
  const auto apart = [&](std::size_t a, std::size_t b) {
    return std::hypot(face[a].x - face[b].x, face[a].y - face[b].y);
  };
  return (apart(61, 67) + apart(62, 66) + apart(63, 65)) / (3 * apart(36, 45));
}

/// Means of up to seven values around each.
std::vector<double> smoothed(const std::vector<double>& values) {
  constexpr std::int64_t kReach = 3;
  std::vector<double> means;
  for (std::int64_t i = 0; i < std::ssize(values); ++i) {
    const auto begin = values.begin() + std::max<std::int64_t>(i - kReach, 0);
    const auto end = values.begin() + std::min<std::int64_t>(i + kReach + 1, std::ssize(values));
    means.push_back(std::accumulate(begin, end, 0.0) / static_cast<double>(end - begin));
  }
  return means;
}

/// Covariance of the mouth's movement with the loudness, summed over the frames; a mouth that moves
/// without regard to the sound has none, and one that keeps still neither.
double speaking(const FaceTrack& track, std::span<const double> loudness) {
  std::vector<double> movement, loud;
  for (std::size_t i = 1; i < track.points.size(); ++i) {
    const auto frame = static_cast<std::size_t>(track.first_frame) + i;
    const auto &face = track.points[i], &before = track.points[i - 1];
    if (corpus::is_missing(face) || corpus::is_missing(before) || frame >= loudness.size())
      continue;
    movement.push_back(std::fabs(opening_of(face) - opening_of(before)));
    loud.push_back(loudness[frame]);
  }
  if (movement.empty()) return 0;
  movement = smoothed(movement);
  loud = smoothed(loud);
  const auto mean_loud =
      std::accumulate(loud.begin(), loud.end(), 0.0) / static_cast<double>(loud.size());
  double covariance = 0;
  for (std::size_t i = 0; i < loud.size(); ++i) covariance += movement[i] * (loud[i] - mean_loud);
  return covariance;
}

std::vector<double> scores_of(const ShotFaces& faces, FaceChoice choice,
                              std::span<const double> loudness) {
  std::vector<double> scores;
  for (const auto& track : faces.tracks) {
    const auto score = [&] {
      if (choice == FaceChoice::kSpeaking) return speaking(track, loudness);
      if (choice == FaceChoice::kLargest)
        return sum_over_seen(track, [](const Extent& face) { return face.area(); });
      return sum_over_seen(
          track, [&](const Extent& face) { return closeness_to_middle(face, faces.picture); });
    };
    scores.push_back(score());
  }
  return scores;
}

bool is_sound(std::span<const double> loudness) {
  return !loudness.empty() && std::ranges::min(loudness) < std::ranges::max(loudness);
}

}  // namespace

corpus::FacePoints no_face() {
  constexpr auto kNaN = std::numeric_limits<double>::quiet_NaN();
  corpus::FacePoints face;
  face.fill({kNaN, kNaN});
  return face;
}

std::optional<FaceChoice> face_choice_of(std::string_view name) {
  for (const auto& [choice, known] : config::EnumNames<FaceChoice>::kNames) {
    if (known == name) return choice;
  }
  return std::nullopt;
}

std::vector<double> loudness_of(std::span<const float> samples, std::int64_t num_frames) {
  constexpr double kSilence = 1e-4;
  std::vector<double> loudness;
  for (std::int64_t frame = 0; frame < num_frames; ++frame) {
    const auto begin = std::min<std::size_t>(
        static_cast<std::size_t>(frame * media::kSamplesPerFrame), samples.size());
    const auto part = samples.subspan(
        begin, std::min<std::size_t>(media::kSamplesPerFrame, samples.size() - begin));
    double squares = 0;
    for (const auto sample : part) squares += static_cast<double>(sample) * sample;
    const auto level = std::sqrt(squares / static_cast<double>(media::kSamplesPerFrame));
    loudness.push_back(std::log10(std::max(level, kSilence)));
  }
  return loudness;
}

std::vector<corpus::FacePoints> choose_faces(const ShotFaces& faces, FaceChoice choice,
                                             std::span<const double> loudness) {
  if (choice == FaceChoice::kSpeaking && !is_sound(loudness)) choice = FaceChoice::kLargest;
  const auto scores = scores_of(faces, choice, loudness);
  std::vector<std::size_t> order(faces.tracks.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, [&](auto a, auto b) { return scores[a] > scores[b]; });
  std::vector<corpus::FacePoints> chosen(static_cast<std::size_t>(faces.num_frames), no_face());
  std::vector<bool> is_taken(chosen.size(), false);  // from a face's first frame to its last
  for (const auto i : order) {
    const auto& track = faces.tracks[i];
    const auto begin = static_cast<std::size_t>(track.first_frame);
    const auto end = begin + track.points.size();
    if (2 * std::count(is_taken.begin() + track.first_frame,
                       is_taken.begin() + static_cast<std::ptrdiff_t>(end), true) >
        std::ssize(track.points))
      continue;
    for (auto frame = begin; frame < end; ++frame) {
      if (!is_taken[frame]) chosen[frame] = track.points[frame - begin];
      is_taken[frame] = true;
    }
  }
  return chosen;
}

}  // namespace raven::faces

#include "raven/corpus/faces.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "raven/core/error.h"

// This file is compiled without fused multiply-add: crops are the same bytes on every machine.

namespace raven::corpus {
namespace {

/// `from` moved towards `to` by `share` of the way.
FacePoints between(const FacePoints& from, const FacePoints& to, double share) {
  FacePoints face;
  for (std::size_t i = 0; i < face.size(); ++i) {
    face[i] = {from[i].x + share * (to[i].x - from[i].x),
               from[i].y + share * (to[i].y - from[i].y)};
  }
  return face;
}

struct Gaps {
  Faces faces;
  std::vector<std::int64_t> detected;
  std::vector<double> starts_s;

  [[nodiscard]] double time_of(std::int64_t frame, std::int64_t next) const {
    const bool known = next < std::ssize(starts_s);
    return known ? starts_s[static_cast<std::size_t>(frame)] : static_cast<double>(frame);
  }

  [[nodiscard]] FacePoints face(std::int64_t frame) const {
    const auto next = std::ranges::lower_bound(detected, frame);
    if (next == detected.end()) return faces.at(detected.back());
    if (*next == frame || next == detected.begin()) return faces.at(*next);
    const auto last = *std::prev(next);
    const auto begin = time_of(last, *next);
    return between(faces.at(last), faces.at(*next),
                   (time_of(frame, *next) - begin) / (time_of(*next, *next) - begin));
  }
};

}  // namespace

Faces faces_of(std::vector<FacePoints> list) {
  const auto count = std::ssize(list);
  return {.count = count, .at = [list = std::move(list)](std::int64_t frame) {
            return list.at(static_cast<std::size_t>(frame));
          }};
}

Faces fill_gaps(Faces faces, std::vector<std::int64_t> detected, std::vector<double> starts_s) {
  RAVEN_CHECK(!detected.empty(), "no detection among {} frames", faces.count);
  const auto count = faces.count;
  auto gaps = std::make_shared<const Gaps>(
      Gaps{std::move(faces), std::move(detected), std::move(starts_s)});
  return {.count = count,
          .at = [gaps = std::move(gaps)](std::int64_t frame) { return gaps->face(frame); }};
}

}  // namespace raven::corpus

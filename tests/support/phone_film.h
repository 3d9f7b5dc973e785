// Drawn films as phones store them. Needs tests/media/make_media.cpp.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "media/make_media.h"
#include "support/drawn_faces.h"

namespace raven {

/// FFV1 in mov, as a phone stores it: `film` turned, and the matrix that turns it back.
inline std::string phone_film(const DrawnFilm& film, bool turned) {
  media::VideoStreamSpec video;
  video.width = static_cast<int>(turned ? film.height : film.width);
  video.height = static_cast<int>(turned ? film.width : film.height);
  video.times = media::regular_times(film.frames);
  video.pixel = [&film, turned](int t, int x, int y) -> int {
    // Shown turned by 90 degrees clockwise: the stored (x, y) is at (height - 1 - y, x).
    return turned ? film.at(t, x, film.width - 1 - y) : film.at(t, y, x);
  };
  constexpr std::int32_t kOne = 1 << 16;
  video.display_matrix = std::array<std::int32_t, 9>{0, kOne, 0, -kOne, 0, 0, 0, 0, 1 << 30};
  return media::make_media("mov", {.video = video});
}

}  // namespace raven

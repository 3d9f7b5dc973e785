#include "raven/media/turn.h"

#include <spdlog/fmt/fmt.h>

namespace raven::media {

std::string Turn::text() const {
  const int degrees = yy == 1 ? 0 : yy == -1 ? 180 : xy == -1 ? 90 : 270;
  const auto rotation = fmt::format("rotation of {} degrees", degrees);
  if (!mirrors()) return rotation;
  return degrees == 0 ? "mirroring" : "mirroring and " + rotation;
}

}  // namespace raven::media

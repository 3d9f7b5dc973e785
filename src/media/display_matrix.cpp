#include "media/display_matrix.h"

extern "C" {
#include <libavutil/display.h>
}

#include <cmath>
#include <cstdint>
#include <cstring>

namespace raven::media {
namespace {

constexpr std::size_t kMatrixBytes = 9 * sizeof(std::int32_t);

/// (x, y) is shown at (m[0] x + m[3] y, m[1] x + m[4] y) + shift, in 16.16 fixed point.
Turn turn_of(const std::uint8_t* matrix) {
  std::int32_t m[9];
  std::memcpy(m, matrix, kMatrixBytes);
  const double xx = m[0], yx = m[1], xy = m[3], yy = m[4];
  const auto sign = [](double value) { return value < 0 ? -1 : 1; };
  const auto is_small = [](double value, double other) {
    return std::fabs(value) < 0.02 * std::fabs(other);  // one degree
  };
  if (is_small(xy, xx) && is_small(yx, yy)) {
    return {.xx = sign(xx), .xy = 0, .yx = 0, .yy = sign(yy)};
  }
  if (is_small(xx, xy) && is_small(yy, yx)) {
    return {.xx = 0, .xy = sign(xy), .yx = sign(yx), .yy = 0};
  }
  return {};
}

}  // namespace

Turn displayed_turn(const AVStream& stream, const AVFrame& first) {
  std::size_t bytes = 0;
  const auto* matrix = stream_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, bytes);
  if (matrix != nullptr && bytes >= kMatrixBytes) return turn_of(matrix);
  const auto* told = av_frame_get_side_data(&first, AV_FRAME_DATA_DISPLAYMATRIX);
  if (told != nullptr && told->size >= kMatrixBytes) return turn_of(told->data);
  return {};
}

}  // namespace raven::media

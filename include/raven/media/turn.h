// How the picture of a file is turned before it is shown: a phone stores what its sensor sees, and
// says in the file (its display matrix) which way was up.
#pragma once

#include <string>

namespace raven::media {

/// A multiple of 90 degrees, and perhaps a mirror: the stored pixel (x, y) is shown at
/// (xx x + xy y, yx x + yy y), moved so that the shown picture begins at (0, 0) again.
struct Turn {
  int xx = 1, xy = 0, yx = 0, yy = 1;  // one of each row and column is 1 or -1, the other 0

  bool operator==(const Turn&) const = default;
  [[nodiscard]] bool is_none() const { return xx == 1 && yy == 1; }
  [[nodiscard]] bool swaps_sides() const { return xx == 0; }
  [[nodiscard]] bool mirrors() const { return xx * yy - xy * yx < 0; }
  /// "rotation of 90 degrees" (clockwise), "mirroring", "mirroring and rotation of 180 degrees".
  [[nodiscard]] std::string text() const;
};

}  // namespace raven::media

// Small landmark models in dlib's format.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>

namespace raven::faces {

class ModelBytes {
 public:
  ModelBytes& whole(std::int64_t value) {
    auto rest = static_cast<std::uint64_t>(std::abs(value));
    std::string digits;
    do {
      digits.push_back(static_cast<char>(rest & 0xff));
      rest >>= 8;
    } while (rest > 0);
    bytes_.push_back(static_cast<char>(digits.size() | (value < 0 ? 0x80U : 0U)));
    bytes_ += digits;
    return *this;
  }
  ModelBytes& real(double value) {
    return whole(static_cast<std::int64_t>(std::lround(std::ldexp(value, 20)))).whole(-20);
  }
  /// 68 points, each `x`, `y` away from its place in a grid of 10 columns.
  ModelBytes& shape(double x, double y, double grid) {
    whole(-136).whole(-1);
    for (int i = 0; i < 68; ++i) real(grid * (i % 10) + x).real(grid * (i / 10) + y);
    return *this;
  }
  [[nodiscard]] const std::string& text() const { return bytes_; }

 private:
  std::string bytes_;
};

struct SmallModel {
  std::int64_t version = 1, first = 0, anchor = 1, leaves = 2, places = 2;
  double grid = 0.1;
};

/// A grid of points 0.1 of the box apart. One tree: where the pixel at point 0 is more than 10
/// levels brighter than that at point 1, all move 0.05 to the right, else 0.1 down.
inline std::string small_model(const SmallModel& how = {}) {
  ModelBytes model;
  model.whole(how.version).shape(0, 0, how.grid);
  model.whole(1).whole(1);                            // one level of one tree
  model.whole(1).whole(how.first).whole(1).real(10);  // its split
  model.whole(how.leaves).shape(0.05, 0, 0).shape(0, 0.1, 0);
  model.whole(1).whole(how.places).whole(0).whole(how.anchor);
  model.whole(1).whole(2).real(0).real(0).real(0).real(0);
  return model.text();
}

}  // namespace raven::faces

#include "faces/shape_trees.h"

#include <spdlog/fmt/fmt.h>

#include <bit>
#include <cmath>
#include <cstdlib>

#include "raven/core/error.h"

namespace raven::faces {
namespace {

constexpr std::int64_t kMaxLevels = 64, kMaxTrees = 10'000, kMaxPlaces = 10'000, kMaxDepth = 10;
constexpr float kLargest = 1000;  // a face is some 1 large, a difference of pixels at most 255

[[noreturn]] void refuse(const std::string& problem) { throw DataError(problem); }

/// dlib's format: a whole number is a byte with its sign and length, then that many bytes, lowest
/// first; a real one is two of them, mantissa and exponent of two.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  std::int64_t whole() {
    if (rest_.empty()) refuse("it ends too early");
    const auto control = static_cast<std::uint8_t>(rest_.front());
    const std::size_t length = control & 0x0fU;
    if ((control & 0x70U) != 0 || length == 0 || length > 8) refuse("it is not of dlib's format");
    if (rest_.size() <= length) refuse("it ends too early");
    std::uint64_t value = 0;
    for (auto i = length; i > 0; --i) value = value << 8 | static_cast<std::uint8_t>(rest_[i]);
    rest_.remove_prefix(1 + length);
    if (value > INT64_MAX) refuse("a number is too large");
    const auto magnitude = static_cast<std::int64_t>(value);
    return (control & 0x80U) != 0 ? -magnitude : magnitude;
  }

  float real() {
    constexpr std::int64_t kMostExponent = 1000, kBias = 1023;  // of a double
    constexpr int kMantissaBits = 52;
    const auto mantissa = whole(), exponent = whole();
    if (std::abs(exponent) > kMostExponent) refuse("a number is too large for a face");
    const auto power =
        std::bit_cast<double>(static_cast<std::uint64_t>(exponent + kBias) << kMantissaBits);
    const auto value = static_cast<double>(mantissa) * power;
    if (!(std::fabs(value) < kLargest)) refuse("a number is too large for a face");
    return static_cast<float>(value);
  }

  /// Of `what`, `least` to `most`.
  std::int64_t count(std::int64_t least, std::int64_t most, const char* what) {
    const auto found = whole();
    if (found < least || found > most)
      refuse(fmt::format("it has {} {}, expected {} to {}", found, what, least, most));
    return found;
  }

  /// A column of numbers.
  template <class Put>
  void shape(Put put) {
    const auto rows = std::abs(whole()), columns = std::abs(whole());  // negative in newer files
    if (columns == 1 && rows != static_cast<std::int64_t>(kShapeSize) && rows > 0 && rows < 10000)
      refuse(fmt::format("it has {} points, expected {}", rows / 2, corpus::kNumFacePoints));
    if (columns != 1 || rows != static_cast<std::int64_t>(kShapeSize))
      refuse("its shapes are no columns of 68 points");
    for (std::size_t i = 0; i < kShapeSize; ++i) put(i, real());
  }

  [[nodiscard]] bool is_at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

void read_tree(Reader& reader, Level& level) {
  Tree tree{.first_split = level.splits.size(), .first_leaf = level.leaves.size() / kShapeSize};
  const auto num_splits = reader.count(0, (1 << kMaxDepth) - 1, "splits in a tree");
  while ((std::int64_t{1} << tree.depth) - 1 < num_splits) ++tree.depth;
  const auto num_leaves = std::int64_t{1} << tree.depth;
  if (num_leaves - 1 != num_splits) refuse("a tree is not complete");
  for (std::int64_t i = 0; i < num_splits; ++i) {
    const auto first = reader.count(0, kMaxPlaces - 1, "as a pixel's number");
    const auto second = reader.count(0, kMaxPlaces - 1, "as a pixel's number");
    level.splits.push_back({.first = static_cast<std::uint32_t>(first),
                            .second = static_cast<std::uint32_t>(second),
                            .threshold = reader.real()});
  }
  reader.count(num_leaves, num_leaves, "leaves in a tree");
  for (std::int64_t i = 0; i < num_leaves; ++i)
    reader.shape([&](std::size_t, float value) { level.leaves.push_back(value); });
  level.trees.push_back(tree);
}

void check_places(const Level& level) {
  for (const auto& split : level.splits) {
    if (split.first >= level.places.size() || split.second >= level.places.size())
      refuse("a split asks for a pixel that is not there");
  }
}

/// Points in one spot have no size that others could be compared with.
void check_extent(const Shape& shape) {
  double sum = 0, squares = 0;
  for (std::size_t i = 0; i < kShapeSize; i += 2) {
    sum += shape[i];
    squares += shape[i] * shape[i];
  }
  const auto count = static_cast<double>(kShapeSize) / 2;
  if (!(squares / count - sum * sum / count / count > 1e-6)) refuse("its points lie in one spot");
}

}  // namespace

ShapeTrees read_shape_trees(std::string_view bytes) {
  Reader reader(bytes);
  ShapeTrees model;
  if (reader.whole() != 1) refuse("it is not of dlib's format, version 1");
  reader.shape([&](std::size_t i, float value) { model.initial[i] = value; });
  check_extent(model.initial);
  const auto num_levels = reader.count(1, kMaxLevels, "levels");
  for (std::int64_t i = 0; i < num_levels; ++i) {
    auto& level = model.levels.emplace_back();
    const auto num_trees = reader.count(1, kMaxTrees, "trees in a level");
    for (std::int64_t k = 0; k < num_trees; ++k) read_tree(reader, level);
  }
  reader.count(num_levels, num_levels, "levels of anchors");
  for (auto& level : model.levels) {
    const auto num_places = reader.count(1, kMaxPlaces, "pixels in a level");
    for (std::int64_t k = 0; k < num_places; ++k) {
      const auto last = static_cast<std::int64_t>(corpus::kNumFacePoints) - 1;
      level.places.push_back(
          {.anchor = static_cast<std::uint32_t>(reader.count(0, last, "as an anchor"))});
    }
    check_places(level);
  }
  reader.count(num_levels, num_levels, "levels of pixels");
  for (auto& level : model.levels) {
    const auto num_places = std::ssize(level.places);
    reader.count(num_places, num_places, "pixels in a level");
    for (auto& place : level.places) {
      place.x = reader.real();
      place.y = reader.real();
    }
  }
  if (!reader.is_at_end()) refuse("something follows after its end");
  return model;
}

}  // namespace raven::faces

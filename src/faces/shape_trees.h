// What a landmark model's file holds, checked, in the form in which it is evaluated.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "raven/corpus/mean_face.h"

namespace raven::faces {

inline constexpr std::size_t kShapeSize = 2 * corpus::kNumFacePoints;  // x, y of each point
using Shape = std::array<float, kShapeSize>;                           // in shares of the box

/// Compares two pixels: "first - second > threshold" goes to the left.
struct Split {
  std::uint32_t first = 0, second = 0;  // which of the level's pixels
  float threshold = 0;
};

/// A pixel beside a point of the shape.
struct PixelPlace {
  std::uint32_t anchor = 0;  // point
  float x = 0, y = 0;        // from there, in shares of the box
};

/// A complete binary tree of `depth` levels: 2^depth - 1 splits, 2^depth leaves.
struct Tree {
  std::uint32_t depth = 0;
  std::size_t first_split = 0;  // in Level::splits
  std::size_t first_leaf = 0;   // in Level::leaves, in shapes
};

/// One step of the cascade.
struct Level {
  std::vector<PixelPlace> places;
  std::vector<Tree> trees;
  std::vector<Split> splits;
  std::vector<float> leaves;  // kShapeSize numbers each
};

struct ShapeTrees {
  Shape initial{};
  std::vector<Level> levels;
};

/// Reads dlib's serialisation of its shape_predictor. Memory is taken only as bytes come, and every
/// index is checked. Throws DataError that says what is wrong, without the file's name.
ShapeTrees read_shape_trees(std::string_view bytes);

}  // namespace raven::faces

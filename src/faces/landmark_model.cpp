#include "raven/faces/landmark_model.h"

#include <spdlog/fmt/fmt.h>

#include <cmath>

#include "faces/shape_trees.h"
#include "raven/core/error.h"
#include "raven/core/files.h"

// This file is compiled without fused multiply-add: points are the same on every machine.

namespace raven::faces {
namespace {

constexpr std::uint64_t kMaxModelBytes = 512ULL << 20;  // dlib's has 95 MiB

/// Turns and scales, without a shift: (x, y) -> (cos_part x - sin_part y, sin_part x + cos_part y).
struct Turning {
  float cos_part = 1, sin_part = 0;
};

/// What turns `from` so that it fits `to` best, in the sense of least squares.
Turning turning_between(const Shape& from, const Shape& to) {
  constexpr auto kCount = static_cast<double>(corpus::kNumFacePoints);
  double from_x = 0, from_y = 0, to_x = 0, to_y = 0;
  for (std::size_t i = 0; i < kShapeSize; i += 2) {
    from_x += from[i], from_y += from[i + 1];
    to_x += to[i], to_y += to[i + 1];
  }
  from_x /= kCount, from_y /= kCount, to_x /= kCount, to_y /= kCount;
  double dot = 0, cross = 0, spread = 0;
  for (std::size_t i = 0; i < kShapeSize; i += 2) {
    const auto ux = from[i] - from_x, uy = from[i + 1] - from_y;
    const auto vx = to[i] - to_x, vy = to[i + 1] - to_y;
    dot += ux * vx + uy * vy;
    cross += ux * vy - uy * vx;
    spread += ux * ux + uy * uy;
  }
  return {.cos_part = static_cast<float>(dot / spread),
          .sin_part = static_cast<float>(cross / spread)};
}

/// Shares of a box -> pixels; dlib's boxes end in the middle of their last pixel.
struct BoxScale {
  double left, top, width, height;

  explicit BoxScale(const FaceBox& box)
      : left(box.left), top(box.top), width(box.right - box.left), height(box.bottom - box.top) {}
};

/// Pixels that the level's splits compare; 0 outside of the picture.
void sample(const GreyView& picture, const BoxScale& box, const Level& level,
            const Turning& turning, const Shape& shape, std::vector<float>& values) {
  values.resize(level.places.size());
  const auto right = static_cast<double>(picture.width) - 0.5;
  const auto bottom = static_cast<double>(picture.height) - 0.5;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto& place = level.places[i];
    const auto u =
        turning.cos_part * place.x - turning.sin_part * place.y + shape[2 * place.anchor];
    const auto v =
        turning.sin_part * place.x + turning.cos_part * place.y + shape[2 * place.anchor + 1];
    const auto x = box.left + box.width * u, y = box.top + box.height * v;
    const bool inside = x >= -0.5 && x < right && y >= -0.5 && y < bottom;  // false for NaN
    values[i] = inside ? picture.pixels[static_cast<std::int64_t>(y + 0.5) * picture.stride +
                                        static_cast<std::int64_t>(x + 0.5)]
                       : 0;
  }
}

const float* leaf_of(const Level& level, const Tree& tree, const std::vector<float>& values) {
  const auto* splits = level.splits.data() + tree.first_split;
  std::size_t node = 0;
  for (std::uint32_t depth = 0; depth < tree.depth; ++depth) {
    const auto& split = splits[node];
    const bool left = values[split.first] - values[split.second] > split.threshold;
    node = 2 * node + (left ? 1 : 2);
  }
  const auto leaf = tree.first_leaf + node - ((std::size_t{1} << tree.depth) - 1);
  return level.leaves.data() + leaf * kShapeSize;
}

/// Leaves lie all over tens of megabytes: they are asked for before they are needed.
void add_leaves(const Level& level, const std::vector<float>& values,
                std::vector<const float*>& leaves, Shape& shape) {
  constexpr std::size_t kAhead = 8, kFloatsPerLine = 16;
  leaves.clear();
  for (const auto& tree : level.trees) leaves.push_back(leaf_of(level, tree, values));
  for (std::size_t k = 0; k < leaves.size(); ++k) {
    if (k + kAhead < leaves.size()) {
      for (std::size_t i = 0; i < kShapeSize; i += kFloatsPerLine)
        __builtin_prefetch(leaves[k + kAhead] + i);
    }
    for (std::size_t i = 0; i < kShapeSize; ++i) shape[i] += leaves[k][i];
  }
}

std::string read_model_file(const std::filesystem::path& file) {
  try {
    return read_file(file, kMaxModelBytes);
  } catch (const DataError& error) {
    const bool missing = error.reason() == "missing";
    throw ConfigError(
        fmt::format("{}: {}; {}", file.string(),
                    missing ? "there is no such landmark model" : "too large for a landmark model",
                    kLandmarkModelRemedy));
  }
}

}  // namespace

struct LandmarkModel::Trees {
  ShapeTrees trees;
};

LandmarkModel::LandmarkModel(const std::filesystem::path& file) : file_(file) {
  const auto bytes = read_model_file(file);
  try {
    trees_ = std::make_unique<Trees>(Trees{read_shape_trees(bytes)});
  } catch (const DataError& error) {
    throw ConfigError(fmt::format("{}: no landmark model of dlib with 68 points ({}); {}",
                                  file.string(), error.what(), kLandmarkModelRemedy));
  }
  checksum_ = checksum_text(raven::checksum(bytes));
}

LandmarkModel::~LandmarkModel() = default;

corpus::FacePoints LandmarkModel::points(const GreyView& picture, const FaceBox& box) const {
  const auto& [initial, levels] = trees_->trees;
  const BoxScale scale(box);
  auto shape = initial;
  std::vector<float> values;
  std::vector<const float*> leaves;
  for (const auto& level : levels) {
    sample(picture, scale, level, turning_between(initial, shape), shape, values);
    add_leaves(level, values, leaves, shape);
  }
  corpus::FacePoints points;
  for (std::size_t i = 0; i < points.size(); ++i) {
    points[i] = {scale.left + scale.width * shape[2 * i],
                 scale.top + scale.height * shape[2 * i + 1]};
  }
  return points;
}

std::string LandmarkModel::licence() const {
  return file_.filename() == std::filesystem::path(kDefaultLandmarkModel).filename()
             ? "CC0 as Debian packages it; it was trained on 300-W, whose terms exclude commercial "
               "use"
             : "see the terms of its maker and of the pictures that it was trained on";
}

}  // namespace raven::faces

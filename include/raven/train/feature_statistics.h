// What a set of features looks like as a whole: the measures that tell learning from collapse.
#pragma once

#include <torch/torch.h>

namespace raven::train {

/// Of n features scaled to unit length. All are 0-dimensional-safe: n >= 1.
struct FeatureStatistics {
  /// Length of the mean: the cosine that a predictor scores which always gives one direction. 1
  /// when all features point the same way.
  double mean_norm = 0;
  /// Root mean square distance from that mean, sqrt(1 - mean_norm^2): 0 when all features are
  /// alike.
  double spread = 0;
  /// exp(entropy of the shares of variance along the principal axes): how many dimensions are in
  /// use, from 1 to min(n - 1, D) (Roy and Vetterli, "The effective rank", 2007). 0 when there is
  /// no variance.
  double rank = 0;
};

/// features (n, D) on any device. Waits for the device.
FeatureStatistics feature_statistics(const torch::Tensor& features);

/// The frames of features (B, T, D) where `where` (B, T) is true, as (n, D).
torch::Tensor frames_where(const torch::Tensor& features, const torch::Tensor& where);

}  // namespace raven::train

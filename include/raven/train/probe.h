// A probe without labels: how well frozen features predict, linearly, the energies of the sound.
// Video features that do so have learnt what a mouth says about a voice.
#pragma once

#include <torch/torch.h>

#include <cstdint>

namespace raven::train {

inline constexpr std::int64_t kMelBands = 40;

/// Log-mel energies at the video's rate. audio (N) float at 16 kHz with N = 640 T. Four windows of
/// 25 ms, 10 ms apart and centred on a frame's 640 samples, are averaged after the logarithm.
/// Returns (T, 40).
torch::Tensor log_mel(const torch::Tensor& audio);

/// Linear regression with a quadratic penalty, in closed form.
struct RidgeData {
  torch::Tensor features;  // (n, D)
  torch::Tensor targets;   // (n, K)
};

/// What was fitted: (x - x_mean) weights + y_mean.
struct RidgeMap {
  torch::Tensor weights;         // (D, K) float64
  torch::Tensor x_mean, y_mean;  // (D), (K)

  /// x (n, D) -> (n, K) float64.
  [[nodiscard]] torch::Tensor operator()(const torch::Tensor& x) const;
};

/// The penalty is fixed at 0.01 times the mean variance of a feature, so nothing is chosen on what
/// is scored.
RidgeMap fit_ridge(const RidgeData& fit);

/// Fits on one set and scores on the other: R2 = 1 - squared error / variance, mean over the K
/// targets (1 perfect, 0 no better than the mean of the fitted set).
double ridge_r2(const RidgeData& fit, const RidgeData& score);

}  // namespace raven::train

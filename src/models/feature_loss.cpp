#include "raven/models/feature_loss.h"

#include <ATen/autocast_mode.h>

namespace raven::models {
namespace {

using config::LossKind;

constexpr double kCosineEpsilon = 1e-8;
// Far below any cosine / temperature, yet finite: rows outside `where` then have finite gradients.
constexpr double kAbsent = -1e30;

torch::Tensor unit_rows(const torch::Tensor& x) {
  const auto rows = x.flatten(0, 1);  // (N, Q)
  return rows / rows.norm(2, -1, /*keepdim=*/true).clamp_min(kCosineEpsilon);
}

/// InfoNCE (arXiv 1807.03748): -ln of the softmax share of each frame's own target.
torch::Tensor contrastive(const torch::Tensor& prediction, const torch::Tensor& target,
                          const torch::Tensor& where, double temperature) {
  const auto seen = where.flatten();                                                  // (N)
  const auto scores = unit_rows(prediction).mm(unit_rows(target).t()) / temperature;  // (N, N)
  const auto all =
      torch::logsumexp(scores.masked_fill(seen.logical_not().unsqueeze(0), kAbsent), 1);
  return ((all - scores.diagonal()) * seen).sum();
}

}  // namespace

torch::Tensor cosines(const torch::Tensor& prediction, const torch::Tensor& target) {
  return torch::cosine_similarity(prediction, target, -1, kCosineEpsilon);
}

torch::Tensor feature_loss(const config::LossConfig& options, const torch::Tensor& prediction,
                           const torch::Tensor& target, const torch::Tensor& where) {
  const c10::impl::ExcludeDispatchKeyGuard in_float32(c10::autocast_dispatch_keyset);
  switch (options.kind) {
    case LossKind::kCosine:
      return -(cosines(prediction, target) * where).sum();
    case LossKind::kMeanSquared:
      return (torch::mse_loss(prediction, target, at::Reduction::None).mean(-1) * where).sum();
    case LossKind::kSmoothL1:
      return (torch::smooth_l1_loss(prediction, target, at::Reduction::None,
                                    options.smooth_l1_beta())
                  .mean(-1) *
              where)
          .sum();
    case LossKind::kContrastive:
      return contrastive(prediction, target, where, options.contrastive_temperature());
  }
  return {};
}

}  // namespace raven::models

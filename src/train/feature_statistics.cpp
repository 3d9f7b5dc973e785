#include "raven/train/feature_statistics.h"

#include <cmath>

#include "raven/core/error.h"

namespace raven::train {

FeatureStatistics feature_statistics(const torch::Tensor& features) {
  RAVEN_CHECK(features.dim() == 2 && features.size(0) > 0, "features must be (n, D) with n > 0");
  torch::NoGradGuard no_grad;
  namespace F = torch::nn::functional;
  const auto unit = F::normalize(features.to(torch::kFloat32), F::NormalizeFuncOptions().dim(1));
  const auto mean = unit.mean(0);
  const auto centred = unit - mean;
  // The D x D eigenvalues are found on the CPU in double: small ones matter to the entropy.
  const auto covariance =
      (centred.t().mm(centred) / unit.size(0)).to(torch::kCPU).to(torch::kFloat64);
  FeatureStatistics result;
  result.mean_norm = mean.norm().item<double>();
  const double variance = covariance.trace().item<double>();
  result.spread = std::sqrt(std::max(variance, 0.0));
  if (!std::isfinite(variance) || variance < 1e-12) return result;
  const auto shares = (at::linalg_eigvalsh(covariance) / variance).clamp_min(0);
  result.rank = std::exp(-torch::special::xlogy(shares, shares).sum().item<double>());
  return result;
}

torch::Tensor frames_where(const torch::Tensor& features, const torch::Tensor& where) {
  return features.index({where});
}

}  // namespace raven::train

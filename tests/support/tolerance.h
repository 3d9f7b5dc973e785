// How close floating-point results must be, in one place. Golden files state their own tolerances
// (tests/parity/data/README.md); those stand here under the file's name.
#pragma once

#include <torch/torch.h>

#include <algorithm>
#include <stdexcept>

namespace raven::tolerance {

/// Largest relative error of a well-conditioned computation in this type.
inline double relative(torch::ScalarType type) {
  switch (type) {
    case torch::kFloat64:
      return 1e-10;
    case torch::kFloat32:
      return 1e-5;
    case torch::kBFloat16:
      return 2e-2;
    default:
      throw std::invalid_argument("no tolerance for this type");
  }
}

namespace encoders {
inline constexpr double kFinal = 2e-5;         // absolute; values up to 4
inline constexpr double kInner = 1e-5;         // of the largest value: frontend, embedding, blocks
inline constexpr double kGradientNorm = 2e-5;  // relative
inline constexpr double kGradientSum = 5e-4;   // of the norm
}  // namespace encoders

namespace predictors {
inline constexpr double kOutput = 1e-5;
}

namespace recognizers {
inline constexpr double kOutput = 1e-5;        // absolute: log-probabilities and logits
inline constexpr double kLoss = 2e-6;          // relative
inline constexpr double kGradientNorm = 2e-5;  // relative
inline constexpr double kGradientSum = 5e-4;   // of the norm
}  // namespace recognizers

namespace language_model {
inline constexpr double kOutput = 1e-5;  // absolute: log-probabilities
}

namespace decoding {
inline constexpr double kCtcPrefix = 1e-4;  // absolute: token scores
inline constexpr double kSearch = 1e-3;     // absolute: scores and their parts
inline constexpr double kExcluded = -1e9;   // scores below it only mean "excluded"
}  // namespace decoding

namespace pretraining {
inline constexpr double kLoss = 1e-5;
inline constexpr double kGradientNorm = 1e-4;  // relative
inline constexpr double kStateNorm = 5e-5;     // relative
inline constexpr double kStateSum = 3e-3;      // of the norm
inline constexpr double kKeyBiasNorm = 1e-3;   // linear_k.bias: AdamW moves it by rounding noise
}  // namespace pretraining

/// Largest absolute difference; infinite where the shapes differ or a value is not finite.
inline double distance(const torch::Tensor& a, const torch::Tensor& b) {
  if (a.sizes() != b.sizes()) return std::numeric_limits<double>::infinity();
  const auto worst = (a.to(torch::kDouble) - b.to(torch::kDouble)).abs().max().item<double>();
  return std::isfinite(worst) ? worst : std::numeric_limits<double>::infinity();
}

/// The same, relative to b's largest value.
inline double relative_distance(const torch::Tensor& a, const torch::Tensor& b) {
  return distance(a, b) / std::max(b.to(torch::kDouble).abs().max().item<double>(), 1e-30);
}

}  // namespace raven::tolerance

#include "raven/evaluation/probes.h"

#include <algorithm>

#include "raven/core/error.h"

namespace raven::evaluation {
namespace {

constexpr std::int64_t kRows = 512;  // scored at a time
constexpr double kTie = 1e-6;        // cosines that are closer are the same

torch::Tensor unit_length(const torch::Tensor& x) {
  return torch::nn::functional::normalize(x, torch::nn::functional::NormalizeFuncOptions().dim(-1));
}

double share_right(const torch::Tensor& guesses, const torch::Tensor& labels) {
  return guesses.eq(labels).to(torch::kFloat64).mean().item<double>();
}

}  // namespace

double linear_accuracy(const LabelledFeatures& fit, const LabelledFeatures& score,
                       std::int64_t classes) {
  const auto targets = torch::one_hot(fit.labels, classes).to(torch::kFloat64);
  const auto map = train::fit_ridge({.features = fit.features, .targets = targets});
  return share_right(map(score.features).argmax(1), score.labels);
}

double nearest_accuracy(const LabelledFeatures& fit, const LabelledFeatures& score,
                        std::int64_t classes, std::int64_t neighbours) {
  torch::NoGradGuard no_grad;
  const auto mean = fit.features.mean(0);
  const auto deviation = fit.features.std(0, /*unbiased=*/false).clamp_min(1e-6);
  const auto standardised = [&](const torch::Tensor& x) {
    return unit_length((x - mean) / deviation);
  };
  const auto known = standardised(fit.features);  // (n, D)
  const auto taken = std::min(neighbours, known.size(0));
  double right = 0;
  for (std::int64_t row = 0; row < score.features.size(0); row += kRows) {
    const auto count = std::min(kRows, score.features.size(0) - row);
    const auto cosines = standardised(score.features.narrow(0, row, count)).mm(known.t());
    const auto [best, index] = cosines.topk(taken, 1);  // (rows, k)
    // A vote and a little of its cosine, which decides between labels of as many votes.
    const auto votes = 1 + (best.to(torch::kFloat64) + 1) / (4.0 * static_cast<double>(taken));
    const auto sums =
        torch::zeros({count, classes}, torch::kFloat64)
            .scatter_add_(1, fit.labels.index_select(0, index.flatten()).view(index.sizes()),
                          votes);
    right += sums.argmax(1).eq(score.labels.narrow(0, row, count)).sum().item<double>();
  }
  return right / static_cast<double>(score.features.size(0));
}

double majority_accuracy(const LabelledFeatures& fit, const LabelledFeatures& score,
                         std::int64_t classes) {
  const auto most = torch::bincount(fit.labels, {}, classes).argmax();
  return share_right(most.expand_as(score.labels), score.labels);
}

RetrievalScores retrieve(const torch::Tensor& queries, const torch::Tensor& candidates) {
  torch::NoGradGuard no_grad;
  RAVEN_CHECK(queries.sizes() == candidates.sizes() && queries.dim() == 3 && queries.size(0) > 0,
              "queries and candidates must be (N, W, D)");
  const auto flat = [](const torch::Tensor& x) {
    return unit_length(x.to(torch::kFloat32)).flatten(1);  // (N, W D)
  };
  const auto scores =
      flat(queries).mm(flat(candidates).t()).to(torch::kFloat64) / queries.size(1);  // (N, N)
  const auto own = scores.diagonal().unsqueeze(1);
  const auto better = scores.gt(own + kTie).sum(1).to(torch::kFloat64);
  const auto equal = (scores - own).abs().le(kTie).sum(1).to(torch::kFloat64) - 1;  // but itself
  const auto ranks = 1 + better + equal / 2;
  const auto share_within = [&](double first) {
    return ranks.le(first).to(torch::kFloat64).mean().item<double>();
  };
  return {.recall_1 = share_within(1),
          .recall_10 = share_within(10),
          .median_rank = ranks.quantile(0.5).item<double>()};
}

}  // namespace raven::evaluation

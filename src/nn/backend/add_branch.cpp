#include "nn/backend/add_branch.h"

#include "nn/backend/add_branch_cuda.h"

namespace raven::nn::backend {

torch::Tensor drop_path_factors(double rate, std::int64_t utterances,
                                const torch::TensorOptions& options) {
  if (rate == 0) return {};
  return torch::empty({utterances}, options).bernoulli_(1 - rate).div_(1 - rate);
}

torch::Tensor drop_path(const torch::Tensor& branch, double rate) {
  const auto factors = drop_path_factors(rate, branch.size(0), branch.options());
  return factors.defined() ? branch * factors.view({-1, 1, 1}) : branch;
}

torch::Tensor add_branch(const Branch& branch) {
  if (can_use_cuda_kernels(branch)) {
    const auto keep = drop_path_factors(branch.drop_path, branch.x.size(0),
                                        branch.x.options().dtype(torch::kFloat32));
    return add_branch_on_cuda(branch, keep);
  }
  const auto scaled = branch.gamma.defined() ? branch.gamma * branch.output : branch.output;
  const auto dropped = torch::dropout(scaled, branch.dropout, branch.dropout > 0);
  return branch.x + drop_path(dropped, branch.drop_path);
}

}  // namespace raven::nn::backend

#include "raven/train/optimizer.h"

#include "raven/core/error.h"

namespace raven::train {

AdamW::AdamW(std::string name, NamedTensors parameters, const AdamWOptions& options)
    : name_(std::move(name)), parameters_(std::move(parameters)), options_(options) {
  RAVEN_CHECK(!parameters_.empty(), "optimiser {} has no parameters", name_);
  for (const auto& [parameter_name, tensor] : parameters_) {
    RAVEN_CHECK(tensor.is_floating_point() && tensor.requires_grad(), "{} cannot be trained",
                parameter_name);
    tensors_.push_back(tensor);
    exp_avg_.push_back(torch::zeros_like(tensor, torch::MemoryFormat::Preserve).detach());
    exp_avg_sq_.push_back(torch::zeros_like(tensor, torch::MemoryFormat::Preserve).detach());
  }
  step_ = torch::zeros({}, tensors_.front().options().dtype(torch::kFloat32).requires_grad(false));
}

void AdamW::zero_grad() {
  for (auto& tensor : tensors_) tensor.mutable_grad() = torch::Tensor();
}

torch::Tensor AdamW::grad_norm() const {
  torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> gradients;
  for (const auto& tensor : tensors_) {
    if (tensor.grad().defined()) gradients.push_back(tensor.grad());
  }
  if (gradients.empty()) return torch::zeros({}, step_.options());
  return torch::stack(at::_foreach_norm(gradients, 2)).norm(2).to(torch::kFloat32);
}

void AdamW::step(double lr, const torch::Tensor& norm, const torch::Tensor& bad) {
  torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> gradients;
  gradients.reserve(tensors_.size());
  for (const auto& tensor : tensors_) {
    gradients.push_back(tensor.grad().defined() ? tensor.grad() : torch::zeros_like(tensor));
  }
  // The kernel divides gradients by `scale`: 1 / min(1, max / (norm + 1e-6)).
  const auto scale = ((norm + 1e-6) / options_.max_grad_norm).clamp_min(1.0).reshape({1});
  const auto skip = bad.reshape({1});
  step_ += 1;
  const std::vector<torch::Tensor> steps(tensors_.size(), step_);
  at::_fused_adamw_(tensors_, gradients, exp_avg_, exp_avg_sq_, {}, steps, lr, options_.beta1,
                    options_.beta2, options_.weight_decay, options_.eps, /*amsgrad=*/false,
                    /*maximize=*/false, scale, skip);
  step_ -= bad;
}

NamedTensors AdamW::state() const {
  NamedTensors state{{name_ + ".step", step_}};
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    state.emplace_back(name_ + ".exp_avg." + parameters_[i].first, exp_avg_[i]);
    state.emplace_back(name_ + ".exp_avg_sq." + parameters_[i].first, exp_avg_sq_[i]);
  }
  return state;
}

}  // namespace raven::train

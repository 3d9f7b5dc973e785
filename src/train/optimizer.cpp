#include "raven/train/optimizer.h"

#include <algorithm>

#include "raven/core/error.h"

namespace raven::train {
namespace {

/// Neighbours together, so that each rank has about as many numbers.
std::vector<std::int64_t> owners_of(const std::vector<torch::Tensor>& tensors, std::int64_t ranks) {
  std::int64_t all = 0, before = 0;
  for (const auto& tensor : tensors) all += tensor.numel();
  std::vector<std::int64_t> owners;
  for (const auto& tensor : tensors) {
    const auto middle = before + tensor.numel() / 2;
    owners.push_back(std::min(middle * ranks / std::max<std::int64_t>(all, 1), ranks - 1));
    before += tensor.numel();
  }
  return owners;
}

}  // namespace

AdamW::AdamW(std::string name, const std::vector<ParameterGroup>& groups,
             const AdamWOptions& options, const StateShard& shard)
    : name_(std::move(name)), options_(options) {
  for (const auto& group : groups) {
    for (const auto& [parameter_name, tensor] : group.parameters) {
      RAVEN_CHECK(tensor.is_floating_point() && tensor.requires_grad(), "{} cannot be trained",
                  parameter_name);
      parameters_.emplace_back(parameter_name, tensor);
      tensors_.push_back(tensor);
    }
    group_ends_.push_back(tensors_.size());
  }
  owners_ = owners_of(tensors_, shard.ranks);
  const auto [first, last] = std::equal_range(owners_.begin(), owners_.end(), shard.rank);
  own_begin_ = static_cast<std::size_t>(first - owners_.begin());
  own_end_ = static_cast<std::size_t>(last - owners_.begin());
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    for (auto* averages : {&exp_avg_, &exp_avg_sq_}) {
      const auto& tensor = tensors_[i];
      averages->push_back(
          owners_[i] == shard.rank
              ? torch::zeros_like(tensor, torch::MemoryFormat::Preserve).detach()
              : torch::empty_strided(tensor.sizes(), tensor.strides(),
                                     tensor.options().requires_grad(false).device(torch::kMeta)));
    }
  }
  RAVEN_CHECK(!parameters_.empty(), "optimiser {} has no parameters", name_);
  step_ = torch::zeros({}, tensors_.front().options().dtype(torch::kFloat32).requires_grad(false));
}

AdamW::AdamW(std::string name, NamedTensors parameters, const AdamWOptions& options)
    : AdamW(name, {{.name = name, .parameters = std::move(parameters)}}, options) {}

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

void AdamW::step(const std::vector<torch::Tensor>& rates, const torch::Tensor& norm,
                 const torch::Tensor& bad) {
  torch::NoGradGuard no_grad;
  RAVEN_CHECK(rates.size() == group_ends_.size(), "{} rates for {} groups", rates.size(),
              group_ends_.size());
  // The kernel divides gradients by `scale`: 1 / min(1, max / (norm + 1e-6)).
  const auto scale = ((norm + 1e-6) / options_.max_grad_norm).clamp_min(1.0).reshape({1});
  const auto skip = bad.reshape({1});
  step_ += 1;
  std::size_t begin = 0;
  for (std::size_t g = 0; g < rates.size(); ++g) {
    const auto end = group_ends_[g];
    const auto own_begin = std::max(begin, own_begin_);
    const auto own_end = std::max(own_begin, std::min(end, own_end_));
    const auto of_group = [&](const std::vector<torch::Tensor>& all) {
      return std::vector<torch::Tensor>(all.begin() + static_cast<std::ptrdiff_t>(own_begin),
                                        all.begin() + static_cast<std::ptrdiff_t>(own_end));
    };
    const auto tensors = of_group(tensors_);
    std::vector<torch::Tensor> gradients;
    gradients.reserve(tensors.size());
    for (const auto& tensor : tensors) {
      gradients.push_back(tensor.grad().defined() ? tensor.grad() : torch::zeros_like(tensor));
    }
    const std::vector<torch::Tensor> steps(tensors.size(), step_);
    if (!tensors.empty()) {
      at::_fused_adamw_(tensors, gradients, of_group(exp_avg_), of_group(exp_avg_sq_), {}, steps,
                        rates[g], options_.beta1, options_.beta2, options_.weight_decay,
                        options_.eps, /*amsgrad=*/false, /*maximize=*/false, scale, skip);
    }
    begin = end;
  }
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

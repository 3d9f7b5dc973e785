#include "raven/train/finite_watch.h"

#include <c10/core/impl/VirtualGuardImpl.h>

namespace raven::train {

torch::Tensor FiniteWatch::bad_flag(const std::vector<torch::Tensor>& values) {
  torch::NoGradGuard no_grad;
  return torch::stack(values).isfinite().all().logical_not().to(torch::kFloat32);
}

void FiniteWatch::record(Step step, const torch::Tensor& bad) {
  step_ = std::move(step);
  copied_.reset();
  if (bad.is_cpu()) {
    flag_ = bad;
    return;
  }
  if (!flag_.defined()) {
    flag_ = torch::empty({}, torch::TensorOptions(torch::kFloat32).pinned_memory(true));
  }
  flag_.copy_(bad, /*non_blocking=*/true);
  const c10::impl::VirtualGuardImpl guard(bad.device().type());
  copied_.emplace(bad.device().type());
  copied_->record(guard.getStream(bad.device()));
}

std::optional<FiniteWatch::Step> FiniteWatch::check() {
  if (!step_) return std::nullopt;
  if (copied_) copied_->synchronize();
  auto step = std::move(step_);
  step_.reset();
  if (flag_.item<float>() == 0.0F) return std::nullopt;
  return step;
}

}  // namespace raven::train

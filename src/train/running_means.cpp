#include "raven/train/running_means.h"

namespace raven::train {
namespace {

constexpr std::string_view kSum = "mean.sum.";
constexpr const char* kSteps = "mean.steps";

}  // namespace

void RunningMeans::add(const NamedTensors& values) {
  torch::NoGradGuard no_grad;
  for (const auto& [name, value] : values) {
    auto& sum = sums_[name];
    if (sum.defined()) {
      sum += value;
    } else {
      sum = value.detach().to(torch::kFloat32).clone();
    }
  }
  ++steps_;
}

Numbers RunningMeans::take() {
  Numbers means;
  for (const auto& [name, sum] : sums_) {
    means[name] = sum.item<double>() / static_cast<double>(steps_);
  }
  sums_.clear();
  steps_ = 0;
  return means;
}

Numbers RunningMeans::save() const {
  Numbers saved;
  if (steps_ == 0) return saved;
  saved[kSteps] = static_cast<double>(steps_);
  for (const auto& [name, sum] : sums_) saved[std::string(kSum) + name] = sum.item<double>();
  return saved;
}

void RunningMeans::restore(const Numbers& saved, const torch::Device& device) {
  sums_.clear();
  const auto steps = saved.find(kSteps);
  steps_ = steps == saved.end() ? 0 : static_cast<std::int64_t>(steps->second);
  for (const auto& [name, value] : saved) {
    if (name.rfind(kSum, 0) != 0) continue;
    sums_[name.substr(kSum.size())] =
        torch::full({}, value, torch::TensorOptions(torch::kFloat32).device(device));
  }
}

}  // namespace raven::train

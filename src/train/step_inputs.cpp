#include "raven/train/step_inputs.h"

#include <algorithm>

#include "raven/core/error.h"

namespace raven::train {
namespace {

/// In the order in which make_scalars() gives out places.
std::vector<double> in_order(const StepNumbers& numbers) {
  std::vector<double> values;
  for (const auto& rates : numbers.rates) values.insert(values.end(), rates.begin(), rates.end());
  for (const auto& counts : numbers.counts) {
    for (const auto& [loss, count] : counts) values.push_back(std::max(count, 1.0));
  }
  for (const auto& [name, setting] : numbers.settings) values.push_back(setting);
  return values;
}

const torch::Tensor& of(const std::map<std::string, torch::Tensor>& tensors,
                        const std::string& name) {
  const auto found = tensors.find(name);
  RAVEN_CHECK(found != tensors.end(), "a step was not told {}", name);
  return found->second;
}

}  // namespace

StepInputs::StepInputs(const torch::Device& device, const StepNumbers& numbers) : device_(device) {
  set(numbers);
}

void StepInputs::set(const StepNumbers& numbers) {
  seeds_ = numbers.seeds;
  std::vector<std::int64_t> bits;
  for (const auto seed : seeds_) bits.push_back(static_cast<std::int64_t>(seed));
  const auto exact = torch::tensor(in_order(numbers), torch::kFloat64);
  const auto seed_bits = torch::tensor(bits, torch::kInt64);
  batch_ = 0;
  const bool told_before = !rates_.empty() || !counts_.empty() || !settings_.empty();
  const bool same_batches = told_before && counts_.size() == numbers.counts.size() &&
                            device_seeds_.numel() == seed_bits.numel();
  if (!same_batches) {
    float64_ = exact.to(device_);
    float32_ = float64_.to(torch::kFloat32);
    device_seeds_ = seed_bits.to(device_);
    make_scalars(numbers);
    return;
  }
  check_names(numbers);
  float64_.copy_(exact, /*non_blocking=*/true);
  float32_.copy_(float64_);
  device_seeds_.copy_(seed_bits, /*non_blocking=*/true);
}

StepInputs::OfBatch StepInputs::begin_batch(std::size_t batch) {
  RAVEN_CHECK(batch < counts_.size(), "a step was not told of batch {}", batch);
  batch_ = batch;
  if (seeds_.empty()) return OfBatch();
  torch::manual_seed(seeds_.at(batch));
  if (!device_.is_cuda()) return OfBatch();
  return OfBatch(seed_of(batch));
}

void StepInputs::check_names(const StepNumbers& numbers) const {
  const auto same = [](const auto& tensors, const auto& values) {
    return std::ranges::equal(
        tensors, values, {}, [](const auto& one) { return one.first; },
        [](const auto& one) { return one.first; });
  };
  const auto same_size = [](const auto& a, const auto& b) { return a.size() == b.size(); };
  RAVEN_CHECK(std::ranges::equal(counts_, numbers.counts, same) &&
                  same(settings_, numbers.settings) &&
                  std::ranges::equal(rates_, numbers.rates, same_size),
              "a step was told other names or rates than the first one");
}

void StepInputs::make_scalars(const StepNumbers& numbers) {
  rates_.clear(), counts_.clear(), settings_.clear();
  std::int64_t next = 0;
  for (const auto& groups : numbers.rates) {
    auto& rates = rates_.emplace_back();
    for (std::size_t i = 0; i < groups.size(); ++i)
      rates.push_back((device_.is_cpu() ? float64_ : float32_)[next++]);
  }
  for (const auto& of_batch : numbers.counts) {
    auto& counts = counts_.emplace_back();
    for (const auto& [loss, count] : of_batch) counts[loss] = float32_[next++];
  }
  for (const auto& [name, setting] : numbers.settings) settings_[name] = float64_[next++];
}

const std::vector<torch::Tensor>& StepInputs::rates(std::size_t parameter_set) const {
  RAVEN_CHECK(parameter_set < rates_.size(), "no rates for parameter set {}", parameter_set);
  return rates_[parameter_set];
}

const torch::Tensor& StepInputs::count(const std::string& loss) const {
  RAVEN_CHECK(batch_ < counts_.size(), "a step was not told of batch {}", batch_);
  return of(counts_[batch_], loss);
}

const torch::Tensor& StepInputs::setting(const std::string& name) const {
  return of(settings_, name);
}

}  // namespace raven::train

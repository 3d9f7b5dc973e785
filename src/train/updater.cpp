#include "raven/train/updater.h"

#include <algorithm>
#include <map>
#include <sstream>

#include "raven/report/metric_names.h"
#include "raven/train/finite_watch.h"

namespace raven::train {
namespace {

using report::metric;

/// In float64, where the order of a few terms is lost.
void add_to(NamedTensors& sums, const NamedTensors& values) {
  if (sums.empty()) {
    for (const auto& [name, value] : values) sums.emplace_back(name, value.to(torch::kFloat64));
    return;
  }
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i].second = sums[i].second + values[i].second;
}

/// Backward comes to the last layers first. Each set has a backward of its own, in their order.
std::vector<torch::Tensor> in_order_of_backward(Task& task, const std::vector<AdamW>& optimizers) {
  std::map<const void*, std::size_t> position;  // as the module registers them
  for (const auto& parameter : task.module().parameters())
    position.emplace(parameter.unsafeGetTensorImpl(), position.size());
  std::vector<torch::Tensor> all;
  for (const auto& optimizer : optimizers) {
    const auto begin = std::ssize(all);
    for (const auto& [name, parameter] : optimizer.parameters()) all.push_back(parameter);
    std::sort(all.begin() + begin, all.end(), [&](const auto& a, const auto& b) {
      return position.at(a.unsafeGetTensorImpl()) > position.at(b.unsafeGetTensorImpl());
    });
  }
  return all;
}

}  // namespace

Updater::Updater(Task& task, const config::OptimizerConfig& options, const RunLength& length,
                 const torch::Device& device, distributed::Communicator& ranks,
                 const AcrossRanks& across)
    : task_(task),
      device_(device),
      ranks_(ranks),
      across_(across),
      inputs_(device),
      statistics_(task.module(), across.statistics, ranks) {
  const auto shard =
      is_sharded() ? StateShard{.rank = ranks.rank(), .ranks = ranks.size()} : StateShard{};
  for (auto& set : task_.parameter_sets()) {
    auto& rates = rates_.emplace_back();
    for (const auto& group : set.groups) {
      rates.push_back({.group = group.name,
                       .rate = {.peak = group.lr, .minimum = options.min_lr, .length = length}});
    }
    optimizers_.emplace_back(set.name, set.groups,
                             AdamWOptions{.beta1 = options.beta1,
                                          .beta2 = options.beta2,
                                          .eps = options.eps,
                                          .weight_decay = options.weight_decay,
                                          .max_grad_norm = options.max_grad_norm},
                             shard);
  }
  // Own statistics are taken so that the number of ranks does not show: nor may the order of sums.
  exact_ = across.statistics == config::BatchStatistics::kOwn;
  if (ranks.size() > 1 || exact_) {
    sums_.emplace(in_order_of_backward(task_, optimizers_), ranks,
                  exact_ ? torch::kFloat64 : torch::kFloat32);
  }
}

/// All ranks have the same names.
void Updater::add_up(Counts& counts) const {
  if (ranks_.size() == 1) return;
  std::vector<double> values;
  for (const auto& [name, count] : counts) values.push_back(count);
  const auto sums = torch::tensor(values, torch::kFloat64);
  ranks_.sum({sums});
  const auto* sum = sums.data_ptr<double>();
  for (auto& [name, count] : counts) count = *sum++;
}

/// Of all ranks, batches of this step.
std::int64_t Updater::add_up_batches(std::int64_t batches) const {
  const auto sum = torch::tensor(batches, torch::kInt64);
  ranks_.sum({sum});
  return sum.item<std::int64_t>();
}

/// Those of a rank without a batch are 0; rank 0 tells it their names.
void Updater::add_up(NamedTensors& values, std::int64_t all_batches) {
  if (all_batches < ranks_.size() && value_names_.empty()) {
    std::string names;
    for (const auto& [name, value] : values) names += name + "\n";
    std::istringstream of_first(distributed::texts_of_all(ranks_, names).front());
    for (std::string name; std::getline(of_first, name);) value_names_.push_back(name);
  }
  if (values.empty()) {
    for (const auto& name : value_names_)
      values.emplace_back(name,
                          torch::zeros({}, torch::TensorOptions(torch::kFloat64).device(device_)));
  }
  std::vector<torch::Tensor> tensors;
  for (auto& [name, value] : values) tensors.push_back(value);
  ranks_.sum(tensors);
  for (auto& [name, value] : values) value = value.to(torch::kFloat32);
}

/// What each batch divides its sums by, so that all batches' shares add up to the mean of the step.
std::vector<Counts> Updater::counts_of(const std::vector<Batch>& batches) const {
  if (task_.loss_mean() == config::LossMean::kStep) {
    auto counts = task_.count(batches);
    add_up(counts);
    return std::vector<Counts>(batches.size(), counts);
  }
  const auto of_step = static_cast<double>(add_up_batches(std::ssize(batches)));
  std::vector<Counts> counts;
  for (const auto& batch : batches) {
    for (auto& [loss, count] : counts.emplace_back(task_.count({batch})))
      count = std::max(count, 1.0) * of_step;
  }
  return counts;
}

StepNumbers Updater::numbers_of(const std::vector<Batch>& batches,
                                const StepOptions& options) const {
  StepNumbers numbers{.counts = counts_of(batches), .settings = task_.settings_at(options.step)};
  for (const auto& groups : rates_) {
    auto& rates = numbers.rates.emplace_back();
    for (const auto& group : groups) rates.push_back(group.rate.at(options.step));
  }
  for (std::int64_t i = 0; options.seed && i < std::ssize(batches); ++i)
    numbers.seeds.push_back(options.seed(i * ranks_.size() + ranks_.rank()));
  return numbers;
}

StepValues Updater::gradients(const std::vector<data::Batch>& batches, const StepOptions& options) {
  std::vector<Batch> step;
  for (const auto& batch : batches) step.emplace_back(batch, batch.num_frames());
  return gradients(step, options);
}

StepValues Updater::gradients(const std::vector<Batch>& batches, const StepOptions& options) {
  StepValues result{.values = {},
                    .norms = {},
                    .measures = {},
                    .bad = {},
                    .numbers = numbers_of(batches, options)};
  inputs_.set(result.numbers);
  const auto all_batches = add_up_batches(std::ssize(batches));
  statistics_.begin(all_batches);
  for (auto& optimizer : optimizers_) optimizer.zero_grad();
  const auto own_batches = static_cast<double>(std::ssize(batches));
  for (std::size_t i = 0; i < batches.size(); ++i) {
    const auto of_batch = inputs_.begin_batch(i);
    const auto in_step = static_cast<std::int64_t>(i) * ranks_.size() + ranks_.rank();
    statistics_.begin_batch(in_step);
    if (sums_) sums_->begin_batch(/*last=*/i + 1 == batches.size());
    auto part = task_.add_gradients(batches[i], device_, inputs_, options.measure);
    statistics_.end_batch(in_step);
    part.losses.emplace_back(metric("loss"), part.loss);
    add_to(result.values, part.losses);
    for (const auto& [name, value] : part.measures) result.measures[name] += value / own_batches;
  }
  if (sums_) sums_->finish();
  statistics_.end();
  add_up(result.values, all_batches);
  for (const auto& optimizer : optimizers_) {
    result.norms.push_back(optimizer.grad_norm());
    result.values.emplace_back(metric("grad_norm_<set>", optimizer.name()), result.norms.back());
  }
  result.values.emplace_back(metric("grad_norm"), torch::stack(result.norms).norm());
  std::vector<torch::Tensor> all;
  for (const auto& [name, value] : result.values) all.push_back(value);
  result.bad = FiniteWatch::bad_flag(all);
  return result;
}

void Updater::apply(const StepValues& gradients) {
  for (std::size_t i = 0; i < optimizers_.size(); ++i)
    optimizers_[i].step(inputs_.rates(i), gradients.norms.at(i), gradients.bad);
  if (is_sharded()) spread_weights();
  task_.after_update(inputs_, gradients.bad);
}

/// Each rank has updated its share.
void Updater::spread_weights() {
  for (std::int64_t rank = 0; rank < ranks_.size(); ++rank) {
    std::vector<torch::Tensor> updated;
    for (const auto& optimizer : optimizers_) {
      for (std::size_t i = 0; i < optimizer.parameters().size(); ++i) {
        if (optimizer.owners()[i] == rank) updated.push_back(optimizer.parameters()[i].second);
      }
    }
    if (!updated.empty()) ranks_.broadcast(updated, rank);
  }
}

Numbers Updater::rates_at(std::int64_t step) const {
  Numbers rates{{metric("lr"), rates_.front().front().rate.at(step)}};
  for (const auto& groups : rates_) {
    for (const auto& group : groups) {
      rates[metric("lr_<group>", group.group)] = group.rate.at(step);
    }
  }
  return rates;
}

NamedTensors Updater::state() const {
  NamedTensors all;
  for (const auto& optimizer : optimizers_) {
    for (auto& item : optimizer.state()) all.push_back(std::move(item));
  }
  return all;
}

NamedTensors Updater::common_state() const {
  if (!is_sharded()) return state();
  NamedTensors all;
  for (const auto& optimizer : optimizers_)
    all.emplace_back(optimizer.name() + ".step", optimizer.steps_done());
  return all;
}

/// One tensor at a time: ranks that neither have nor want it only lend memory for it.
void Updater::fetch_state(const NamedTensors& whole) const {
  const torch::NoGradGuard no_grad;
  std::size_t at = 0;  // in `whole`
  for (const auto& optimizer : optimizers_) {
    ++at;  // its step
    std::size_t k = 0;
    for (const auto& [name, tensor] : optimizer.state()) {
      if (k++ == 0) continue;
      const auto owner = optimizer.owners()[(k - 2) / 2];
      const auto wanted = at++;
      if (owner == 0) continue;
      auto numbers = tensor.is_meta() ? torch::empty(tensor.sizes(), tensor.scalar_type())
                                      : tensor.detach().cpu().contiguous();
      ranks_.broadcast({numbers}, owner);
      if (ranks_.rank() != 0) continue;
      auto into = whole.at(wanted).second;
      into.copy_(numbers);
    }
  }
}

}  // namespace raven::train

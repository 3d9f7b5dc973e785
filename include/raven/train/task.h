// What the trainer asks of a training stage.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "raven/config/run_config.h"
#include "raven/data/sample.h"
#include "raven/train/batch.h"
#include "raven/train/metrics.h"
#include "raven/train/optimizer.h"
#include "raven/train/step_inputs.h"

namespace raven::train {

/// What one optimiser trains; its gradients are clipped together.
struct ParameterSet {
  std::string name;                    // "video"
  std::vector<ParameterGroup> groups;  // "lr" of a report is the first one's

  [[nodiscard]] NamedTensors parameters() const {
    NamedTensors all;
    for (const auto& group : groups)
      all.insert(all.end(), group.parameters.begin(), group.parameters.end());
    return all;
  }
};

/// One batch's share of a step. Tensors stay on the device.
struct StepPart {
  torch::Tensor
      loss;  // () weighted sum of all losses; shares of a step's batches add up to its loss
  NamedTensors losses;  // () each, unweighted: "<loss>"; they add up as well
  Numbers measures;     // only when asked for
};

class Task {
 public:
  Task() = default;
  virtual ~Task() = default;
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  /// All that a checkpoint holds; its registered names are the checkpoint's.
  virtual torch::nn::Module& module() = 0;
  /// One optimiser each; disjoint.
  virtual std::vector<ParameterSet> parameter_sets() = 0;
  /// How many targets each loss has in these batches, which are on the CPU; from them comes what
  /// add_gradients() divides by, inputs.count(name). The same names in every step.
  [[nodiscard]] virtual Counts count(const std::vector<Batch>& batches) const = 0;
  [[nodiscard]] virtual config::LossMean loss_mean() const { return config::LossMean::kStep; }
  /// Forward and backward of one batch, which goes to the device first: adds its share of the
  /// gradients. With `measure` it also looks at the features, which waits for the device.
  virtual StepPart add_gradients(const Batch& batch, const torch::Device& device,
                                 const StepInputs& inputs, bool measure) = 0;
  /// After the optimisers' update of a step. `bad`: () float32 on the device, 1 when that update
  /// was skipped; no weight may change then, and nothing may wait to learn it.
  virtual void after_update(const StepInputs& inputs, const torch::Tensor& bad) = 0;
  /// Numbers that follow `step`, counted from 0 (momentum): the step is told them as
  /// StepInputs::setting(), and a report shows them. The same names in every step.
  [[nodiscard]] virtual Numbers settings_at(std::int64_t step) const = 0;
  /// Evaluates held-out data; changes nothing that training depends on. Ends early, with no
  /// numbers, when `stop` is asked for.
  virtual Numbers evaluate(const std::stop_token& stop) = 0;
  /// What the finished run is for, as files in its folder.
  virtual void export_results(const std::filesystem::path& run) = 0;

  /// For the report of a step with NaN or Inf: a batch's tensors on the CPU, and what is kept
  /// beside them ("ids", one a line).
  [[nodiscard]] virtual NamedTensors tensors_of(const Batch& /*batch*/) const { return {}; }
  [[nodiscard]] virtual std::map<std::string, std::string> origin_of(const Batch& /*batch*/) const {
    return {};
  }
};

/// A task whose batches hold `Content`.
template <class Content>
class TaskOf : public Task {
 public:
  [[nodiscard]] virtual Counts count_targets(const std::vector<Content>& batches) const = 0;
  /// `batch` is on the device.
  virtual StepPart backward(const Content& batch, const StepInputs& inputs, bool measure) = 0;

  [[nodiscard]] Counts count(const std::vector<Batch>& batches) const final {
    std::vector<Content> contents;
    for (const auto& batch : batches) contents.push_back(batch.as<Content>());
    return count_targets(contents);
  }
  StepPart add_gradients(const Batch& batch, const torch::Device& device, const StepInputs& inputs,
                         bool measure) final {
    const auto& content = batch.as<Content>();
    if constexpr (requires { content.to(device); })
      return backward(content.to(device), inputs, measure);
    else
      return backward(content, inputs, measure);
  }
};

/// A task that learns from clips.
class ClipTask : public TaskOf<data::Batch> {
 public:
  [[nodiscard]] NamedTensors tensors_of(const Batch& batch) const override;
  [[nodiscard]] std::map<std::string, std::string> origin_of(const Batch& batch) const override;
};

}  // namespace raven::train

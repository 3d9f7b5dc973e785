// AdamW on one set of parameters, and the clipping of its gradients, both without waiting for the
// device.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <string>
#include <vector>

#include "raven/nn/state_dict.h"

namespace raven::train {

using NamedTensors = nn::StateDict;

/// Parameters that move at one rate.
struct ParameterGroup {
  std::string name;  // "video", "block_3"
  NamedTensors parameters;
  double lr = 0;  // peak
};

struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.04;  // decoupled; applied to every parameter
  double max_grad_norm = 3.0;
};

/// Which of the ranks keeps what of the optimisers' state (ZeRO-1: Rajbhandari et al., arXiv
/// 1910.02054). Of one rank: all.
struct StateShard {
  std::int64_t rank = 0, ranks = 1;
};

/// Decoupled weight decay regularisation (Loshchilov and Hutter, arXiv 1711.05101), as
/// torch.optim.AdamW. The state of every parameter exists from the start, so that a checkpoint
/// always has the same names.
class AdamW {
 public:
  /// `name` prefixes the state's tensors. Parameters keep their names; they must live on one
  /// device. Of a shard the averages of other ranks' parameters take no memory: they are tensors
  /// without numbers (meta), and step() leaves these parameters as they are.
  AdamW(std::string name, const std::vector<ParameterGroup>& groups, const AdamWOptions& options,
        const StateShard& shard = {});
  /// One group.
  AdamW(std::string name, NamedTensors parameters, const AdamWOptions& options);

  /// Gradients become undefined; the next backward allocates them (cheaper than filling with
  /// zeros).
  void zero_grad();

  /// L2 norm over the gradients of all parameters, a float32 scalar on the device; NaN or Inf when
  /// any gradient is. A parameter without gradient counts as 0.
  [[nodiscard]] torch::Tensor grad_norm() const;

  /// One update with the gradients scaled by min(1, max_grad_norm / (norm + 1e-6)); `rates` has one
  /// rate for each group, () on the device: float64 on a CPU, float32 on a GPU. Does nothing when
  /// `bad`, a float32 scalar on the device, is 1.
  void step(const std::vector<torch::Tensor>& rates, const torch::Tensor& norm,
            const torch::Tensor& bad);

  /// `<name>.step`, `<name>.exp_avg.<parameter>`, `<name>.exp_avg_sq.<parameter>`; the tensors
  /// themselves.
  [[nodiscard]] NamedTensors state() const;

  /// The rank that keeps the state of each parameter and updates it.
  [[nodiscard]] const std::vector<std::int64_t>& owners() const { return owners_; }
  /// Updates done: the state that every rank has.
  [[nodiscard]] const torch::Tensor& steps_done() const { return step_; }

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const NamedTensors& parameters() const { return parameters_; }

 private:
  std::string name_;
  NamedTensors parameters_;
  AdamWOptions options_;
  std::vector<torch::Tensor> tensors_, exp_avg_, exp_avg_sq_;  // group after group
  std::vector<std::size_t> group_ends_;                        // index behind a group's last tensor
  std::vector<std::int64_t> owners_;                           // of each tensor, ascending
  std::size_t own_begin_ = 0, own_end_ = 0;                    // this rank's tensors
  torch::Tensor step_;  // updates done, one for all parameters
};

}  // namespace raven::train

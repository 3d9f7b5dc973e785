// How batch normalisation learns what other ranks have, when a batch is spread over several.
#pragma once

#include <torch/torch.h>

namespace raven::nn {

/// Adds numbers up over ranks. Every rank has to call it equally often, with tensors of the same
/// sizes in the same order, so all of them run the same layers in train mode.
class StatisticsReducer {
 public:
  StatisticsReducer() = default;
  StatisticsReducer(const StatisticsReducer&) = delete;
  StatisticsReducer& operator=(const StatisticsReducer&) = delete;
  virtual ~StatisticsReducer() = default;

  /// Replaces `numbers`, contiguous float64 on the network's device, by their sum over all ranks.
  /// Called in forward and in backward passes, from the thread that runs them.
  virtual void sum(torch::Tensor& numbers) = 0;
};

}  // namespace raven::nn

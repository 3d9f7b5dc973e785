// What attentions compute between their projections. Which loops, kernels or operators do it is
// decided here. Shapes: B utterances, T frames, H heads, d width of a head, D = H d; S hypotheses
// of each utterance, all with the same number U of units.
#pragma once

#include <torch/torch.h>

#include <vector>

namespace raven::nn::backend {

/// Self-attention with relative positions, from projections to mixed values.
struct RelativeAttention {
  torch::Tensor q, k, v;        // (B, T, D)
  torch::Tensor positions;      // (2T-1, D)
  torch::Tensor content_bias;   // (H, d)
  torch::Tensor position_bias;  // (H, d)
  torch::Tensor valid;          // (B, T) bool or undefined: all keys are seen
  std::int64_t heads = 1;
  double dropout = 0;  // of the weights
};

/// (B, T, D), with gradients when these are enabled.
torch::Tensor attend(const RelativeAttention& input);

/// Softmax over keys; those where `visible` is false get a weight of exactly 0, even where none is
/// visible. Undefined: all are.
torch::Tensor attention_weights(const torch::Tensor& scores, const torch::Tensor& visible);

/// Scaled dot-product attention of the newest units to the prefixes that they continue. Each step's
/// keys and values lie as they came, for all hypotheses of that step.
struct PrefixAttention {
  torch::Tensor query;                       // (B, S, D)
  const std::vector<torch::Tensor>& keys;    // of U steps, (rows, D)
  const std::vector<torch::Tensor>& values;  // of U steps, (rows, D)
  torch::Tensor places;                      // (B, S, U) int64: row of a prefix in each step
  torch::Tensor visible;                     // (B, S, U) bool or undefined
  std::int64_t heads = 1;
};

/// (B, S, D), with gradients when these are enabled.
torch::Tensor attend(const PrefixAttention& input);

}  // namespace raven::nn::backend

// Attention of a search's newest units to their prefixes on a CPU, in float32, without copying the
// prefixes together. No Torch here: the same loop is compiled for several instruction sets
// (prefix_attention_loop.cpp).
#pragma once

#include <cstdint>

namespace raven::nn::kernels {

/// What hypotheses look at. Shapes: N hypotheses, U units of each, D = heads * width.
struct Prefixes {
  const float* const* keys = nullptr;    // for each of U steps: rows of D numbers ...
  const float* const* values = nullptr;  // ... for every hypothesis that the step had
  const std::int64_t* places = nullptr;  // (N, U): in which row of a step a hypothesis' past is
  const bool* visible = nullptr;         // (N, U), or nullptr: all of them
  std::int64_t units = 0, heads = 0, width = 0;
};

/// Scaled dot-product attention of rows [first, last) of `query` (N, D) into `mixed` (N, D).
/// `weights` has room for heads * units numbers.
using PrefixAttentionLoop = void (*)(const float* query, const Prefixes& prefixes,
                                     std::int64_t first, std::int64_t last, float* weights,
                                     float* mixed);

/// For the best instruction set of this machine.
PrefixAttentionLoop prefix_attention_loop();

extern const PrefixAttentionLoop kPrefixAttentionGeneric;
extern const PrefixAttentionLoop kPrefixAttentionAvx2;
extern const PrefixAttentionLoop kPrefixAttentionAvx512;

}  // namespace raven::nn::kernels

#include "nn/kernels/prefix_attention_kernels.h"

#include "nn/kernels/instruction_set.h"

namespace raven::nn::kernels {

PrefixAttentionLoop prefix_attention_loop() {
  static const auto& best =
      best_of(kPrefixAttentionGeneric, kPrefixAttentionAvx2, kPrefixAttentionAvx512);
  return best;
}

}  // namespace raven::nn::kernels

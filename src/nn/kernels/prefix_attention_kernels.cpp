#include "nn/kernels/prefix_attention_kernels.h"

namespace raven::nn::kernels {

PrefixAttentionLoop prefix_attention_loop() {
#if defined(__x86_64__)
  static const PrefixAttentionLoop best =
      __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
              __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")
          ? kPrefixAttentionAvx512
      : __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? kPrefixAttentionAvx2
                                                                        : kPrefixAttentionGeneric;
  return best;
#else
  return kPrefixAttentionGeneric;
#endif
}

}  // namespace raven::nn::kernels

#include "nn/kernels/batch_norm_kernels.h"

namespace raven::nn::kernels {

const BatchNormLoops& batch_norm_loops() {
#if defined(__x86_64__)
  static const BatchNormLoops& best =
      __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
              __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")
          ? kBatchNormLoopsAvx512
      : __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? kBatchNormLoopsAvx2
                                                                        : kBatchNormLoopsGeneric;
  return best;
#else
  return kBatchNormLoopsGeneric;
#endif
}

}  // namespace raven::nn::kernels

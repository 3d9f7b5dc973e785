#include "nn/kernels/packed_product_kernels.h"

namespace raven::nn::kernels {

const PackedProduct& packed_product() {
#if defined(__x86_64__)
  static const PackedProduct& best =
      __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
              __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")
          ? kPackedProductAvx512
      : __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? kPackedProductAvx2
                                                                        : kPackedProductGeneric;
  return best;
#else
  return kPackedProductGeneric;
#endif
}

}  // namespace raven::nn::kernels

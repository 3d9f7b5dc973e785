#include "nn/kernels/batch_norm_kernels.h"
#include "nn/kernels/instruction_set.h"
#include "nn/kernels/packed_product_kernels.h"
#include "nn/kernels/prefix_attention_kernels.h"

namespace raven::nn::kernels {

InstructionSet best_instruction_set() {
#if defined(__x86_64__)
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
    return InstructionSet::kGeneric;
  }
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                 __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")
             ? InstructionSet::kAvx512
             : InstructionSet::kAvx2;
#else
  return InstructionSet::kGeneric;
#endif
}

const BatchNormLoops& batch_norm_loops() {
  static const auto& best =
      best_of(kBatchNormLoopsGeneric, kBatchNormLoopsAvx2, kBatchNormLoopsAvx512);
  return best;
}

const PackedProduct& packed_product() {
  static const auto& best =
      best_of(kPackedProductGeneric, kPackedProductAvx2, kPackedProductAvx512);
  return best;
}

PrefixAttentionLoop prefix_attention_loop() {
  static const auto best =
      best_of(kPrefixAttentionGeneric, kPrefixAttentionAvx2, kPrefixAttentionAvx512);
  return best;
}

}  // namespace raven::nn::kernels

#include "nn/kernels/instruction_set.h"

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

}  // namespace raven::nn::kernels

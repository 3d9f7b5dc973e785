#include "nn/kernels/batch_norm_kernels.h"

#include "nn/kernels/instruction_set.h"

namespace raven::nn::kernels {

const BatchNormLoops& batch_norm_loops() {
  static const auto& best =
      best_of(kBatchNormLoopsGeneric, kBatchNormLoopsAvx2, kBatchNormLoopsAvx512);
  return best;
}

}  // namespace raven::nn::kernels

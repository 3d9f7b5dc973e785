#include "nn/kernels/packed_product_kernels.h"

#include "nn/kernels/instruction_set.h"

namespace raven::nn::kernels {

const PackedProduct& packed_product() {
  static const auto& best =
      best_of(kPackedProductGeneric, kPackedProductAvx2, kPackedProductAvx512);
  return best;
}

}  // namespace raven::nn::kernels

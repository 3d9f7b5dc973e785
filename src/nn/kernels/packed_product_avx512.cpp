#define RAVEN_PRODUCT kPackedProductAvx512
#include "nn/kernels/packed_product_loop.inc"

#define RAVEN_PRODUCT kPackedProductAvx2
#include "nn/kernels/packed_product_loop.inc"

#define RAVEN_PRODUCT kPackedProductGeneric
#include "nn/kernels/packed_product_loop.inc"

#define RAVEN_LOOPS kBatchNormLoopsGeneric
#include "nn/kernels/batch_norm_loops.inc"

#define RAVEN_LOOPS kBatchNormLoopsAvx512
#include "nn/kernels/batch_norm_loops.inc"

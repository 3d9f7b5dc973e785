#define RAVEN_LOOPS kBatchNormLoopsAvx2
#include "nn/kernels/batch_norm_loops.inc"

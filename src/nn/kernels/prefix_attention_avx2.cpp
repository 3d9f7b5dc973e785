#define RAVEN_LOOP kPrefixAttentionAvx2
#include "nn/kernels/prefix_attention_loop.inc"

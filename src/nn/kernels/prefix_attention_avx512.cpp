#define RAVEN_LOOP kPrefixAttentionAvx512
#include "nn/kernels/prefix_attention_loop.inc"

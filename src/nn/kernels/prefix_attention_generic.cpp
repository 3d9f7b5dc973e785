#define RAVEN_LOOP kPrefixAttentionGeneric
#include "nn/kernels/prefix_attention_loop.inc"

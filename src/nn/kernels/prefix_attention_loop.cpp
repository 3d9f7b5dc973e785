// Compiled once for each instruction set (RAVEN_INSTRUCTION_SET). Only plain loops, for the reason
// given in batch_norm_loops.cpp.

#include "nn/kernels/instruction_set.h"
#include "nn/kernels/prefix_attention_kernels.h"

extern "C" float expf(float);

namespace raven::nn::kernels {
namespace {

constexpr std::int64_t kLanes = 16;

static inline __attribute__((always_inline)) float dot(const float* a, const float* b,
                                                       std::int64_t size) {
  float sums[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
    for (std::int64_t lane = 0; lane < kLanes; ++lane) sums[lane] += a[i + lane] * b[i + lane];
  }
  float sum = 0;
  for (; i < size; ++i) sum += a[i] * b[i];
  for (std::int64_t lane = 0; lane < kLanes; ++lane) sum += sums[lane];
  return sum;
}

/// Scores to weights that add up to 1; those of units that are not visible become 0.
static void softmax(float* weights, const bool* visible, std::int64_t size) {
  float largest = -3.402823466e38F, sum = 0;
  for (std::int64_t u = 0; u < size; ++u) {
    if ((visible == nullptr || visible[u]) && weights[u] > largest) largest = weights[u];
  }
  for (std::int64_t u = 0; u < size; ++u) {
    weights[u] = visible == nullptr || visible[u] ? expf(weights[u] - largest) : 0;
    sum += weights[u];
  }
  const float scale = sum > 0 ? 1 / sum : 0;
  for (std::int64_t u = 0; u < size; ++u) weights[u] *= scale;
}

void attend(const float* query, const Prefixes& p, std::int64_t first, std::int64_t last,
            float* weights, float* mixed) {
  const std::int64_t dim = p.heads * p.width;
  const float scale = 1 / __builtin_sqrtf(static_cast<float>(p.width));
  for (std::int64_t n = first; n < last; ++n) {
    const std::int64_t* places = p.places + n * p.units;
    const float* q = query + n * dim;
    for (std::int64_t u = 0; u < p.units; ++u) {
      const float* key = p.keys[u] + places[u] * dim;
      for (std::int64_t h = 0; h < p.heads; ++h) {
        weights[h * p.units + u] = scale * dot(q + h * p.width, key + h * p.width, p.width);
      }
    }
    const bool* visible = p.visible == nullptr ? nullptr : p.visible + n * p.units;
    for (std::int64_t h = 0; h < p.heads; ++h) softmax(weights + h * p.units, visible, p.units);
    float* __restrict out = mixed + n * dim;
    for (std::int64_t i = 0; i < dim; ++i) out[i] = 0;
    for (std::int64_t u = 0; u < p.units; ++u) {
      const float* value = p.values[u] + places[u] * dim;
      for (std::int64_t h = 0; h < p.heads; ++h) {
        const float weight = weights[h * p.units + u];
        for (std::int64_t i = h * p.width; i < (h + 1) * p.width; ++i) out[i] += weight * value[i];
      }
    }
  }
}

}  // namespace

const PrefixAttentionLoop RAVEN_COPY_OF(kPrefixAttention) = attend;

}  // namespace raven::nn::kernels

// Compiled once for each instruction set (RAVEN_INSTRUCTION_SET). Nothing of the standard library,
// for the reason given in batch_norm_loops.cpp.
//
// A strip of rows against one panel: its sums stay in registers while the inputs go by. The strips
// of a panel come one after another, so that all but the first find it in the cache, and each of
// them fetches its share of the next panel from memory meanwhile.

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "nn/kernels/instruction_set.h"
#include "nn/kernels/packed_product_kernels.h"

namespace raven::nn::kernels {
namespace {

// Two sums a row, the panel's two vectors and one input stay in registers.
#if defined(__AVX512F__)
constexpr int kBytes = 64, kRows = 12;
#elif defined(__AVX2__)
constexpr int kBytes = 32, kRows = 6;
#else
constexpr int kBytes = 16, kRows = 6;
#endif
constexpr std::int64_t kLanes = kBytes / sizeof(float), kWidth = 2 * kLanes;
constexpr std::uintptr_t kLineBytes = 64, kPanelRowBytes = kWidth * sizeof(float);  // of an input

typedef float Lanes __attribute__((vector_size(kBytes)));

static inline __attribute__((always_inline)) Lanes load(const float* from) {
  Lanes lanes;
  __builtin_memcpy(&lanes, from, sizeof lanes);
  return lanes;
}

static inline __attribute__((always_inline)) void store(Lanes lanes, float* to) {
  __builtin_memcpy(to, &lanes, sizeof lanes);
}

/// One rounding, so that a row has the same bits whatever the strip that it is in: left to itself
/// the compiler fuses in some strips and not in others.
static inline __attribute__((always_inline)) Lanes multiply_add(float x, Lanes weights, Lanes sum) {
#if defined(__AVX512F__)
  return _mm512_fmadd_ps(_mm512_set1_ps(x), weights, sum);
#elif defined(__AVX2__) && defined(__FMA__)
  return _mm256_fmadd_ps(_mm256_set1_ps(x), weights, sum);
#else
  return sum + x * weights;
#endif
}

struct Strip {
  const float* x;             // Rows rows of `inputs` numbers
  const float* panel;         // (inputs, kWidth)
  const float* bias;          // kWidth numbers
  std::uintptr_t ahead;       // where this strip's share of the next panel begins ...
  std::uintptr_t ahead_step;  // ... and how much of it to fetch for each input, in 1/256 byte
  float* y;                   // Rows rows of `outputs` numbers, `width` of them are this panel's
  std::int64_t inputs, outputs, width;
};

template <int Rows>
void multiply_strip(const Strip& s) {
  Lanes low[Rows], high[Rows];
  for (int r = 0; r < Rows; ++r) low[r] = load(s.bias), high[r] = load(s.bias + kLanes);
  for (std::int64_t k = 0; k < s.inputs; ++k) {
    const std::uintptr_t next = s.ahead + (static_cast<std::uintptr_t>(k) * s.ahead_step >> 8);
    for (std::uintptr_t line = 0; line < kPanelRowBytes; line += kLineBytes) {
      __builtin_prefetch(reinterpret_cast<const void*>(next + line), 0, 2);
    }
    const float* weights = s.panel + k * kWidth;
    const Lanes first = load(weights), second = load(weights + kLanes);
    for (int r = 0; r < Rows; ++r) {
      const float x = s.x[r * s.inputs + k];
      low[r] = multiply_add(x, first, low[r]);
      high[r] = multiply_add(x, second, high[r]);
    }
  }
  for (int r = 0; r < Rows; ++r) {
    float* y = s.y + r * s.outputs;
    if (s.width == kWidth) {
      store(low[r], y), store(high[r], y + kLanes);
      continue;
    }
    float whole[kWidth];
    store(low[r], whole), store(high[r], whole + kLanes);
    for (std::int64_t i = 0; i < s.width; ++i) y[i] = whole[i];
  }
}

template <int Rows>
void multiply_rest(const Strip& s, std::int64_t rows) {
  if constexpr (Rows > 0) {
    rows == Rows ? multiply_strip<Rows>(s) : multiply_rest<Rows - 1>(s, rows);
  }
}

void multiply(const float* x, std::int64_t rows, const PackedLayer& layer, std::int64_t first,
              std::int64_t last, float* y) {
  if (rows == 0) return;
  const std::int64_t strips = (rows + kRows - 1) / kRows;
  const auto panel_bytes = static_cast<std::uintptr_t>(layer.inputs) * kPanelRowBytes;
  for (std::int64_t p = first; p < last; ++p) {
    const float* panel = layer.panels + p * layer.inputs * kWidth;
    const auto next_panel = reinterpret_cast<std::uintptr_t>(panel) + panel_bytes;
    const std::int64_t left = layer.outputs - p * kWidth;
    for (std::int64_t s = 0; s < strips; ++s) {
      const std::int64_t row = s * kRows;
      const auto share = static_cast<std::uintptr_t>(s),
                 shares = static_cast<std::uintptr_t>(strips);
      const Strip strip{.x = x + row * layer.inputs,
                        .panel = panel,
                        .bias = layer.bias + p * kWidth,
                        .ahead = next_panel + panel_bytes * share / shares,
                        .ahead_step = (kPanelRowBytes << 8) / shares,
                        .y = y + row * layer.outputs + p * kWidth,
                        .inputs = layer.inputs,
                        .outputs = layer.outputs,
                        .width = left < kWidth ? left : kWidth};
      rows - row >= kRows ? multiply_strip<kRows>(strip)
                          : multiply_rest<kRows - 1>(strip, rows - row);
    }
  }
}

}  // namespace

const PackedProduct RAVEN_COPY_OF(kPackedProduct) = {.panel_width = kWidth, .multiply = multiply};

}  // namespace raven::nn::kernels

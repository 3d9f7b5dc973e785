// A linear layer for some dozens of rows on a CPU, in float32. For so few rows a library spends
// much of its time on rearranging the weights, so they are kept rearranged. No Torch here: the same
// loop is compiled for several instruction sets (packed_product_loop.cpp).
#pragma once

#include <cstdint>

namespace raven::nn::kernels {

/// Weights and bias of a layer, by panels of W outputs. A panel holds (inputs, W) weights; past the
/// last output they are 0. The bias has a number for each output of each panel.
struct PackedLayer {
  const float* panels = nullptr;
  const float* bias = nullptr;
  std::int64_t inputs = 0, outputs = 0;
};

struct PackedProduct {
  std::int64_t panel_width = 0;  // W
  /// What panels [first, last) give of y (rows, outputs) = x (rows, inputs) weights + bias. A row
  /// comes out the same whatever other rows there are.
  void (*multiply)(const float* x, std::int64_t rows, const PackedLayer& layer, std::int64_t first,
                   std::int64_t last, float* y) = nullptr;
};

/// For the best instruction set of this machine.
const PackedProduct& packed_product();

extern const PackedProduct kPackedProductGeneric;
extern const PackedProduct kPackedProductAvx2;
extern const PackedProduct kPackedProductAvx512;

}  // namespace raven::nn::kernels

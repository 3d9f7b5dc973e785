// Packed products for every instruction set against LibTorch's in float64.
#include "nn/kernels/packed_product_kernels.h"

#include "fuzz/fuzz_numbers.h"
#include "fuzz/loop_copies.h"

namespace {

using namespace raven;
using namespace raven::nn;

void check(const kernels::PackedProduct& product, const torch::Tensor& x,
           const torch::Tensor& weight, const torch::Tensor& bias, std::int64_t parts) {
  const auto inputs = weight.size(1), outputs = weight.size(0), width = product.panel_width;
  const auto panels = (outputs + width - 1) / width, missing = panels * width - outputs;
  const auto packed = torch::constant_pad_nd(weight, {0, 0, 0, missing})
                          .view({panels, width, inputs})
                          .transpose(1, 2)
                          .contiguous();
  const auto biases = torch::constant_pad_nd(bias, {0, missing});
  const kernels::PackedLayer layer{.panels = packed.data_ptr<float>(),
                                   .bias = biases.data_ptr<float>(),
                                   .inputs = inputs,
                                   .outputs = outputs};
  const auto multiply = [&](const torch::Tensor& rows) {
    auto y = torch::full({rows.size(0), outputs}, 1e30F);  // what is left out is far from right
    for (std::int64_t part = 0; part < parts; ++part) {
      product.multiply(rows.data_ptr<float>(), rows.size(0), layer, panels * part / parts,
                       panels * (part + 1) / parts, y.data_ptr<float>());
    }
    return y;
  };
  const auto y = multiply(x);
  const auto wide = [](const torch::Tensor& numbers) { return numbers.to(torch::kFloat64); };
  const auto size = torch::linear(wide(x).abs(), wide(weight).abs(), wide(bias).abs());
  fuzz::require_near(y, torch::linear(wide(x), wide(weight), wide(bias)),
                     size * fuzz::kRounding * static_cast<double>(inputs + 2));
  const auto last = x.narrow(0, x.size(0) - 1, 1);  // a row comes out the same in any company
  fuzz::require_same(multiply(last), y.narrow(0, x.size(0) - 1, 1));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const torch::NoGradGuard no_grad;
  fuzz::Numbers input(data, size);
  const auto rows = input.integer(1, 40), inputs = input.integer(1, 90);
  const auto outputs = input.integer(1, 90), parts = input.integer(1, 4);
  const auto x = input.floats({rows, inputs});
  const auto weight = input.floats({outputs, inputs}), bias = input.floats({outputs});
  for (const auto& product :
       fuzz::runnable(kernels::kPackedProductGeneric, kernels::kPackedProductAvx2,
                      kernels::kPackedProductAvx512)) {
    check(product, x, weight, bias, parts);
  }
  return 0;
}

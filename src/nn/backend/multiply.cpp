#include "nn/backend/multiply.h"

#include <algorithm>

#include "nn/backend/working_precision.h"
#include "nn/kernels/packed_product_kernels.h"
#include "nn/parallel.h"
#include "raven/core/error.h"

namespace raven::nn::backend {
namespace {

/// With more rows the library is as fast, since they share its rearranging of the weights.
constexpr std::int64_t kMaxPackedRows = 512;

std::int64_t num_panels(std::int64_t outputs) {
  const auto width = kernels::packed_product().panel_width;
  return (outputs + width - 1) / width;
}

bool can_multiply_packed(const torch::Tensor& x) {
  return x.device().is_cpu() && x.scalar_type() == torch::kFloat32 &&
         !torch::GradMode::is_enabled() && !autocast_type(x.device()) &&
         x.numel() <= kMaxPackedRows * x.size(-1);
}

torch::Tensor multiply_packed(const torch::Tensor& x, const LinearWeights& weights) {
  const auto inputs = weights.weight.size(1), outputs = weights.weight.size(0);
  RAVEN_CHECK(x.size(-1) == inputs, "{} inputs for a layer of {}", x.size(-1), inputs);
  const auto rows = x.contiguous().view({-1, inputs});
  auto shape = x.sizes().vec();
  shape.back() = outputs;
  auto y = torch::empty(shape, x.options());
  const auto& product = kernels::packed_product();
  const auto panels = num_panels(outputs);
  const auto* numbers = weights.packed.data_ptr<float>();
  const kernels::PackedLayer layer{.panels = numbers,
                                   .bias = numbers + panels * product.panel_width * inputs,
                                   .inputs = inputs,
                                   .outputs = outputs};
  const auto* from = rows.data_ptr<float>();
  auto* to = y.data_ptr<float>();
  const auto shares = std::min<std::int64_t>(torch::get_num_threads(), panels);
  parallel_for(shares, [&](std::int64_t i) {
    product.multiply(from, rows.size(0), layer, panels * i / shares, panels * (i + 1) / shares, to);
  });
  return y;
}

}  // namespace

torch::Tensor multiply(const torch::Tensor& x, const LinearWeights& weights) {
  if (weights.packed.defined() && can_multiply_packed(x)) return multiply_packed(x, weights);
  return torch::linear(x, weights.weight, weights.bias);
}

bool can_pack(const torch::Tensor& weight) {
  return weight.device().is_cpu() && weight.scalar_type() == torch::kFloat32;
}

std::int64_t packed_numbers(const torch::Tensor& weight) {
  return num_panels(weight.size(0)) * kernels::packed_product().panel_width * (weight.size(1) + 1);
}

void pack(const torch::Tensor& weight, const torch::Tensor& bias, torch::Tensor& packed) {
  const auto width = kernels::packed_product().panel_width, panels = num_panels(weight.size(0)),
             inputs = weight.size(1);
  const auto missing = panels * width - weight.size(0);
  packed.narrow(0, 0, panels * inputs * width)
      .view({panels, inputs, width})
      .copy_(torch::constant_pad_nd(weight, {0, 0, 0, missing})
                 .view({panels, width, inputs})
                 .transpose(1, 2));
  auto biases = packed.narrow(0, panels * inputs * width, panels * width);
  if (bias.defined()) {
    biases.copy_(torch::constant_pad_nd(bias, {0, missing}));
  } else {
    biases.zero_();
  }
}

}  // namespace raven::nn::backend

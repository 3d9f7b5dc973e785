#include "raven/nn/linear.h"

#include <ATen/autocast_mode.h>

#include <algorithm>

#include "nn/kernels/packed_product_kernels.h"
#include "nn/parallel.h"
#include "raven/core/error.h"

namespace raven::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

variable_list copies_in(torch::ScalarType type, torch::TensorList tensors) {
  variable_list copies;
  copies.reserve(tensors.size());
  for (const auto& tensor : tensors) {
    copies.push_back(torch::empty_like(tensor, tensor.options().dtype(type).requires_grad(false)));
  }
  at::_foreach_copy_(copies, tensors);
  return copies;
}

class CopyAll : public torch::autograd::Function<CopyAll> {
 public:
  static variable_list forward(AutogradContext* context, torch::TensorList weights,
                               torch::ScalarType type) {
    context->set_materialize_grads(false);
    context->saved_data["type"] = static_cast<std::int64_t>(weights.front().scalar_type());
    return copies_in(type, weights);
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const auto type = static_cast<torch::ScalarType>(context->saved_data["type"].toInt());
    variable_list given;
    for (const auto& grad : grads) {
      if (grad.defined()) given.push_back(grad);
    }
    const auto copies = given.empty() ? given : copies_in(type, given);
    variable_list result;
    auto next = copies.begin();
    for (const auto& grad : grads) result.push_back(grad.defined() ? *next++ : torch::Tensor());
    result.emplace_back();  // of the type
    return result;
  }
};

/// With more rows the library is as fast, since they share its rearranging of the weights.
constexpr std::int64_t kMaxPackedRows = 512;

std::int64_t num_panels(std::int64_t outputs) {
  const auto width = kernels::packed_product().panel_width;
  return (outputs + width - 1) / width;
}

bool multiplies_packed(const torch::Tensor& x) {
  return x.device().is_cpu() && x.scalar_type() == torch::kFloat32 &&
         !torch::GradMode::is_enabled() && !at::autocast::is_autocast_enabled(torch::kCPU) &&
         x.numel() <= kMaxPackedRows * x.size(-1);
}

/// Room for a layer's packed weights and its bias.
std::int64_t packed_numbers(const torch::Tensor& weight) {
  return num_panels(weight.size(0)) * kernels::packed_product().panel_width * (weight.size(1) + 1);
}

/// Packs weight (out, in) and bias (out), which may be undefined, into `packed`.
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

torch::Tensor multiply_packed(const torch::Tensor& x, const torch::Tensor& packed,
                              const torch::nn::LinearOptions& options) {
  const auto inputs = options.in_features(), outputs = options.out_features();
  RAVEN_CHECK(x.size(-1) == inputs, "{} inputs for a layer of {}", x.size(-1), inputs);
  const auto rows = x.contiguous().view({-1, inputs});
  auto shape = x.sizes().vec();
  shape.back() = outputs;
  auto y = torch::empty(shape, x.options());
  const auto& product = kernels::packed_product();
  const auto panels = num_panels(outputs);
  const auto* numbers = packed.data_ptr<float>();
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

torch::Tensor LinearImpl::forward(const torch::Tensor& x) {
  if (packed_.defined() && multiplies_packed(x)) {
    return multiply_packed(x, packed_, options);
  }
  return working_weight_.defined() ? torch::linear(x, working_weight_, working_bias_)
                                   : torch::linear(x, weight, bias);
}

WorkingWeights::WorkingWeights(const torch::nn::Module& module) {
  variable_list weights;
  for (const auto& part : module.modules()) {
    auto* layer = part->as<LinearImpl>();
    if (layer == nullptr) continue;
    // A frozen part may not even run, its outputs being kept.
    if (torch::GradMode::is_enabled() && !layer->weight.requires_grad()) continue;
    layers_.push_back(layer);
    weights.push_back(layer->weight);
    if (layer->bias.defined()) weights.push_back(layer->bias);
  }
  const auto device = weights.empty() ? torch::kCPU : weights.front().device().type();
  if (weights.empty() || !at::autocast::is_autocast_enabled(device)) {
    layers_.clear();
    return;
  }
  for (const auto* layer : layers_) {
    RAVEN_CHECK(!layer->working_weight_.defined(), "a layer's weights are copied twice");
  }
  const auto copies =
      CopyAll::apply(torch::TensorList(weights), at::autocast::get_autocast_dtype(device));
  auto next = copies.begin();
  for (auto* layer : layers_) {
    layer->working_weight_ = *next++;
    if (layer->bias.defined()) layer->working_bias_ = *next++;
  }
}

WorkingWeights::~WorkingWeights() {
  for (auto* layer : layers_) layer->working_weight_ = layer->working_bias_ = torch::Tensor();
}

PackedWeights::PackedWeights(const torch::nn::Module& module) {
  std::int64_t numbers = 0;
  for (const auto& part : module.modules()) {
    auto* layer = part->as<LinearImpl>();
    if (layer == nullptr || !layer->weight.device().is_cpu() ||
        layer->weight.scalar_type() != torch::kFloat32) {
      continue;
    }
    RAVEN_CHECK(!layer->packed_.defined(), "a layer's weights are packed twice");
    layers_.push_back(layer);
    numbers += packed_numbers(layer->weight);
  }
  const torch::NoGradGuard no_grad;
  // Beside each other in order of registration, which mostly is that of use: the end of one layer
  // fetches the start of the next.
  const auto all = torch::empty({numbers}, torch::kFloat32);
  std::vector<torch::Tensor> packed;
  std::int64_t first = 0;
  for (const auto* layer : layers_) {
    packed.push_back(all.narrow(0, first, packed_numbers(layer->weight)));
    pack(layer->weight, layer->bias, packed.back());
    first += packed.back().numel();
  }
  for (std::size_t i = 0; i < layers_.size(); ++i) layers_[i]->packed_ = packed[i];
}

PackedWeights::~PackedWeights() {
  for (auto* layer : layers_) layer->packed_ = torch::Tensor();
}

}  // namespace raven::nn

#include "raven/nn/linear.h"

#include "nn/backend/multiply.h"
#include "nn/backend/working_precision.h"
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

}  // namespace

torch::Tensor LinearImpl::forward(const torch::Tensor& x) {
  const bool copied = working_weight_.defined();
  return backend::multiply(x, {.weight = copied ? working_weight_ : weight,
                               .bias = copied ? working_bias_ : bias,
                               .packed = packed_});
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
  const auto type =
      weights.empty() ? std::nullopt : backend::autocast_type(weights.front().device());
  if (!type) {
    layers_.clear();
    return;
  }
  for (const auto* layer : layers_) {
    RAVEN_CHECK(!layer->working_weight_.defined(), "a layer's weights are copied twice");
  }
  const auto copies = CopyAll::apply(torch::TensorList(weights), *type);
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
    if (layer == nullptr || !backend::can_pack(layer->weight)) continue;
    RAVEN_CHECK(!layer->packed_.defined(), "a layer's weights are packed twice");
    layers_.push_back(layer);
    numbers += backend::packed_numbers(layer->weight);
  }
  const torch::NoGradGuard no_grad;
  // Beside each other in order of registration, which mostly is that of use: the end of one layer
  // fetches the start of the next.
  const auto all = torch::empty({numbers}, torch::kFloat32);
  std::vector<torch::Tensor> packed;
  std::int64_t first = 0;
  for (const auto* layer : layers_) {
    packed.push_back(all.narrow(0, first, backend::packed_numbers(layer->weight)));
    backend::pack(layer->weight, layer->bias, packed.back());
    first += packed.back().numel();
  }
  for (std::size_t i = 0; i < layers_.size(); ++i) layers_[i]->packed_ = packed[i];
}

PackedWeights::~PackedWeights() {
  for (auto* layer : layers_) layer->packed_ = torch::Tensor();
}

}  // namespace raven::nn

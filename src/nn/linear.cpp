#include "raven/nn/linear.h"

#include <ATen/autocast_mode.h>

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
  const auto copies =
      CopyAll::apply(torch::TensorList(weights), at::autocast::get_autocast_dtype(device));
  auto next = copies.begin();
  for (auto* layer : layers_) {
    RAVEN_CHECK(!layer->working_weight_.defined(), "a layer's weights are copied twice");
    layer->working_weight_ = *next++;
    if (layer->bias.defined()) layer->working_bias_ = *next++;
  }
}

WorkingWeights::~WorkingWeights() {
  for (auto* layer : layers_) layer->working_weight_ = layer->working_bias_ = torch::Tensor();
}

}  // namespace raven::nn

#include "nn/backend/attend_cuda.h"

#include <cmath>

#include "nn/cuda/dropout.h"
#include "nn/cuda/library.h"

namespace raven::nn::backend {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Sizes {
  std::int64_t utterances, frames, heads, width;

  static Sizes of(const torch::Tensor& x, std::int64_t heads) {
    return {x.size(0), x.size(1), heads, x.size(2) / heads};
  }
  [[nodiscard]] cuda::Heads heads_of(const torch::Tensor& x) const {
    return {.utterances = utterances,
            .frames = frames,
            .heads = heads,
            .width = width,
            .element = cuda::element_of(x),
            .stream = cuda::stream_of(x)};
  }
  [[nodiscard]] float scale() const {
    return static_cast<float>(1 / std::sqrt(static_cast<double>(width)));
  }
  /// (B H, T, width of the last), (H, B T, d), (H, 2T-1, d).
  [[nodiscard]] torch::Tensor by_utterance(const torch::Tensor& x, std::int64_t last) const {
    return torch::empty({utterances * heads, frames, last}, x.options());
  }
  [[nodiscard]] torch::Tensor by_head(const torch::Tensor& x, std::int64_t last) const {
    return torch::empty({heads, utterances * frames, last}, x.options());
  }
  [[nodiscard]] torch::Tensor positions_by_head(const torch::Tensor& positions) const {
    return positions.view({2 * frames - 1, heads, width}).transpose(0, 1);
  }
};

/// Everything between the projections and the mixed values.
struct Attended {
  torch::Tensor q_content, keys, values;  // (B H, T, d)
  torch::Tensor q_position;               // (H, B T, d)
  torch::Tensor weights, dropped;         // (B H, T, T)
  torch::Tensor mixed;                    // (B, T, D)
};

Attended attend(const RelativeAttention& input, const cuda::DropoutDraw& dropout) {
  const auto sizes = Sizes::of(input.q, input.heads);
  const auto& kernels = cuda::kernels()->attention;
  const auto heads = sizes.heads_of(input.q);
  const auto q = input.q.contiguous(), k = input.k.contiguous(), v = input.v.contiguous();
  const auto valid = input.valid.defined() ? input.valid.contiguous() : input.valid;
  Attended result{.q_content = sizes.by_utterance(q, sizes.width),
                  .keys = sizes.by_utterance(q, sizes.width),
                  .values = sizes.by_utterance(q, sizes.width),
                  .q_position = sizes.by_head(q, sizes.width),
                  .weights = sizes.by_utterance(q, sizes.frames),
                  .dropped = {},
                  .mixed = {}};
  kernels.split(heads, q.data_ptr(), k.data_ptr(), v.data_ptr(),
                input.content_bias.const_data_ptr<float>(),
                input.position_bias.const_data_ptr<float>(), result.q_content.data_ptr(),
                result.q_position.data_ptr(), result.keys.data_ptr(), result.values.data_ptr());
  const auto content = torch::bmm(result.q_content, result.keys.transpose(1, 2));
  const auto position =
      torch::bmm(result.q_position, sizes.positions_by_head(input.positions).transpose(1, 2));
  result.dropped = dropout.rate > 0 ? torch::empty_like(result.weights) : result.weights;
  kernels.softmax(heads, content.data_ptr(), position.data_ptr(),
                  valid.defined() ? valid.const_data_ptr<bool>() : nullptr, sizes.scale(),
                  dropout.options(), result.weights.data_ptr(), result.dropped.data_ptr());
  cuda::check_launches();
  result.mixed = torch::bmm(result.dropped, result.values)
                     .view({sizes.utterances, sizes.heads, sizes.frames, sizes.width})
                     .transpose(1, 2)
                     .flatten(2);
  return result;
}

class AttendOnCuda : public torch::autograd::Function<AttendOnCuda> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& q,
                               const torch::Tensor& k, const torch::Tensor& v,
                               const torch::Tensor& positions, const torch::Tensor& content_bias,
                               const torch::Tensor& position_bias, const RelativeAttention& input) {
    const auto dropout = cuda::draw_dropout(input.dropout);
    const auto result = attend({.q = q,
                                .k = k,
                                .v = v,
                                .positions = positions,
                                .content_bias = content_bias,
                                .position_bias = position_bias,
                                .valid = input.valid,
                                .heads = input.heads,
                                .dropout = input.dropout},
                               dropout);
    context->save_for_backward({result.q_content, result.keys, result.values, result.q_position,
                                result.weights, result.dropped, positions});
    context->saved_data["heads"] = input.heads;
    dropout.save(*context);
    return result.mixed;
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const auto saved = context->get_saved_variables();
    const auto &q_content = saved[0], &keys = saved[1], &values = saved[2], &q_position = saved[3],
               &weights = saved[4], &dropped = saved[5], &positions = saved[6];
    const auto sizes = Sizes::of(grads[0], context->saved_data["heads"].toInt());
    const auto dropout = cuda::DropoutDraw::saved(*context);
    const auto& kernels = cuda::kernels()->attention;
    const auto heads = sizes.heads_of(keys);
    const auto grad_mixed = grads[0]
                                .to(keys.scalar_type())
                                .reshape({sizes.utterances, sizes.frames, sizes.heads, sizes.width})
                                .transpose(1, 2)
                                .reshape(keys.sizes());
    const auto grad_values = torch::bmm(dropped.transpose(1, 2), grad_mixed);
    const auto grad_weights = torch::bmm(grad_mixed, values.transpose(1, 2));
    auto grad_content = torch::empty_like(weights);
    auto grad_position = sizes.by_head(weights, 2 * sizes.frames - 1);
    kernels.softmax_backward(heads, grad_weights.data_ptr(), weights.data_ptr(), sizes.scale(),
                             dropout.options(), grad_content.data_ptr(), grad_position.data_ptr());
    const auto grad_q_content = torch::bmm(grad_content, keys);
    const auto grad_keys = torch::bmm(grad_content.transpose(1, 2), q_content);
    const auto grad_q_position = torch::bmm(grad_position, sizes.positions_by_head(positions));
    const auto grad_positions = torch::bmm(grad_position.transpose(1, 2), q_position)
                                    .transpose(0, 1)
                                    .reshape(positions.sizes());
    auto grad_q = torch::empty(grads[0].sizes(), keys.options());
    auto grad_k = torch::empty_like(grad_q), grad_v = torch::empty_like(grad_q);
    kernels.merge(heads, grad_q_content.data_ptr(), grad_q_position.data_ptr(),
                  grad_keys.data_ptr(), grad_values.data_ptr(), grad_q.data_ptr(),
                  grad_k.data_ptr(), grad_v.data_ptr());
    cuda::check_launches();
    const auto content_bias =
        grad_q_content.view({sizes.utterances, sizes.heads, sizes.frames, sizes.width})
            .sum(torch::IntArrayRef{0, 2}, /*keepdim=*/false, torch::kFloat32);
    const auto position_bias =
        grad_q_position.sum(torch::IntArrayRef{1}, /*keepdim=*/false, torch::kFloat32);
    return {grad_q, grad_k, grad_v, grad_positions, content_bias, position_bias, torch::Tensor()};
  }
};

}  // namespace

bool can_use_cuda_kernels(const RelativeAttention& input) {
  const auto type = input.q.scalar_type();
  const auto width = input.q.size(2) / input.heads;
  return cuda::can_use(input.q, input.q.size(2)) &&
         width % (type == torch::kBFloat16 ? 8 : 4) == 0 && input.k.scalar_type() == type &&
         input.v.scalar_type() == type && input.positions.scalar_type() == type &&
         input.content_bias.scalar_type() == torch::kFloat32 &&
         input.q.size(0) * input.q.size(1) * input.heads < (std::int64_t{1} << 31);
}

torch::Tensor attend_on_cuda(const RelativeAttention& input) {
  if (!torch::GradMode::is_enabled()) {
    return attend(input, cuda::draw_dropout(input.dropout)).mixed;
  }
  return AttendOnCuda::apply(input.q, input.k, input.v, input.positions, input.content_bias,
                             input.position_bias, input);
}

}  // namespace raven::nn::backend

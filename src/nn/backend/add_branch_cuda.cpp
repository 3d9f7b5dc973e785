#include "nn/backend/add_branch_cuda.h"

#include <optional>

#include "nn/cuda/dropout.h"
#include "nn/cuda/library.h"

namespace raven::nn::backend {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

cuda::Branch branch_of(const torch::Tensor& output, const torch::Tensor& gamma,
                       const torch::Tensor& keep, const cuda::DropoutDraw& dropout) {
  cuda::Branch branch;
  branch.rows = cuda::rows_of(output.view({-1, output.size(2)}));
  branch.gamma = cuda::floats_of(gamma);
  branch.keep = cuda::floats_of(keep);
  branch.rows_each = output.size(1);
  branch.dropout = dropout.options();
  return branch;
}

torch::Tensor run_forward(const Branch& input, const torch::Tensor& keep,
                          const cuda::DropoutDraw& dropout) {
  const auto x = input.x.contiguous(), output = input.output.contiguous();
  auto branch = branch_of(output, input.gamma, keep, dropout);
  const bool rough = x.scalar_type() == torch::kBFloat16 &&
                     output.scalar_type() == torch::kBFloat16 && !input.gamma.defined();
  auto y = torch::empty(x.sizes(), x.options().dtype(rough ? torch::kBFloat16 : torch::kFloat32));
  branch.x = cuda::element_of(x);
  branch.y = cuda::element_of(y);
  cuda::kernels()->branch.forward(branch, x.data_ptr(), output.data_ptr(), y.mutable_data_ptr());
  cuda::check_launches();
  return y;
}

class AddBranchOnCuda : public torch::autograd::Function<AddBranchOnCuda> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& x,
                               const torch::Tensor& output,
                               const std::optional<torch::Tensor>& gamma,
                               const std::optional<torch::Tensor>& keep, double rate) {
    const auto dropout = cuda::draw_dropout(rate);
    const Branch given{
        .x = x, .output = output, .gamma = gamma.value_or(torch::Tensor()), .dropout = rate};
    const auto kept = keep.value_or(torch::Tensor());
    context->save_for_backward({output, given.gamma, kept});
    context->saved_data["x"] = static_cast<std::int64_t>(x.scalar_type());
    dropout.save(*context);
    return run_forward(given, kept, dropout);
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const auto saved = context->get_saved_variables();
    const auto output = saved[0].contiguous();
    const auto& gamma = saved[1];
    const auto& grad = grads[0];
    const auto whole = grad.contiguous();
    auto branch = branch_of(output, gamma, saved[2], cuda::DropoutDraw::saved(*context));
    branch.y = cuda::element_of(whole);
    const auto& kernels = cuda::kernels()->branch;
    const auto float_options = output.options().dtype(torch::kFloat32);
    auto workspace =
        torch::empty({gamma.defined() ? kernels.workspace(branch.rows) : 0}, float_options);
    auto grad_output = torch::empty_like(output);
    auto gamma_grad = gamma.defined() ? torch::empty_like(gamma) : torch::Tensor();
    kernels.backward(branch, whole.data_ptr(), output.data_ptr(), workspace.data_ptr<float>(),
                     grad_output.mutable_data_ptr(), cuda::floats_of(gamma_grad));
    cuda::check_launches();
    const auto x_type = static_cast<torch::ScalarType>(context->saved_data["x"].toInt());
    return {grad.to(x_type), grad_output, gamma_grad, torch::Tensor(), torch::Tensor()};
  }
};

}  // namespace

bool can_use_cuda_kernels(const Branch& input) {
  const auto known = [](const torch::Tensor& x) {
    return x.scalar_type() == torch::kFloat32 || x.scalar_type() == torch::kBFloat16;
  };
  // Lanes of eight channels, whatever the type.
  return cuda::kernels() != nullptr && input.x.is_cuda() && input.x.numel() > 0 && known(input.x) &&
         known(input.output) && input.x.sizes() == input.output.sizes() &&
         cuda::can_use_channels(input.x.size(2), cuda::Element::kBfloat16) &&
         (!input.gamma.defined() || input.gamma.scalar_type() == torch::kFloat32);
}

torch::Tensor add_branch_on_cuda(const Branch& input, const torch::Tensor& keep) {
  if (!torch::GradMode::is_enabled()) {
    return run_forward(input, keep, cuda::draw_dropout(input.dropout));
  }
  const auto given = [](const torch::Tensor& x) {
    return x.defined() ? std::optional<torch::Tensor>(x) : std::nullopt;
  };
  return AddBranchOnCuda::apply(input.x, input.output, given(input.gamma), given(keep),
                                input.dropout);
}

}  // namespace raven::nn::backend

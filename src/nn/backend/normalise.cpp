#include "nn/backend/normalise.h"

#include "nn/backend/normalise_cpu.h"
#include "nn/backend/normalise_cuda.h"
#include "nn/backend/normalise_library.h"

namespace raven::nn::backend {
namespace {

/// (N, C, H, W) -> (N H W, C); a view where memory is channels-last. Rows stay rows.
torch::Tensor rows_of(const torch::Tensor& x) {
  if (x.dim() == 2) return x;
  return x.permute({0, 2, 3, 1}).reshape({-1, x.size(1)}).contiguous();
}

torch::Tensor images_of(const torch::Tensor& rows, std::int64_t images, std::int64_t height,
                        std::int64_t width) {
  return rows.view({images, height, width, -1}).permute({0, 3, 1, 2});
}

/// Rows in the shape of x.
torch::Tensor shaped_as(const torch::Tensor& x, const torch::Tensor& rows) {
  return x.dim() == 2 ? rows : images_of(rows, x.size(0), x.size(2), x.size(3));
}

Normalisation over_rows(Normalisation input) {
  input.x = rows_of(input.x);
  if (input.residual.defined()) input.residual = rows_of(input.residual);
  return input;
}

}  // namespace

torch::Tensor normalise(const Normalisation& input) {
  if (can_use_cuda_kernels(input)) {
    return shaped_as(input.x, normalise_on_cuda(over_rows(input)));
  }
  if (can_use_own_loops(input)) {
    return shaped_as(input.x, normalise_on_cpu(over_rows(input)));
  }
  auto y = normalise_with_library(input);
  if (input.residual.defined()) y = y + input.residual;
  return input.silu ? torch::silu(y) : y;
}

torch::Tensor normalise_and_pool(const Normalisation& input) {
  const ImageSize size{input.x.size(2), input.x.size(3)};
  const auto images = [&](const torch::Tensor& pooled) {
    return images_of(pooled, input.x.size(0), size.pooled_height(), size.pooled_width());
  };
  if (can_use_cuda_kernels(input))
    return images(normalise_and_pool_on_cuda(over_rows(input), size));
  if (can_use_own_loops(input)) return images(normalise_and_pool_on_cpu(over_rows(input), size));
  return torch::max_pool2d(torch::silu(normalise_with_library(input)), 3, 2, 1);
}

}  // namespace raven::nn::backend

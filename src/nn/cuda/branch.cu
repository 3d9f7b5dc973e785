// A residual branch's end: layer scale, dropout, drop-path and the sum, in one pass each way.
#include "nn/cuda/lanes.cuh"

namespace raven::nn::cuda {
namespace {

/// What the branch's output is multiplied with in eight places of a row, gamma left out.
struct Factors {
  const float* keep;
  std::int64_t rows_each;
  Dropout dropout;

  __device__ Eight at(std::int64_t row, int channel, int channels) const {
    const float kept = keep == nullptr ? 1.0F : keep[row / rows_each];
    if (!dropout.active()) return {{kept, kept, kept, kept, kept, kept, kept, kept}};
    const auto quad = static_cast<std::uint64_t>(row * channels + channel) / 4;
    const float4 a = dropout.factors(quad), b = dropout.factors(quad + 1);
    return {{kept * a.x, kept * a.y, kept * a.z, kept * a.w, kept * b.x, kept * b.y, kept * b.z,
             kept * b.w}};
  }
};

__device__ inline Eight gamma_at(const float* gamma, int channel) {
  if (gamma == nullptr) return {{1, 1, 1, 1, 1, 1, 1, 1}};
  return load_channels<__nv_bfloat16>(gamma, channel);
}

template <class TX, class TO, class TY>
__global__ void __launch_bounds__(kThreads)
    forward_kernel(Factors factors, const float* gamma, const TX* x, const TO* output,
                   std::int64_t rows, int channels, TY* y) {
  const Place<__nv_bfloat16> place(channels);
  if (!place.active) return;
  const auto scale = gamma_at(gamma, place.channel);
  for (std::int64_t row = place.first; row < rows; row += place.stride) {
    const auto at = row * channels + place.channel;
    auto sum = load8(x + at);
    const auto branch = load8(output + at);
    const auto factor = factors.at(row, place.channel, channels);
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      sum.value[i] += factor.value[i] * scale.value[i] * branch.value[i];
    }
    store8(y + at, sum);
  }
}

template <class TO, class TY>
__global__ void __launch_bounds__(kThreads)
    backward_kernel(Factors factors, const float* gamma, const TY* grad, const TO* output,
                    std::int64_t rows, int channels, TO* grad_output, float* partial) {
  const Place<__nv_bfloat16> place(channels);
  Eight gamma_grad{};
  if (place.active) {
    const auto scale = gamma_at(gamma, place.channel);
    for (std::int64_t row = place.first; row < rows; row += place.stride) {
      const auto at = row * channels + place.channel;
      auto g = load8(grad + at);
      const auto factor = factors.at(row, place.channel, channels);
      if (gamma != nullptr) {
        const auto branch = load8(output + at);
#pragma unroll
        for (int i = 0; i < 8; ++i) {
          gamma_grad.value[i] += g.value[i] * factor.value[i] * branch.value[i];
        }
      }
#pragma unroll
      for (int i = 0; i < 8; ++i) g.value[i] *= factor.value[i] * scale.value[i];
      store8(grad_output + at, g);
    }
  }
  if (gamma != nullptr) write_block_sums(place, gamma_grad, Eight{}, channels, partial);
}

__global__ void finish_gamma_kernel(const float* partial, int blocks, int channels,
                                    float* gamma_grad) {
  const auto sum = total(partial, blocks, channels);
  const int c = static_cast<int>(blockIdx.x) * 32 + static_cast<int>(threadIdx.x);
  if (threadIdx.y == 0 && c < channels) gamma_grad[c] = static_cast<float>(sum.x);
}

/// As lanes of eight, whatever the element.
Rows in_eights(Rows rows) {
  rows.element = Element::kBfloat16;
  return rows;
}

std::int64_t workspace(const Rows& rows) {
  return blocks_for(in_eights(rows), rows.rows) * 2 * rows.channels;
}

Factors factors_of(const Branch& branch) {
  return {branch.keep, branch.rows_each, dropout_of(branch.dropout)};
}

template <class TX, class TO, class TY>
void launch_forward(const Branch& branch, const void* x, const void* output, void* y) {
  const auto rows = in_eights(branch.rows);
  forward_kernel<TX, TO, TY><<<blocks_for(rows, rows.rows), kThreads, 0, stream_of(rows)>>>(
      factors_of(branch), branch.gamma, static_cast<const TX*>(x), static_cast<const TO*>(output),
      rows.rows, static_cast<int>(rows.channels), static_cast<TY*>(y));
}

template <class TO, class TY>
void launch_backward(const Branch& branch, const void* grad, const void* output, float* partial,
                     void* grad_output, float* gamma_grad) {
  const auto rows = in_eights(branch.rows);
  const int blocks = blocks_for(rows, rows.rows), channels = static_cast<int>(rows.channels);
  backward_kernel<TO, TY><<<blocks, kThreads, shared_bytes(rows), stream_of(rows)>>>(
      factors_of(branch), branch.gamma, static_cast<const TY*>(grad),
      static_cast<const TO*>(output), rows.rows, channels, static_cast<TO*>(grad_output), partial);
  if (branch.gamma == nullptr) return;
  finish_gamma_kernel<<<finish_grid(rows), kFinishBlock, 0, stream_of(rows)>>>(
      partial, blocks, channels, gamma_grad);
}

bool is_bfloat16(Element element) { return element == Element::kBfloat16; }

// y is float32 unless x and the branch are bfloat16 and there is no gamma.
void forward(const Branch& branch, const void* x, const void* output, void* y) {
  using Bf16 = __nv_bfloat16;
  if (!is_bfloat16(branch.rows.element)) {
    if (is_bfloat16(branch.x)) return launch_forward<Bf16, float, float>(branch, x, output, y);
    return launch_forward<float, float, float>(branch, x, output, y);
  }
  if (!is_bfloat16(branch.x)) return launch_forward<float, Bf16, float>(branch, x, output, y);
  if (is_bfloat16(branch.y)) return launch_forward<Bf16, Bf16, Bf16>(branch, x, output, y);
  launch_forward<Bf16, Bf16, float>(branch, x, output, y);
}

void backward(const Branch& branch, const void* grad, const void* output, float* partial,
              void* grad_output, float* gamma_grad) {
  using Bf16 = __nv_bfloat16;
  if (!is_bfloat16(branch.rows.element)) {
    return launch_backward<float, float>(branch, grad, output, partial, grad_output, gamma_grad);
  }
  if (is_bfloat16(branch.y)) {
    return launch_backward<Bf16, Bf16>(branch, grad, output, partial, grad_output, gamma_grad);
  }
  launch_backward<Bf16, float>(branch, grad, output, partial, grad_output, gamma_grad);
}

}  // namespace

const BranchKernels& branch_kernels() {
  static constexpr BranchKernels kKernels{workspace, forward, backward};
  return kKernels;
}

}  // namespace raven::nn::cuda

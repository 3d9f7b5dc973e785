// raven's own CUDA kernels, as a table of plain functions. They live in a shared library of their
// own (libraven_cuda.so, built where nvcc is found), so that the program runs where no CUDA is.
// No Torch here: pointers are device memory, `stream` is a cudaStream_t, and every call returns at
// once. Shapes: R rows (positions of all utterances) x C channels in memory order (channels last).
#pragma once

#include <cstdint>

namespace raven::nn::cuda {

enum class Element : std::int32_t { kFloat32, kBfloat16 };

/// What every kernel here is told. A lane of threads takes 16 bytes of a row.
struct Rows {
  std::int64_t rows = 0, channels = 0;
  Element element = Element::kFloat32;
  void* stream = nullptr;
};

/// Channels must be a multiple of the elements in 16 bytes, and at most this many of them.
constexpr std::int64_t kMaxLanes = 256;
constexpr bool can_use_channels(std::int64_t channels, Element element) {
  const std::int64_t lane = element == Element::kBfloat16 ? 8 : 4;
  return channels > 0 && channels % lane == 0 && channels / lane <= kMaxLanes;
}

/// One channel's normalisation, each (C) float32: y = (x - mean) * scale + bias.
struct Channels {
  const float* mean = nullptr;
  const float* scale = nullptr;  // weight / sqrt(variance + eps)
  const float* bias = nullptr;
};

/// Moments and what follows from them. Running statistics: nullptr leaves them alone; else
/// running += momentum * (batch's - running), the variance unbiased.
struct MomentsOutput {
  float *mean = nullptr, *variance = nullptr, *scale = nullptr;  // (C)
  const float* weight = nullptr;                                 // (C)
  double eps = 0;
  float *running_mean = nullptr, *running_variance = nullptr;
  double momentum = 0;
  std::int64_t* batches_tracked = nullptr;  // () counts one more batch
};

struct ImageSize {
  std::int64_t height = 0, width = 0;
};

/// Gradients per channel (C) float32, and what the second pass needs.
struct SumsOutput {
  float *weight_grad = nullptr, *bias_grad = nullptr;
  float *mean_grad = nullptr, *slope = nullptr;
  const float* variance = nullptr;
  double eps = 0;
};

struct BatchNormKernels {
  /// Floats that moments and sums take as `workspace`.
  std::int64_t (*workspace)(const Rows& rows);
  void (*moments)(const Rows& rows, const void* x, float* workspace, const MomentsOutput& out);
  /// y = silu?((x - mean) * scale + bias + residual?); y may be x.
  void (*apply)(const Rows& rows, const void* x, const void* residual, const Channels& channels,
                bool silu, void* y);
  /// Sums over rows of the gradient with respect to what SiLU sees.
  void (*backward_sums)(const Rows& rows, const void* grad, const void* x, const void* residual,
                        const Channels& channels, bool silu, float* workspace,
                        const SumsOutput& out);
  /// grad_x = scale * (g - mean_grad - (x - mean) * slope), grad_residual = g, where g is the
  /// gradient with respect to what SiLU sees. grad_residual: nullptr if not
  /// needed.
  void (*backward_apply)(const Rows& rows, const void* grad, const void* x, const void* residual,
                         const Channels& channels, bool silu, const float* mean_grad,
                         const float* slope, void* grad_x, void* grad_residual);
  /// Pooled rows (N ceil(h/2) ceil(w/2), C): the 3 x 3 maximum, stride 2, padding 1, of
  /// silu((x - mean) * scale + bias) over rows of (N, h, w) images. winner: which of the nine won,
  /// row by row; nullptr if not needed.
  void (*apply_and_pool)(const Rows& rows, const ImageSize& size, const void* x,
                         const Channels& channels, void* pooled, std::uint8_t* winner);
  /// As the two above, with the gradient of the pooled rows.
  void (*pool_backward_sums)(const Rows& rows, const ImageSize& size, const void* grad_pooled,
                             const std::uint8_t* winner, const void* x, const Channels& channels,
                             float* workspace, const SumsOutput& out);
  void (*pool_backward_apply)(const Rows& rows, const ImageSize& size, const void* grad_pooled,
                              const std::uint8_t* winner, const void* x, const Channels& channels,
                              const float* mean_grad, const float* slope, void* grad_x);
  /// `moments` and the two sums up to the point where ranks add theirs up, per channel (C): mean
  /// and squared distances from it; the gradient and this times x - mean.
  void (*moments_of_rank)(const Rows& rows, const void* x, float* workspace, double* mean,
                          double* squares);
  void (*backward_sums_of_rank)(const Rows& rows, const void* grad, const void* x,
                                const void* residual, const Channels& channels, bool silu,
                                float* workspace, double* sum, double* sum_times_x);
  void (*pool_backward_sums_of_rank)(const Rows& rows, const ImageSize& size,
                                     const void* grad_pooled, const std::uint8_t* winner,
                                     const void* x, const Channels& channels, float* workspace,
                                     double* sum, double* sum_times_x);
};

/// rate 0: none. What is dropped depends on seed, call and place alone.
struct DropoutOptions {
  double rate = 0;
  std::uint64_t seed = 0;
  const std::uint64_t* seed_of_step = nullptr;  // on the device; instead of `seed`
  std::uint32_t call = 0;                       // number of this call among those with this seed
};

/// B utterances of T frames, H heads of width d. Contiguous tensors of one type.
struct Heads {
  std::int64_t utterances = 0, frames = 0, heads = 0, width = 0;
  Element element = Element::kFloat32;
  void* stream = nullptr;
};

struct AttentionKernels {
  /// q, k, v (B, T, H, d) -> q + u and k, v as (B, H, T, d), q + w as (H, B, T, d). u, w (H, d)
  /// float32: the biases of content and position.
  void (*split)(const Heads& heads, const void* q, const void* k, const void* v, const float* u,
                const float* w, void* q_content, void* q_position, void* keys, void* values);
  /// Softmax over keys of (content (B, H, T, T) + position (H, B, T, 2T-1)) * scale, where position
  /// (i, T-1-i+j) belongs to key j; keys that are not `valid` (B, T; nullptr: all are) get 0.
  /// dropped: the weights after dropout; nullptr without it.
  void (*softmax)(const Heads& heads, const void* content, const void* position, const bool* valid,
                  float scale, const DropoutOptions& dropout, void* weights, void* dropped);
  /// The gradient of `dropped` to those of content and position; all of both is written.
  void (*softmax_backward)(const Heads& heads, const void* grad, const void* weights, float scale,
                           const DropoutOptions& dropout, void* grad_content, void* grad_position);
  /// Back from what `split` made; the gradient of q is the sum of both.
  void (*merge)(const Heads& heads, const void* q_content, const void* q_position, const void* keys,
                const void* values, void* q, void* k, void* v);
};

/// x + keep * dropout(gamma * branch), rows of C channels; `keep` is one number for every
/// `rows_each` rows, nullptr: 1; gamma (C), nullptr: 1.
struct Branch {
  Rows rows;  // its element is the branch's
  Element x = Element::kFloat32, y = Element::kFloat32;
  const float *gamma = nullptr, *keep = nullptr;
  std::int64_t rows_each = 1;
  DropoutOptions dropout;
};

struct BranchKernels {
  /// Floats that `backward` takes as `workspace`.
  std::int64_t (*workspace)(const Rows& rows);
  void (*forward)(const Branch& branch, const void* x, const void* output, void* y);
  /// grad has y's element; gamma_grad (C): nullptr without gamma.
  void (*backward)(const Branch& branch, const void* grad, const void* output, float* workspace,
                   void* grad_output, float* gamma_grad);
};

struct Kernels {
  BatchNormKernels batch_norm;
  AttentionKernels attention;
  BranchKernels branch;
  /// Text of the last error of a launch, nullptr when all went well.
  const char* (*last_error)();
};

const BatchNormKernels& batch_norm_kernels();
const AttentionKernels& attention_kernels();
const BranchKernels& branch_kernels();

}  // namespace raven::nn::cuda

/// The library's only symbol.
extern "C" const raven::nn::cuda::Kernels* raven_cuda_kernels();

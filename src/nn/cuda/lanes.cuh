// What raven's CUDA kernels share: 16-byte lanes of rows, sums over rows, launch sizes.
#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime.h>
#include <curand_philox4x32_x.h>

#include <algorithm>
#include <cstdint>

#include "nn/cuda/cuda_kernels.h"

namespace raven::nn::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kFinishRows = 8;  // threads that share a channel's partial sums

/// 16 bytes of a row.
template <class T>
struct Lane {
  static constexpr int kWidth = 16 / sizeof(T);
  float value[kWidth];
};

__device__ inline Lane<float> load(const float* from) {
  const float4 raw = *reinterpret_cast<const float4*>(from);
  return {{raw.x, raw.y, raw.z, raw.w}};
}

__device__ inline Lane<__nv_bfloat16> load(const __nv_bfloat16* from) {
  const uint4 raw = *reinterpret_cast<const uint4*>(from);
  const unsigned words[4] = {raw.x, raw.y, raw.z, raw.w};
  Lane<__nv_bfloat16> lane;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    lane.value[2 * i] = __uint_as_float(words[i] << 16);
    lane.value[2 * i + 1] = __uint_as_float(words[i] & 0xFFFF0000U);
  }
  return lane;
}

__device__ inline void store(float* to, const Lane<float>& lane) {
  *reinterpret_cast<float4*>(to) =
      make_float4(lane.value[0], lane.value[1], lane.value[2], lane.value[3]);
}

__device__ inline void store(__nv_bfloat16* to, const Lane<__nv_bfloat16>& lane) {
  union {
    uint4 raw;
    __nv_bfloat162 pairs[4];
  } packed;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    packed.pairs[i] = __floats2bfloat162_rn(lane.value[2 * i], lane.value[2 * i + 1]);
  }
  *reinterpret_cast<uint4*>(to) = packed.raw;
}

/// A lane of per-channel numbers, float32 whatever the rows hold.
template <class T>
__device__ inline Lane<T> load_channels(const float* from, int channel) {
  Lane<T> lane;
#pragma unroll
  for (int i = 0; i < Lane<T>::kWidth; i += 4) {
    const float4 raw = *reinterpret_cast<const float4*>(from + channel + i);
    lane.value[i] = raw.x;
    lane.value[i + 1] = raw.y;
    lane.value[i + 2] = raw.z;
    lane.value[i + 3] = raw.w;
  }
  return lane;
}

__device__ inline float sigmoid(float x) { return 1.0F / (1.0F + __expf(-x)); }

/// Where a thread works: its lane of channels, and rows first, first + stride, ...
template <class T>
struct Place {
  int channel;
  std::int64_t first, stride;
  bool active;

  __device__ explicit Place(int channels) {
    const int lanes = channels / Lane<T>::kWidth;
    const int rows_each = kThreads / lanes;
    const int row = static_cast<int>(threadIdx.x) / lanes;
    channel = (static_cast<int>(threadIdx.x) % lanes) * Lane<T>::kWidth;
    active = row < rows_each;
    first = static_cast<std::int64_t>(blockIdx.x) * rows_each + row;
    stride = static_cast<std::int64_t>(gridDim.x) * rows_each;
  }
};

/// Adds the lanes of all rows of a block, and writes (2, C) sums of this block.
template <class T>
__device__ inline void write_block_sums(const Place<T>& place, const Lane<T>& a, const Lane<T>& b,
                                        int channels, float* partial) {
  extern __shared__ float shared[];  // (rows of a block, 2, C)
  constexpr int kWidth = Lane<T>::kWidth;
  const int lanes = channels / kWidth, rows_each = kThreads / lanes;
  const int row = static_cast<int>(threadIdx.x) / lanes;
  if (place.active) {
    float* mine = shared + row * 2 * channels + place.channel;
#pragma unroll
    for (int i = 0; i < kWidth; ++i) {
      mine[i] = a.value[i];
      mine[channels + i] = b.value[i];
    }
  }
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < 2 * channels; i += kThreads) {
    float sum = 0;
    for (int r = 0; r < rows_each; ++r) sum += shared[r * 2 * channels + i];
    partial[static_cast<std::int64_t>(blockIdx.x) * 2 * channels + i] = sum;
  }
}

/// Sums of channel threadIdx.x over all blocks, valid in threads of row 0.
__device__ inline double2 total(const float* partial, int blocks, int channels) {
  __shared__ double2 sums[kFinishRows][32];
  const int channel = static_cast<int>(blockIdx.x) * 32 + static_cast<int>(threadIdx.x);
  double2 sum = {0, 0};
  if (channel < channels) {
    for (int block = static_cast<int>(threadIdx.y); block < blocks; block += kFinishRows) {
      const auto at = static_cast<std::int64_t>(block) * 2 * channels + channel;
      sum.x += partial[at];
      sum.y += partial[at + channels];
    }
  }
  sums[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y == 0) {
    for (int row = 1; row < kFinishRows; ++row) {
      sum.x += sums[row][threadIdx.x].x;
      sum.y += sums[row][threadIdx.x].y;
    }
  }
  return sum;
}

/// Eight elements whatever their type.
using Eight = Lane<__nv_bfloat16>;

__device__ inline Eight load8(const __nv_bfloat16* from) { return load(from); }
__device__ inline Eight load8(const float* from) {
  const auto low = load(from), high = load(from + 4);
  return {{low.value[0], low.value[1], low.value[2], low.value[3], high.value[0], high.value[1],
           high.value[2], high.value[3]}};
}
__device__ inline void store8(__nv_bfloat16* to, const Eight& lane) { store(to, lane); }
__device__ inline void store8(float* to, const Eight& lane) {
  store(to, Lane<float>{{lane.value[0], lane.value[1], lane.value[2], lane.value[3]}});
  store(to + 4, Lane<float>{{lane.value[4], lane.value[5], lane.value[6], lane.value[7]}});
}

/// Dropout's factor for four neighbours, 0 or 1 / (1 - rate): a function of seed, call and place
/// alone.
struct Dropout {
  unsigned threshold = 0;  // rate * 2^32
  float factor = 1;        // 1 / (1 - rate)
  std::uint64_t seed = 0;
  const std::uint64_t* seed_of_step = nullptr;  // read instead of `seed`
  unsigned call = 0;

  [[nodiscard]] __device__ bool active() const { return threshold > 0; }
  __device__ float4 factors(std::uint64_t place) const {
    const uint4 counter = {static_cast<unsigned>(place), static_cast<unsigned>(place >> 32), call,
                           seed_of_step == nullptr ? 0U : 1U};  // LibTorch's draws have 0 there
    const std::uint64_t whole =
        seed_of_step == nullptr ? seed
                                : __ldg(reinterpret_cast<const unsigned long long*>(seed_of_step));
    const uint2 key = {static_cast<unsigned>(whole), static_cast<unsigned>(whole >> 32)};
    const uint4 bits = curand_Philox4x32_10(counter, key);
    return {bits.x >= threshold ? factor : 0.0F, bits.y >= threshold ? factor : 0.0F,
            bits.z >= threshold ? factor : 0.0F, bits.w >= threshold ? factor : 0.0F};
  }
};

inline Dropout dropout_of(const DropoutOptions& options) {
  const double bits = std::min(options.rate * 4294967296.0, 4294967295.0);
  return {static_cast<unsigned>(bits), static_cast<float>(1 / (1 - options.rate)), options.seed,
          options.seed_of_step, options.call};
}

/// Of Rows or Heads.
template <class Sizes>
cudaStream_t stream_of(const Sizes& sizes) {
  return static_cast<cudaStream_t>(sizes.stream);
}

int multiprocessors() {
  int device = 0, count = 0;
  cudaGetDevice(&device);
  cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device);
  return std::max(count, 1);
}

std::int64_t rows_of_block(const Rows& rows) {
  const std::int64_t width = rows.element == Element::kBfloat16 ? 8 : 4;
  return kThreads / (rows.channels / width);
}

/// Blocks so that the device is full and each thread has several rows.
int blocks_for(const Rows& rows, std::int64_t count) {
  static const int processors = multiprocessors();
  const auto wanted = (count + rows_of_block(rows) * 4 - 1) / (rows_of_block(rows) * 4);
  return static_cast<int>(std::clamp<std::int64_t>(wanted, 1, processors * 8));
}

std::size_t shared_bytes(const Rows& rows) {
  return static_cast<std::size_t>(rows_of_block(rows) * 2 * rows.channels) * sizeof(float);
}

dim3 finish_grid(const Rows& rows) { return {static_cast<unsigned>((rows.channels + 31) / 32)}; }
constexpr dim3 kFinishBlock{32, kFinishRows};

/// body(T{}) with the element's type.
template <class Body>
void with_type(Element element, const Body& body) {
  if (element == Element::kBfloat16) {
    body(__nv_bfloat16{});
  } else {
    body(float{});
  }
}

}  // namespace
}  // namespace raven::nn::cuda

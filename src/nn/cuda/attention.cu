// Self-attention with relative positions, around the matrix products: heads apart and together,
// softmax with both scores, padding and dropout in one pass. Sums are float32.
#include "nn/cuda/lanes.cuh"

namespace raven::nn::cuda {
namespace {

constexpr int kRowsOfBlock = 8;  // one warp each
constexpr unsigned kWholeWarp = 0xFFFFFFFFU;

__device__ inline float as_float(float x) { return x; }
__device__ inline float as_float(__nv_bfloat16 x) { return __bfloat162float(x); }
__device__ inline void put(float* to, float x) { *to = x; }
__device__ inline void put(__nv_bfloat16* to, float x) { *to = __float2bfloat16(x); }

/// Sizes, and where lane `i` of all lanes of (B, T, H, d) goes.
struct Sizes {
  int utterances, frames, heads, width;

  [[nodiscard]] __host__ __device__ std::int64_t elements() const {
    return static_cast<std::int64_t>(utterances) * frames * heads * width;
  }
};

struct Where {
  std::int64_t together, by_utterance, by_head;  // (B, T, H, d), (B, H, T, d), (H, B, T, d)
  int channel;                                   // of (H, d)

  __device__ Where(const Sizes& sizes, std::int64_t element) {
    const auto within = static_cast<int>(element % sizes.width);
    auto rest = element / sizes.width;
    const auto head = static_cast<int>(rest % sizes.heads);
    rest /= sizes.heads;
    const auto frame = rest % sizes.frames, utterance = rest / sizes.frames;
    together = element;
    by_utterance = ((utterance * sizes.heads + head) * sizes.frames + frame) * sizes.width + within;
    by_head =
        ((head * static_cast<std::int64_t>(sizes.utterances) + utterance) * sizes.frames + frame) *
            sizes.width +
        within;
    channel = head * sizes.width + within;
  }
};

template <class T>
__global__ void __launch_bounds__(kThreads)
    split_kernel(Sizes sizes, const T* q, const T* k, const T* v, const float* u, const float* w,
                 T* q_content, T* q_position, T* keys, T* values) {
  constexpr int kWidth = Lane<T>::kWidth;
  const auto element = (static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x) * kWidth;
  if (element >= sizes.elements()) return;
  const Where where(sizes, element);
  auto content = load(q + where.together), position = content;
  const auto content_bias = load_channels<T>(u, where.channel);
  const auto position_bias = load_channels<T>(w, where.channel);
#pragma unroll
  for (int i = 0; i < kWidth; ++i) {
    content.value[i] += content_bias.value[i];
    position.value[i] += position_bias.value[i];
  }
  store(q_content + where.by_utterance, content);
  store(q_position + where.by_head, position);
  store(keys + where.by_utterance, load(k + where.together));
  store(values + where.by_utterance, load(v + where.together));
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    merge_kernel(Sizes sizes, const T* q_content, const T* q_position, const T* keys,
                 const T* values, T* q, T* k, T* v) {
  constexpr int kWidth = Lane<T>::kWidth;
  const auto element = (static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x) * kWidth;
  if (element >= sizes.elements()) return;
  const Where where(sizes, element);
  auto sum = load(q_content + where.by_utterance);
  const auto position = load(q_position + where.by_head);
#pragma unroll
  for (int i = 0; i < kWidth; ++i) sum.value[i] += position.value[i];
  store(q + where.together, sum);
  store(k + where.together, load(keys + where.by_utterance));
  store(v + where.together, load(values + where.by_utterance));
}

/// One query: row (b, h, i) of content and weights, row (h, b, i) of position.
struct Query {
  std::int64_t row, position_row;
  int utterance, first_position;  // of key 0
  bool exists;

  __device__ explicit Query(const Sizes& sizes) {
    row = static_cast<std::int64_t>(blockIdx.x) * kRowsOfBlock + threadIdx.x / 32;
    const auto frame = static_cast<int>(row % sizes.frames);
    const auto rest = row / sizes.frames;
    const auto head = rest % sizes.heads;
    utterance = static_cast<int>(rest / sizes.heads);
    exists = utterance < sizes.utterances;
    position_row = (head * sizes.utterances + utterance) * sizes.frames + frame;
    first_position = sizes.frames - 1 - frame;
  }
};

/// body(key, dropout's factor) for this lane's share of a query's keys.
template <class Body>
__device__ inline void each_key(const Query& query, int frames, const Dropout& dropout,
                                const Body& body) {
  const auto quads = static_cast<std::uint64_t>((frames + 3) / 4);
  for (int first = 4 * (static_cast<int>(threadIdx.x) % 32); first < frames; first += 128) {
    float kept[4] = {1, 1, 1, 1};
    if (dropout.active()) {
      const auto place =
          static_cast<std::uint64_t>(query.row) * quads + static_cast<unsigned>(first / 4);
      const float4 factors = dropout.factors(place);
      kept[0] = factors.x, kept[1] = factors.y, kept[2] = factors.z, kept[3] = factors.w;
    }
    for (int i = 0; i < 4 && first + i < frames; ++i) body(first + i, kept[i]);
  }
}

__device__ inline float sum_of_warp(float x) {
  for (int distance = 16; distance > 0; distance /= 2)
    x += __shfl_xor_sync(kWholeWarp, x, distance);
  return x;
}

template <class T>
__global__ void __launch_bounds__(32 * kRowsOfBlock)
    softmax_kernel(Sizes sizes, const T* content, const T* position, const bool* valid, float scale,
                   Dropout dropout, T* weights, T* dropped) {
  const Query query(sizes);
  if (!query.exists) return;
  const int frames = sizes.frames, lane = static_cast<int>(threadIdx.x) % 32;
  const T* content_row = content + query.row * frames;
  const T* position_row = position + query.position_row * (2 * frames - 1) + query.first_position;
  const bool* visible =
      valid == nullptr ? nullptr : valid + query.utterance * static_cast<std::int64_t>(frames);
  const auto score = [&](int key) {
    return (as_float(content_row[key]) + as_float(position_row[key])) * scale;
  };
  float most = -INFINITY, sum = 0;
  for (int key = lane; key < frames; key += 32) {
    if (visible != nullptr && !visible[key]) continue;
    const float s = score(key);
    const float larger = s > most || isnan(s) ? s : most;
    sum = sum * __expf(most - larger) + __expf(s - larger);
    most = larger;
  }
  for (int distance = 16; distance > 0; distance /= 2) {
    const float other_most = __shfl_xor_sync(kWholeWarp, most, distance);
    const float other_sum = __shfl_xor_sync(kWholeWarp, sum, distance);
    const float larger = fmaxf(most, other_most);
    if (larger == -INFINITY) continue;  // nothing visible yet
    sum = sum * __expf(most - larger) + other_sum * __expf(other_most - larger);
    most = larger;
  }
  const float inverse = most == -INFINITY ? 0 : 1 / sum;
  T* weights_row = weights + query.row * frames;
  T* dropped_row = dropped + query.row * frames;
  each_key(query, frames, dropout, [=](int key, float kept) {
    const bool seen = visible == nullptr || visible[key];
    const float weight = seen ? __expf(score(key) - most) * inverse : 0.0F;
    put(weights_row + key, weight);
    if (dropout.active()) put(dropped_row + key, weight * kept);
  });
}

template <class T>
__global__ void __launch_bounds__(32 * kRowsOfBlock)
    softmax_backward_kernel(Sizes sizes, const T* grad, const T* weights, float scale,
                            Dropout dropout, T* grad_content, T* grad_position) {
  const Query query(sizes);
  if (!query.exists) return;
  const int frames = sizes.frames, lane = static_cast<int>(threadIdx.x) % 32;
  const T* grad_row = grad + query.row * frames;
  const T* weights_row = weights + query.row * frames;
  const auto each = [&](const auto& body) {  // body(key, gradient of the weight before dropout)
    each_key(query, frames, dropout,
             [&](int key, float kept) { body(key, as_float(grad_row[key]) * kept); });
  };
  float product = 0;
  each([&](int key, float g) { product += g * as_float(weights_row[key]); });
  product = sum_of_warp(product);
  T* content_row = grad_content + query.row * frames;
  T* position_row = grad_position + query.position_row * (2 * frames - 1);
  each([&](int key, float g) {
    const float value = as_float(weights_row[key]) * (g - product) * scale;
    put(content_row + key, value);
    put(position_row + query.first_position + key, value);
  });
  for (int i = lane; i < query.first_position; i += 32) put(position_row + i, 0);
  for (int i = query.first_position + frames + lane; i < 2 * frames - 1; i += 32) {
    put(position_row + i, 0);
  }
}

Sizes sizes_of(const Heads& heads) {
  return {static_cast<int>(heads.utterances), static_cast<int>(heads.frames),
          static_cast<int>(heads.heads), static_cast<int>(heads.width)};
}

template <class T>
unsigned blocks_of_lanes(const Heads& heads) {
  const auto lanes = sizes_of(heads).elements() / Lane<T>::kWidth;
  return static_cast<unsigned>((lanes + kThreads - 1) / kThreads);
}

unsigned blocks_of_queries(const Heads& heads) {
  const auto rows = heads.utterances * heads.heads * heads.frames;
  return static_cast<unsigned>((rows + kRowsOfBlock - 1) / kRowsOfBlock);
}

void split(const Heads& heads, const void* q, const void* k, const void* v, const float* u,
           const float* w, void* q_content, void* q_position, void* keys, void* values) {
  with_type(heads.element, [&](auto type) {
    using T = decltype(type);
    split_kernel<T><<<blocks_of_lanes<T>(heads), kThreads, 0, stream_of(heads)>>>(
        sizes_of(heads), static_cast<const T*>(q), static_cast<const T*>(k),
        static_cast<const T*>(v), u, w, static_cast<T*>(q_content), static_cast<T*>(q_position),
        static_cast<T*>(keys), static_cast<T*>(values));
  });
}

void merge(const Heads& heads, const void* q_content, const void* q_position, const void* keys,
           const void* values, void* q, void* k, void* v) {
  with_type(heads.element, [&](auto type) {
    using T = decltype(type);
    merge_kernel<T><<<blocks_of_lanes<T>(heads), kThreads, 0, stream_of(heads)>>>(
        sizes_of(heads), static_cast<const T*>(q_content), static_cast<const T*>(q_position),
        static_cast<const T*>(keys), static_cast<const T*>(values), static_cast<T*>(q),
        static_cast<T*>(k), static_cast<T*>(v));
  });
}

void softmax(const Heads& heads, const void* content, const void* position, const bool* valid,
             float scale, const DropoutOptions& dropout, void* weights, void* dropped) {
  with_type(heads.element, [&](auto type) {
    using T = decltype(type);
    softmax_kernel<T><<<blocks_of_queries(heads), 32 * kRowsOfBlock, 0, stream_of(heads)>>>(
        sizes_of(heads), static_cast<const T*>(content), static_cast<const T*>(position), valid,
        scale, dropout_of(dropout), static_cast<T*>(weights), static_cast<T*>(dropped));
  });
}

void softmax_backward(const Heads& heads, const void* grad, const void* weights, float scale,
                      const DropoutOptions& dropout, void* grad_content, void* grad_position) {
  with_type(heads.element, [&](auto type) {
    using T = decltype(type);
    softmax_backward_kernel<T>
        <<<blocks_of_queries(heads), 32 * kRowsOfBlock, 0, stream_of(heads)>>>(
            sizes_of(heads), static_cast<const T*>(grad), static_cast<const T*>(weights), scale,
            dropout_of(dropout), static_cast<T*>(grad_content), static_cast<T*>(grad_position));
  });
}

}  // namespace

const AttentionKernels& attention_kernels() {
  static constexpr AttentionKernels kKernels{split, softmax, softmax_backward, merge};
  return kKernels;
}

}  // namespace raven::nn::cuda

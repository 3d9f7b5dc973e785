// Memory of batches, used again: touching fresh pages would cost more than filling them.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <memory>

namespace raven::data {

/// Room for the largest batch of a loader, owned by its pointer; released, it goes back to its
/// pool, or is freed when the pool is gone.
struct BatchMemory {
  torch::Tensor video;  // uint8 or float32, one-dimensional
  torch::Tensor audio;  // float32, one-dimensional
};

/// Thread-safe. Keeps as many blocks as were in use at once.
class BatchMemoryPool : public std::enable_shared_from_this<BatchMemoryPool> {
 public:
  /// pinned: page-locked memory, from which CUDA copies without waiting. Torch recycles that
  /// itself, and only after such copies have ended.
  BatchMemoryPool(std::int64_t video_pixels, torch::ScalarType pixel, std::int64_t audio_samples,
                  bool pinned);
  ~BatchMemoryPool();

  std::shared_ptr<BatchMemory> take();

 private:
  struct State;
  const std::int64_t video_pixels_, audio_samples_;
  const torch::ScalarType pixel_;
  const bool pinned_;
  std::unique_ptr<State> state_;
};

/// A tensor at the start of memory.video (or .audio) that keeps the memory in use as long as it
/// lives.
torch::Tensor view_of(const std::shared_ptr<BatchMemory>& memory, const torch::Tensor& part,
                      torch::IntArrayRef shape);

}  // namespace raven::data

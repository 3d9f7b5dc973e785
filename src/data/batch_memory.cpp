#include "data/batch_memory.h"

#include <mutex>
#include <vector>

namespace raven::data {

struct BatchMemoryPool::State {
  std::mutex mutex;  // guards free
  std::vector<std::unique_ptr<BatchMemory>> free;
};

BatchMemoryPool::BatchMemoryPool(std::int64_t video_pixels, torch::ScalarType pixel,
                                 std::int64_t audio_samples, bool pinned)
    : video_pixels_(video_pixels),
      audio_samples_(audio_samples),
      pixel_(pixel),
      pinned_(pinned),
      state_(std::make_unique<State>()) {}

BatchMemoryPool::~BatchMemoryPool() = default;

std::shared_ptr<BatchMemory> BatchMemoryPool::take() {
  std::unique_ptr<BatchMemory> memory;
  if (!pinned_) {
    const std::lock_guard lock(state_->mutex);
    if (!state_->free.empty()) {
      memory = std::move(state_->free.back());
      state_->free.pop_back();
    }
  }
  if (!memory) {
    const auto options = torch::TensorOptions().pinned_memory(pinned_);
    memory = std::make_unique<BatchMemory>();
    memory->video = torch::empty({video_pixels_}, options.dtype(pixel_));
    memory->audio = torch::empty({audio_samples_}, options.dtype(torch::kFloat32));
  }
  if (pinned_) return memory;
  return {memory.release(), [pool = weak_from_this()](BatchMemory* used) {
            std::unique_ptr<BatchMemory> owned(used);
            if (const auto home = pool.lock()) {
              const std::lock_guard lock(home->state_->mutex);
              home->state_->free.push_back(std::move(owned));
            }
          }};
}

torch::Tensor view_of(const std::shared_ptr<BatchMemory>& memory, const torch::Tensor& part,
                      torch::IntArrayRef shape) {
  std::int64_t count = 1;
  for (const auto size : shape) count *= size;
  if (part.is_pinned())
    return part.narrow(0, 0, count).view(shape);  // Torch's own storage, see take()
  return torch::from_blob(
      part.data_ptr(), shape, [memory](void*) {}, part.options());
}

}  // namespace raven::data

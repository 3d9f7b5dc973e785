// How much memory tensors have taken, apart from what the process takes around them.
#pragma once

#include <cstdint>
#include <memory>

namespace raven::plan {

/// Counts the bytes of tensors that this thread makes on the CPU while the object lives. Tensors
/// made before it are not counted, nor when they go. One at a time.
class TensorMemory {
 public:
  TensorMemory();
  ~TensorMemory();
  TensorMemory(const TensorMemory&) = delete;
  TensorMemory& operator=(const TensorMemory&) = delete;

  [[nodiscard]] std::int64_t live() const;
  [[nodiscard]] std::int64_t peak() const;  // since construction or start_peak()
  void start_peak();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace raven::plan

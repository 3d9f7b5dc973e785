// Shapes and contents drawn from a fuzz target's input.
#pragma once

#include <torch/torch.h>

#include <cstddef>
#include <cstdint>

namespace raven::fuzz {

/// Goes round the input, and each time round reads something else, so that little input fills large
/// tensors.
class Numbers {
 public:
  Numbers(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}

  std::uint8_t byte() {
    const auto turn = size_ == 0 ? at_ : at_ / size_;
    const auto mixed = static_cast<std::uint8_t>((turn * 0x9E3779B97F4A7C15ULL) >> 56);
    const auto given = size_ == 0 ? std::uint8_t{0} : data_[at_ % size_];
    ++at_;
    return given ^ mixed;
  }
  bool flag() { return (byte() & 1) != 0; }
  /// In [low, high].
  std::int64_t integer(std::int64_t low, std::int64_t high) {
    const std::int64_t lower = byte(), upper = byte();
    return low + (lower + 256 * upper) % (high - low + 1);
  }
  /// float32 of this shape: within 4 of a common offset that may be much larger.
  torch::Tensor floats(torch::IntArrayRef shape, float offset = 0) {
    auto x = torch::empty(shape, torch::kFloat32);
    auto* values = x.data_ptr<float>();
    for (std::int64_t i = 0; i < x.numel(); ++i) {
      values[i] = offset + (static_cast<float>(byte()) - 127.5F) / 32;
    }
    return x;
  }
  /// int64 in [0, bound).
  torch::Tensor indices(torch::IntArrayRef shape, std::int64_t bound) {
    auto x = torch::empty(shape, torch::kInt64);
    auto* values = x.data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < x.numel(); ++i) values[i] = byte() % bound;
    return x;
  }

 private:
  const std::uint8_t* data_;
  std::size_t size_, at_ = 0;
};

/// Half the distance of neighbouring float32 numbers at 1.
inline constexpr double kRounding = 5.97e-8;

/// Ends the process unless every element of `found` is within `bound`, its own, of `expected`.
inline void require_near(const torch::Tensor& found, const torch::Tensor& expected,
                         const torch::Tensor& bound) {
  const auto error = (found.to(torch::kFloat64) - expected.to(torch::kFloat64)).abs();
  if (!(error <= bound + 1e-30).all().item<bool>()) __builtin_trap();
}

inline void require_same(const torch::Tensor& a, const torch::Tensor& b) {
  if (!torch::equal(a, b)) __builtin_trap();
}

}  // namespace raven::fuzz

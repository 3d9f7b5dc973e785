// Tensors that try a file format: every type with every kind of bit pattern, and odd shapes.
#pragma once

#include <torch/torch.h>

#include <string>

#include "raven/weights/safetensors.h"

namespace raven {

/// Bits at random: NaNs with payloads, infinities and denormals among them. A bool is 0 or 1.
inline torch::Tensor random_bits(torch::ScalarType type, torch::IntArrayRef shape) {
  auto tensor = torch::empty(shape, torch::TensorOptions().dtype(type));
  const auto bytes = static_cast<std::int64_t>(tensor.nbytes());
  if (bytes == 0) return tensor;
  const auto bits = torch::randint(0, type == torch::kBool ? 2 : 256, {bytes}, torch::kUInt8);
  std::memcpy(tensor.mutable_data_ptr(), bits.const_data_ptr(), tensor.nbytes());
  return tensor;
}

/// One of each type in three shapes, a transposed one, and two views of one storage.
inline weights::TensorFile odd_tensors() {
  torch::manual_seed(7);
  weights::TensorFile file;
  for (const auto type : {torch::kFloat64, torch::kFloat32, torch::kFloat16, torch::kBFloat16,
                          torch::kInt64, torch::kInt32, torch::kInt16, torch::kInt8, torch::kUInt8,
                          torch::kBool, torch::kUInt16, torch::kUInt32, torch::kUInt64}) {
    const std::string name = c10::toString(type);
    file.tensors.emplace_back(name + ".cube", random_bits(type, {2, 3, 5}));
    file.tensors.emplace_back(name + ".one", random_bits(type, {}));
    file.tensors.emplace_back(name + ".none", random_bits(type, {0, 4}));
  }
  file.tensors.emplace_back("turned", random_bits(torch::kFloat32, {300, 7}).t());
  const auto shared = random_bits(torch::kFloat32, {1000});
  file.tensors.emplace_back("front", shared.slice(0, 100, 500));
  file.tensors.emplace_back("middle", shared.slice(0, 400, 700, 2));
  return file;
}

}  // namespace raven

// Weights and inputs of the golden files: numbers from a formula over a tensor's name
// (tests/parity/data/README.md, "The formula").
#pragma once

#include <torch/torch.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "raven/nn/state_dict.h"

namespace raven::formula {

inline std::uint64_t fnv1a64(const std::string& text) {
  std::uint64_t hash = 0xCBF29CE484222325ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  return hash;
}

/// u(name, k) in [0, 1); `salted_name` is salt + name.
inline double uniform(std::uint64_t hash_of_salted_name, std::uint64_t k) {
  std::uint64_t z = hash_of_salted_name + 0x9E3779B97F4A7C15ULL * (k + 1);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  z ^= z >> 31;
  return static_cast<double>(z >> 40) * 0x1p-24;
}

/// Noise of that shape, float32.
inline torch::Tensor noise(const std::string& salted_name, torch::IntArrayRef shape, double centre,
                           double spread) {
  auto values = torch::empty(shape, torch::kFloat32);
  auto* out = values.data_ptr<float>();
  const auto hash = fnv1a64(salted_name);
  for (std::int64_t k = 0; k < values.numel(); ++k) {
    out[k] = static_cast<float>(centre +
                                spread * (2 * uniform(hash, static_cast<std::uint64_t>(k)) - 1));
  }
  return values;
}

/// Centre and spread of a parameter or buffer, by the last part of its name and its shape.
inline std::pair<double, double> range_of(const std::string& name, torch::IntArrayRef shape) {
  const auto last = name.substr(name.rfind('.') + 1);
  std::int64_t fan_in = 1;
  for (std::size_t i = 1; i < shape.size(); ++i) fan_in *= shape[i];
  const auto fan = static_cast<double>(fan_in);
  if (last == "pos_bias_u" || last == "pos_bias_v") {
    return {0, std::sqrt(6.0 / static_cast<double>(shape[0] + shape[1]))};
  }
  if (last == "gamma_ff" || last == "gamma_mha") return {0.1, 0.05};
  if (last == "mask_emb") return {0, 0.02};
  if (last == "running_var") return {1, 0.5};
  if (last == "running_mean" || (last == "bias" && shape.size() == 1)) return {0, 0.1};
  if (last == "weight" && shape.size() == 1) return {1, 0.1};
  if (last == "num_batches_tracked") return {0, 0};
  return {0, shape.size() >= 3 ? std::sqrt(6.0 / fan) : 1.0 / std::sqrt(fan)};
}

inline torch::Tensor weights(const std::string& salt, const std::string& name,
                             torch::IntArrayRef shape) {
  const auto [centre, spread] = range_of(name, shape);
  return noise(salt + name, shape, centre, spread);
}

/// Fills every parameter and buffer of a module; names are `prefix` + state-dict name.
inline void fill(torch::nn::Module& module, const std::string& salt, const std::string& prefix) {
  torch::NoGradGuard no_grad;
  for (auto& [name, tensor] : nn::state_dict(module)) {
    tensor.copy_(weights(salt, prefix + name, tensor.sizes()));
  }
}

/// Frames below each utterance's length: (B, T) bool.
inline torch::Tensor valid(const std::vector<std::int64_t>& lengths, std::int64_t frames) {
  return torch::arange(frames).unsqueeze(0) < torch::tensor(lengths, torch::kLong).unsqueeze(1);
}

/// An utterance batch as the files describe it: noise of `samples_per_frame` numbers per frame with
/// a gain and offset of each frame, 0 beyond the length. (B, T, samples_per_frame), float32.
inline torch::Tensor input(const std::string& salt, const std::string& name,
                           const std::vector<std::int64_t>& lengths, std::int64_t frames,
                           std::int64_t samples_per_frame, double spread) {
  const auto batch = static_cast<std::int64_t>(lengths.size());
  auto values = noise(salt + name, {batch, frames, samples_per_frame}, 0, spread);
  const auto gain = noise(salt + name + ".gain", {batch, frames}, 1, 1).unsqueeze(-1);
  const auto offset = noise(salt + name + ".offset", {batch, frames}, 0, 1).unsqueeze(-1);
  return (values * gain + offset) * valid(lengths, frames).unsqueeze(-1);
}

/// (B, T, 88, 88)
inline torch::Tensor video(const std::string& salt, const std::string& name,
                           const std::vector<std::int64_t>& lengths, std::int64_t frames) {
  return input(salt, name, lengths, frames, 88 * 88, 1.5)
      .view({static_cast<std::int64_t>(lengths.size()), frames, 88, 88});
}

/// (B, 640 T, 1)
inline torch::Tensor audio(const std::string& salt, const std::string& name,
                           const std::vector<std::int64_t>& lengths, std::int64_t frames) {
  return input(salt, name, lengths, frames, 640, 0.5)
      .view({static_cast<std::int64_t>(lengths.size()), frames * 640, 1});
}

}  // namespace raven::formula

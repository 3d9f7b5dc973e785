// Outputs of a part of the encoder that is not trained, computed once for all clips.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "raven/data/loader.h"
#include "raven/data/manifest.h"

namespace raven::train {

/// The frozen part on a batch that lies on the device: (B, T, C).
using FrozenForward = std::function<torch::Tensor(const data::Batch& batch)>;

/// Running statistics of the BatchNorm layers in `part` become the mean over the first
/// `max_batches` batches of the loader's next epoch (all batches weigh the same). Weights stay.
/// `part` is left in eval mode. False when `stop` was asked for before the end.
bool estimate_statistics(torch::nn::Module& part, data::Loader& loader, std::int64_t max_batches,
                         const torch::Device& device, const FrozenForward& forward,
                         const std::stop_token& stop);

/// Features of every utterance in several augmented versions, in memory on the CPU.
class FrozenFeatures {
 public:
  /// Version v has the crops, flips and time masks of the loader's epoch v. Each utterance is
  /// computed alone, without padding. Ends early when `stop` is asked for; complete() then is
  /// false. Throws ConfigError when the features would take more than half of `memory` bytes.
  FrozenFeatures(const data::Manifest& manifest, const data::LoaderOptions& options,
                 std::int64_t versions, const torch::Device& device, const FrozenForward& forward,
                 std::uint64_t memory, const std::stop_token& stop);

  [[nodiscard]] bool complete() const { return complete_; }
  /// Every version of the utterance could be computed.
  [[nodiscard]] bool has(const std::string& id) const;
  /// How long the utterance is, which a published list need not tell.
  [[nodiscard]] std::int64_t frames_of(const std::string& id) const;
  /// The batch's utterances in the version of its epoch, (B, T, C) on the CPU, 0 beyond the end.
  [[nodiscard]] torch::Tensor of(const data::Batch& batch) const;

 private:
  std::int64_t versions_;
  bool complete_ = false;
  std::map<std::string, std::vector<torch::Tensor>> features_;  // by utterance id, (T, C) each
};

}  // namespace raven::train

// What decoding and features share: utterances read one by one, and computed together.
//
// Note [Computed together]
// Several utterances at once share a network's weights while they are in the cache. What a matrix
// product rounds to depends on how many rows it has, so the last digits depend on which utterances
// are computed together. Groups therefore follow from the whole list and data.max_frames alone:
// utterances of like length, padded and hidden behind a mask. A group that a stop has cut is
// computed again whole.
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
#include "raven/models/encoder.h"
#include "raven/weights/model_settings.h"

namespace raven::evaluation {

struct UtteranceGroups {
  std::vector<data::Utterance> utterances;      // group after group, the longest first
  std::map<std::string, std::size_t> group_of;  // by utterance id
};

/// Groups of which an utterance is not `done`.
UtteranceGroups unfinished_groups(const data::Manifest& manifest, std::int64_t max_frames,
                                  const std::function<bool(const std::string& id)>& done);

/// How a model's input is read: listed order, centre crops, one modality, nothing masked.
data::LoaderOptions input_options(const weights::ModelSettings& model, const data::Manifest& all,
                                  std::uint64_t seed);

/// Calls `see` for each readable utterance in the list's order, alone, without padding, on the
/// device. False when `stop` was asked for before the end.
bool read_each(const data::Manifest& manifest, const data::LoaderOptions& options,
               const torch::Device& device, const std::stop_token& stop,
               const std::function<void(const data::Batch& one)>& see);

struct PaddedFrames {
  torch::Tensor frames;  // (B, T, D), 0 beyond an utterance's end
  torch::Tensor valid;   // (B, T) bool; undefined for one utterance
};

/// Frames of several utterances, (1, T, D) each.
PaddedFrames pad_frames(const std::vector<torch::Tensor>& utterances);

}  // namespace raven::evaluation

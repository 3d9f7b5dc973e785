// What decoding and features share: utterances read one by one, and computed together.
//
// Note [Computed together]
// Several utterances at once share a network's weights while they are in the cache. What a matrix
// product rounds to depends on how many rows it has, so the last digits depend on which utterances
// are computed together. Groups therefore follow from the whole list and data.max_frames alone:
// utterances of like length, padded and hidden behind a mask. A group that a stop has cut is
// computed again whole, and several ranks compute whole groups.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "raven/data/loader.h"
#include "raven/data/manifest.h"
#include "raven/distributed/communicator.h"
#include "raven/models/encoder.h"
#include "raven/weights/model_settings.h"

namespace raven::evaluation {

struct UtteranceGroups {
  std::vector<data::Utterance> utterances;      // group after group, the longest first
  std::map<std::string, std::size_t> group_of;  // by utterance id
};

/// Groups of which an utterance is not `done`: those that this rank computes, in turn. What is
/// done, rank 0 knows; `done` of the others is not asked. All ranks call it.
UtteranceGroups dealt_groups(const data::Manifest& manifest, std::int64_t max_frames,
                             const std::function<bool(const std::string& id)>& done,
                             distributed::Communicator& ranks);

/// Rank 0's record gets what the others could not read, in the order in which one process would
/// have met it. Throws SkipBudgetError, on all ranks, where all together are more than
/// `max_skipped`.
void gather_skips(data::SkipRecord& skips, const data::Manifest& manifest, std::int64_t max_frames,
                  std::int64_t max_skipped, distributed::Communicator& ranks);

/// "decoded.rank_2.jsonl": what rank 2 has made, until rank 0 takes it over into decoded.jsonl.
std::filesystem::path part_of_rank(const std::filesystem::path& file, std::int64_t rank);

/// Such parts of a file that are there, by rank.
std::vector<std::filesystem::path> parts_of_ranks(const std::filesystem::path& file);

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

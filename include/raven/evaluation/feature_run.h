// Outputs of an encoder, a file for each utterance; a stopped run goes on where it was.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "raven/config/features_config.h"
#include "raven/data/loader.h"
#include "raven/data/manifest.h"
#include "raven/distributed/communicator.h"
#include "raven/evaluation/encoder_file.h"

namespace raven::evaluation {

/// Layers of an encoder of L blocks: 0 is what the first block takes (the frontend's features,
/// projected to the encoder's width and multiplied by its root), i the residual stream after the
/// i-th block, L + 1 ("final") the last one behind the final norm.
/// Throws ConfigError when `encoder` has no such layer; `names` as FeaturesConfig::layers.
std::vector<std::int64_t> layer_numbers(const std::vector<std::string>& names,
                                        const LoadedEncoder& encoder);

/// Layers of utterances of which the frontend has seen each alone: features (1, T, C) each ->
/// (T, D) for one layer or the mean of several, else (layers, T, D); float32, on the CPU.
std::vector<torch::Tensor> encode_together(models::Encoder& encoder,
                                           const std::vector<torch::Tensor>& features,
                                           const std::vector<std::int64_t>& layers, bool mean);

/// Files of the list's utterances below the folder of the features: the id and the format's ending;
/// a / in an id makes a folder. Throws DataError ("id") for an id that would leave the folder, or
/// would meet another one or a file of the folder's own.
std::map<std::string, std::filesystem::path> feature_files(const data::Manifest& manifest,
                                                           config::FeatureFormat format);

struct FeatureCounts {
  std::int64_t written = 0, kept = 0;           // utterances: by this call, and before it
  std::map<std::string, std::int64_t> skipped;  // by reason
  std::string shape;                            // "(frames, 512)"
};

/// Frames done so far, of all; of several ranks those of this one.
using FeatureProgress = std::function<void(std::int64_t done, std::int64_t total)>;

/// Writes into config.out a file for each utterance, index.tsv, features.json (what they are made
/// from) and skipped.tsv. Utterances that the folder has are kept, if the list says of them what it
/// said. Empty when `stop` was asked for before the end. `skips`: utterances of the list that were
/// found unusable before; null: none. Several ranks call it together, with the same arguments but
/// for `stop`, and share the work: with the same files for any number of them, as all have as many
/// threads. Rank 0 counts for all. A rank that is asked to stop ends alone, and the others keep
/// what they have made.
/// Throws ConfigError when the folder holds features of another encoder, of other settings or of
/// other clips under these ids, SkipBudgetError beyond data.max_skipped or when there is nothing
/// left, DataError naming an utterance whose features are no numbers.
std::optional<FeatureCounts> write_features(
    LoadedEncoder& loaded, const data::Manifest& manifest, const config::FeaturesConfig& config,
    const torch::Device& device, const std::stop_token& stop, const FeatureProgress& progress,
    std::shared_ptr<data::SkipRecord> skips = nullptr,
    distributed::Communicator& ranks = distributed::one_rank());

}  // namespace raven::evaluation

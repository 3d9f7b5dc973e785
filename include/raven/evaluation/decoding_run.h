// Decodes a set with a recognizer; a stopped run goes on where it was.
#pragma once

#include <torch/torch.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>

#include "raven/config/evaluate_config.h"
#include "raven/data/manifest.h"
#include "raven/evaluation/recognizer_file.h"
#include "raven/evaluation/scoring.h"

namespace raven::evaluation {

/// Frames done so far, of all.
using DecodingProgress = std::function<void(std::int64_t done, std::int64_t total)>;

struct DecodedSet {
  std::vector<UtteranceResult> results;         // in the manifest's order
  std::map<std::string, std::int64_t> skipped;  // utterances that could not be read, by reason
};

/// Each utterance is encoded and decoded alone, without padding, so that neither order nor batches
/// matter. What is done is kept in `<folder>/decoded.jsonl` until write_set(); a later call with
/// the same recognizer, set and settings goes on from there. Empty when `stop` was asked for before
/// the end. Throws SkipBudgetError beyond data.max_skipped.
std::optional<DecodedSet> decode_set(LoadedRecognizer& loaded, const data::Manifest& manifest,
                                     const config::EvaluateConfig& config,
                                     const torch::Device& device,
                                     const std::filesystem::path& folder,
                                     const std::stop_token& stop, const DecodingProgress& progress);

/// Scores a decoded set and writes the files of write_scores() and pictures of the worst
/// utterances' mouths into `folder`.
Scores write_set(const DecodedSet& decoded, const data::Manifest& manifest,
                 const config::EvaluateConfig& config, const std::filesystem::path& folder);

}  // namespace raven::evaluation

// Probes of frozen encoders: features of a list's clips, and what can be read out of them.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "raven/config/probe_config.h"
#include "raven/data/manifest.h"
#include "raven/evaluation/encoder_file.h"
#include "raven/evaluation/probes.h"

namespace raven::evaluation {

/// One label read out of one layer.
struct ProbeResult {
  std::string modality, layer;                   // "video", "final"
  std::string labels;                            // LabelSet::name
  std::string split;                             // "speaker", "utterance"
  std::int64_t classes = 0;                      // that both halves have
  std::int64_t fitted = 0, scored = 0;           // frames, or utterances
  std::int64_t left_out = 0;                     // of both halves: their label is in one alone
  double linear = 0, nearest = 0, majority = 0;  // shares read rightly (evaluation/probes.h)
};

/// Clips of one modality that find those of the other.
struct RetrievalResult {
  std::string query, layer;            // "audio": sound finds lips
  std::int64_t clips = 0, fitted = 0;  // that are searched, that the map between them is fitted on
  std::int64_t too_short = 0;
  RetrievalScores scores;
};

struct ProbeResults {
  std::vector<ProbeResult> probes;
  std::vector<RetrievalResult> retrieval;
  std::map<std::string, std::int64_t> skipped;  // utterances by reason
};

/// Utterances done so far, of all, over all encoders.
using ProbeProgress = std::function<void(std::int64_t done, std::int64_t total)>;

/// Labels are read of each layer of each encoder by itself; clips are searched where there are two
/// encoders, in each layer that both have. The same for any number of workers. Empty when `stop`
/// was asked for before the end. Throws ConfigError where a half has nothing, SkipBudgetError
/// beyond data.max_skipped.
std::optional<ProbeResults> run_probes(std::vector<LoadedEncoder>& encoders,
                                       const data::Manifest& manifest,
                                       const config::ProbeConfig& config,
                                       const torch::Device& device, const std::stop_token& stop,
                                       const ProbeProgress& progress);

}  // namespace raven::evaluation

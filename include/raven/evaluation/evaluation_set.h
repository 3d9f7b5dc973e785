// What is evaluated: lists of utterances, each clean and with noise of several levels.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "raven/config/evaluate_config.h"
#include "raven/data/manifest.h"
#include "raven/data/noise.h"

namespace raven::evaluation {

/// A list as it is heard.
struct EvaluationSet {
  data::Manifest manifest;
  std::string name;  // of its results' folder: "test", "test@babble_5dB"
  std::shared_ptr<const data::NoiseSource> noise = nullptr;  // none: clean
  std::optional<double> snr_db;                              // none: clean
  std::string noise_source = {};  // what the noise is made from, with a checksum of its content
};

/// Of what hypotheses depend on in a list: utterances, their files and speakers, not their text.
std::string content_checksum(const data::Manifest& manifest);

/// The lists of data.manifest in their order, each clean first, if asked for, then with the levels
/// of noise.snr_db in theirs. Throws what read_manifest() and NoiseSource throw.
std::vector<EvaluationSet> evaluation_sets(const config::EvaluateConfig& config);

}  // namespace raven::evaluation

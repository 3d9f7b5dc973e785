// Rounds of self-training: a recognizer labels, a filter chooses, a student learns.
#pragma once

#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "raven/config/selftrain_config.h"
#include "raven/train/session.h"

namespace raven::selftrain {

/// In the folder of a round, run.dir/round_<n>.
inline constexpr const char* kLabelsFolder = "labels";    // decoded.jsonl, nbest.jsonl, ...
inline constexpr const char* kLabelsFile = "labels.tsv";  // every label and why it is rejected
inline constexpr const char* kErrorsFile = "label_errors.tsv";
inline constexpr const char* kPseudoFile = "pseudo.tsv";  // the kept: a list to train on
inline constexpr const char* kStudentFolder = "student";  // a run of fine-tuning

struct Options {
  std::string yaml;  // the resolved configuration
  std::stop_token stop;
  /// The configuration anew, where these hold for keys that are not given: "decode.beam_size=40".
  std::function<config::SelftrainConfig(const std::vector<std::string>& defaults)> load;
  std::function<std::string(config::Device)> load_device = {};  // as SessionOptions::load_device
  /// Frames labelled so far, of all, by the recognizer `name`.
  std::function<void(const std::string& name, std::int64_t done, std::int64_t total)> progress = {};
};

std::filesystem::path round_folder(const config::SelftrainConfig& config, std::int64_t round);

/// Runs all rounds in config.run.dir. Where a launcher has started several processes
/// (distributed::read_launch), each calls this: they label and train together. Every part goes on
/// where it was stopped or killed, with the same result; what is finished is not done again.
/// kStopped when a stop was asked for. Throws ConfigError when the folder is of other settings,
/// when no label is kept, or when the student's configuration does not fit; what evaluate_set() and
/// run_session() throw.
train::Outcome self_train(const config::SelftrainConfig& config, const Options& options);

}  // namespace raven::selftrain

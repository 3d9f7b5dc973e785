// What training starts from: whether it is there, whether it is still the same when a run goes on,
// and the input that its encoder was trained on.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "raven/artifacts/checkpoint.h"
#include "raven/config/finetune_config.h"
#include "raven/config/load.h"
#include "raven/config/pretrain_config.h"
#include "raven/data/manifest.h"

namespace raven::train {

/// A setting that names a model to start from.
struct InitSetting {
  std::string key;            // "model.init_video"
  config::Modality modality;  // of the encoder that is started
  std::string path;           // empty: random weights
};

std::vector<InitSetting> init_settings(const config::PretrainConfig& config);
std::vector<InitSetting> init_settings(const config::FinetuneConfig& config);

/// A run that goes on does not read what it started from.
bool goes_on(const config::RunConfig& run);

/// config::load(), where keys of an encoder's input (data.video.window, shrink and crop, or
/// data.waveform) that neither file nor overrides set are those that the model to start from tells,
/// or, of a run that goes on, the run's own. With model.init_input=own it is config::load() alone.
/// `defaults`: further ones, LoadOptions::defaults.
config::Resolved<config::FinetuneConfig> load_finetune(const std::filesystem::path& file,
                                                       const std::vector<std::string>& overrides,
                                                       std::vector<std::string> defaults = {});
config::Resolved<config::PretrainConfig> load_pretrain(const std::filesystem::path& file,
                                                       const std::vector<std::string>& overrides,
                                                       std::vector<std::string> defaults = {});

/// Throws ConfigError where a model to start from is not there, and naming keys whose values are
/// not those that it tells, unless model.init_input is own; the log says what the input is. A run
/// that goes on is not asked.
void check_init(const config::FinetuneConfig& config);
void check_init(const config::PretrainConfig& config);

/// Warns where a video encoder of published weights starts on pictures of another grey than it
/// learned from.
void tell_init_grey(const InitSetting& init, const config::RunConfig& run,
                    const data::Manifest& training);

/// The model may lie elsewhere by now, but a run does not go on from one model under the name of
/// another. `state`: of the run's newest checkpoint, whose card tells the SHA-256 under
/// `sha256_key`; `sha256_now`: of what the setting names now. Throws ConfigError.
void check_same_init(const InitSetting& init, const config::RunConfig& run,
                     const artifacts::TrainState& state, const std::string& sha256_key,
                     const std::function<std::string()>& sha256_now);

/// Without the folders that a model lies in: those are of one machine. A checkpoint is known by its
/// run.
std::string init_name(const std::filesystem::path& model);

}  // namespace raven::train

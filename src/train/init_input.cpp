#include "raven/train/init_input.h"

#include "raven/artifacts/flat_config_file.h"
#include "raven/artifacts/model_source.h"
#include "raven/artifacts/run_files.h"
#include "raven/core/error.h"
#include "raven/core/log.h"
#include "raven/core/tried_path.h"
#include "raven/core/utf8.h"
#include "raven/data/grey_kinds.h"
#include "raven/weights/model_card.h"

namespace raven::train {
namespace {

namespace fs = std::filesystem;
using config::FinetuneConfig;
using config::FlatConfig;
using config::InitInput;
using config::PretrainConfig;

/// What shapes or scales the encoder's input. Mirroring and masks are training's own choice.
FlatConfig of_input(const FlatConfig& settings, config::Modality modality) {
  static const std::vector<std::string> of_video = {"data.video.window", "data.video.shrink",
                                                    "data.video.crop"};
  static const std::vector<std::string> of_audio = {"data.waveform"};
  FlatConfig input;
  for (const auto& key : modality == config::Modality::kVideo ? of_video : of_audio) {
    if (const auto found = settings.find(key); found != settings.end()) input.insert(*found);
  }
  return input;
}

/// Of the encoder that is named; empty where there is none, or it does not tell.
FlatConfig told_input(const InitSetting& init) {
  if (init.path.empty() || !artifacts::exists_or_waits(init.path)) return {};
  const auto told = artifacts::told_settings(init.path, artifacts::wanted_encoder(init.modality));
  // Whoever opens an encoder of the other modality says so.
  const auto of = told.find("modality");
  if (of != told.end() && of->second != config::modality_name(init.modality)) return {};
  return of_input(told, init.modality);
}

template <class Config>
config::Resolved<Config> load_started(const fs::path& file,
                                      const std::vector<std::string>& overrides,
                                      std::vector<std::string> defaults) {
  const auto given = config::load<Config>(file, overrides, {.allow_missing = true}).config;
  if (given.model.init_input == InitInput::kSame) {
    const bool goes_on = train::goes_on(given.run);
    const auto of_run =
        goes_on ? artifacts::read_flat_config(fs::path(given.run.dir) / artifacts::kConfigFile)
                : FlatConfig();
    for (const auto& init : init_settings(given)) {
      for (const auto& [key, value] : goes_on ? of_input(of_run, init.modality) : told_input(init))
        defaults.push_back(key + "=" + value);
    }
  }
  return config::load<Config>(file, overrides, {.defaults = std::move(defaults)});
}

void check_there(const InitSetting& init) {
  if (init.path.empty() || fs::exists(init.path)) return;
  throw ConfigError(fmt::format(
      "{0}: there is no {1}; it names a run of raven pretrain, a checkpoint or a file of "
      "weights; {0}= starts from random ones",
      init.key, tried_path(init.path)));
}

void check_input(const InitSetting& init, const FlatConfig& here, InitInput whose) {
  std::vector<std::string> same, other;
  for (const auto& [key, value] : told_input(init)) {
    if (here.at(key) == value)
      same.push_back(fmt::format("{}={}", key, value));
    else
      other.push_back(fmt::format("{}: {} there, {} here", key, value, here.at(key)));
  }
  if (!same.empty()) {
    log::info("{}: the encoder's input is as it was trained: {}", init.key, fmt::join(same, " "));
  }
  if (other.empty()) return;
  const auto lines = fmt::format("{}", fmt::join(other, "\n  "));
  if (whose == InitInput::kOwn) {
    log::warn("model.init_input=own: the encoder of {} was trained on other input:\n  {}",
              init.path, lines);
    return;
  }
  throw ConfigError(fmt::format(
      "{}: the encoder of {} was trained on other input:\n  {}\nleave these keys out to take the "
      "encoder's, or give model.init_input=own to train it on another input",
      init.key, init.path, lines));
}

template <class Config>
void check_started(const Config& config) {
  if (goes_on(config.run)) return;
  for (const auto& init : init_settings(config)) check_there(init);
  const auto here = config::flatten(config);
  for (const auto& init : init_settings(config)) check_input(init, here, config.model.init_input);
}

}  // namespace

std::vector<InitSetting> init_settings(const FinetuneConfig& config) {
  return {{.key = "model.init", .modality = config.model.modality, .path = config.model.init}};
}

std::vector<InitSetting> init_settings(const PretrainConfig& config) {
  std::vector<InitSetting> settings;
  for (const auto modality : config::kModalities) {
    settings.push_back({.key = "model.init_" + config::modality_name(modality),
                        .modality = modality,
                        .path = config.model.init_of(modality)});
  }
  return settings;
}

bool goes_on(const config::RunConfig& run) {
  return fs::exists(fs::path(run.dir) / artifacts::kCheckpoints);
}

config::Resolved<FinetuneConfig> load_finetune(const fs::path& file,
                                               const std::vector<std::string>& overrides,
                                               std::vector<std::string> defaults) {
  return load_started<FinetuneConfig>(file, overrides, std::move(defaults));
}

config::Resolved<PretrainConfig> load_pretrain(const fs::path& file,
                                               const std::vector<std::string>& overrides,
                                               std::vector<std::string> defaults) {
  return load_started<PretrainConfig>(file, overrides, std::move(defaults));
}

void check_init(const FinetuneConfig& config) { check_started(config); }

void check_init(const PretrainConfig& config) { check_started(config); }

void tell_init_grey(const InitSetting& init, const config::RunConfig& run,
                    const data::Manifest& training) {
  const bool starts = init.modality == config::Modality::kVideo && !goes_on(run);
  if (!starts || !weights::saw_published_grey(init.path)) return;
  if (const auto line = data::tell_luma(training, init.path); !line.empty()) log::warn("{}", line);
}

void check_same_init(const InitSetting& init, const config::RunConfig& run,
                     const artifacts::TrainState& state, const std::string& sha256_key,
                     const std::function<std::string()>& sha256_now) {
  const auto found = state.config.find(init.key);  // an earlier raven may not have had the setting
  const auto then = found == state.config.end() ? "" : found->second;
  const auto now = as_utf8(init.path);
  if (then == now) return;
  const auto known = state.card.find(sha256_key);
  const bool can_tell =
      !now.empty() && known != state.card.end() && artifacts::exists_or_waits(init.path);
  if (can_tell && sha256_now() == known->second) return;
  const auto named = [](const std::string& path) { return path.empty() ? "random weights" : path; };
  throw ConfigError(fmt::format(
      "{0}: {1} was begun from {2}, and {3} {4}; leave {0} as it was to go on, or choose another "
      "run.dir",
      init.key, run.dir, named(then), named(now),
      can_tell ? "holds other weights" : "cannot be compared with it"));
}

std::string init_name(const fs::path& model) {
  const auto path = (model / "").parent_path();  // no slash at its end
  const auto above = path.parent_path();
  if (above.filename() != artifacts::kCheckpoints) return as_utf8(path.filename().string());
  return as_utf8((above.parent_path().filename() / above.filename() / path.filename()).string());
}

}  // namespace raven::train

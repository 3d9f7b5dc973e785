#include "raven/train/init_input.h"

#include "raven/artifacts/flat_config_file.h"
#include "raven/artifacts/model_source.h"
#include "raven/artifacts/run_files.h"
#include "raven/core/error.h"
#include "raven/core/log.h"

namespace raven::train {
namespace {

namespace fs = std::filesystem;
using config::FinetuneConfig;
using config::FlatConfig;
using config::InitInput;

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

/// Of the encoder that model.init names; empty where there is none, or it does not tell.
FlatConfig told_input(const FinetuneConfig& config) {
  const auto modality = config.model.modality;
  const auto& init = config.model.init;
  if (init.empty() || !artifacts::exists_or_waits(init)) return {};
  const auto told = artifacts::told_settings(init, artifacts::wanted_encoder(modality));
  // Whoever opens an encoder of the other modality says so.
  const auto of = told.find("modality");
  if (of != told.end() && of->second != config::modality_name(modality)) return {};
  return of_input(told, modality);
}

FlatConfig input_of_run(const FinetuneConfig& config) {
  return of_input(artifacts::read_flat_config(fs::path(config.run.dir) / artifacts::kConfigFile),
                  config.model.modality);
}

}  // namespace

bool goes_on(const FinetuneConfig& config) {
  return fs::exists(fs::path(config.run.dir) / artifacts::kCheckpoints);
}

config::Resolved<FinetuneConfig> load_finetune(const fs::path& file,
                                               const std::vector<std::string>& overrides,
                                               std::vector<std::string> defaults) {
  const auto given = config::load<FinetuneConfig>(file, overrides, {.allow_missing = true}).config;
  if (given.model.init_input == InitInput::kSame) {
    const auto input = goes_on(given) ? input_of_run(given) : told_input(given);
    for (const auto& [key, value] : input) defaults.push_back(key + "=" + value);
  }
  return config::load<FinetuneConfig>(file, overrides, {.defaults = std::move(defaults)});
}

void check_init_input(const FinetuneConfig& config) {
  if (goes_on(config)) return;
  const auto& init = config.model.init;
  std::vector<std::string> same, other;
  const auto here = config::flatten(config);
  for (const auto& [key, value] : told_input(config)) {
    if (here.at(key) == value)
      same.push_back(fmt::format("{}={}", key, value));
    else
      other.push_back(fmt::format("{}: {} there, {} here", key, value, here.at(key)));
  }
  if (!same.empty())
    log::info("model.init: the encoder's input is as it was trained: {}", fmt::join(same, " "));
  if (other.empty()) return;
  const auto lines = fmt::format("{}", fmt::join(other, "\n  "));
  if (config.model.init_input == InitInput::kOwn) {
    log::warn("model.init_input=own: the encoder of {} was trained on other input:\n  {}", init,
              lines);
    return;
  }
  throw ConfigError(fmt::format(
      "model.init: the encoder of {} was trained on other input:\n  {}\nleave these keys out to "
      "take the encoder's, or give model.init_input=own to train it on another input",
      init, lines));
}

}  // namespace raven::train

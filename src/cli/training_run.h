// What the commands that train share: their data, what they say at the start, the trainer's
// settings.
#pragma once

#include <torch/version.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include "raven/artifacts/run_folder.h"
#include "raven/config/finetune_config.h"
#include "raven/config/pretrain_config.h"
#include "raven/data/loader.h"
#include "raven/data/manifest.h"
#include "raven/media/media.h"
#include "raven/nn/device.h"
#include "raven/train/trainer.h"

namespace raven::cli {

/// data.manifest, cut to data.max_utterances. Throws ConfigError that says how to make a missing
/// file. What the utterances must have, the caller checks (require_input).
data::Manifest training_data(const config::DataConfig& config);

/// data.valid_manifest; empty when there is none.
data::Manifest held_out_data(const config::DataConfig& config);

/// Throws ConfigError naming file and line of an utterance that lacks what the command learns from.
void require_input(const config::PretrainConfig& config, const data::Manifest& manifest);
void require_input(const config::FinetuneConfig& config, const data::Manifest& manifest);

std::int64_t num_parameters(const torch::nn::Module& module, bool trained);

/// Optimiser steps in `epochs` passes, 1 at least; 0 for 0.
std::int64_t steps_of_epochs(double epochs, const config::TrainConfig& train,
                             const data::Loader& loader);

/// What a run is, said once at its start and kept in environment.json.
template <class Config>
std::map<std::string, std::string> training_facts(const Config& config, const torch::Device& device,
                                                  const data::Manifest& manifest,
                                                  const data::Loader& loader,
                                                  const train::RunLength& length,
                                                  torch::nn::Module& module) {
  return {{"raven", RAVEN_VERSION},
          {"libtorch", TORCH_VERSION},
          {"device", nn::device_name(device)},
          {"threads", fmt::format("{}", torch::get_num_threads())},
          {"precision", std::string(config::enum_name(config.train.precision))},
          {"parameters", fmt::format("{}", num_parameters(module, /*trained=*/false))},
          {"trained_parameters", fmt::format("{}", num_parameters(module, /*trained=*/true))},
          {"utterances", fmt::format("{}", manifest.utterances.size())},
          {"hours", fmt::format("{:.2f}", media::hours(manifest.total_frames()))},
          {"batches_per_epoch", fmt::format("{}", loader.batches_per_epoch())},
          {"steps", fmt::format("{}", length.steps)},
          {"warmup_steps", fmt::format("{}", length.warmup_steps)}};
}

template <class Config>
train::TrainerSettings trainer_settings(const Config& config, const data::Manifest& manifest,
                                        const data::Loader& loader, const train::RunLength& length,
                                        const torch::Device& device) {
  config::CheckpointConfig checkpoint = config.checkpoint;
  if (checkpoint.every_epochs)
    checkpoint.every = steps_of_epochs(*checkpoint.every_epochs, config.train, loader);
  return {.optimizer = config.optimizer,
          .train = config.train,
          .checkpoint = checkpoint,
          .log = config.log,
          .evaluate_every = 0,
          .seed = static_cast<std::uint64_t>(config.run.seed),
          .length = length,
          .device = device,
          .config = config::flatten(config),
          .data_hash = artifacts::data_hash(manifest),
          .manifest = fmt::format("{}", fmt::join(config.data.manifest, ", "))};
}

}  // namespace raven::cli

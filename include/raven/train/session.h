// One run of a training stage: from a configuration to the results in its folder.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "raven/artifacts/run_folder.h"
#include "raven/config/flat_config.h"
#include "raven/config/json.h"
#include "raven/config/load.h"
#include "raven/config/run_config.h"
#include "raven/data/deal.h"
#include "raven/distributed/joined_ranks.h"
#include "raven/train/batch.h"
#include "raven/train/best_checkpoint.h"
#include "raven/train/schedule.h"
#include "raven/train/task.h"

namespace raven::train {

/// What the configuration of every stage has.
struct StageSettings {
  std::string stage;  // its name, kept in environment.json
  config::RunConfig run;
  config::Device device = config::Device::kAuto;
  std::int64_t threads = 0, ranks = 0;
  config::DistributedConfig distributed;
  config::TrainConfig train;
  config::OptimizerConfig optimizer;
  config::CheckpointConfig checkpoint;
  config::LogConfig log;
  config::FlatConfig all;       // every key and value
  config::FlatConfig defaults;  // of the same keys
  std::string json;             // all, with types

  template <class Config>
  static StageSettings of(const Config& config) {
    return {.stage = Config::kStage,
            .run = config.run,
            .device = config.device,
            .threads = config.threads,
            .ranks = config.ranks,
            .distributed = config.distributed,
            .train = config.train,
            .optimizer = config.optimizer,
            .checkpoint = config.checkpoint,
            .log = config.log,
            .all = config::flatten(config),
            .defaults = config::flatten(Config()),
            .json = config::to_json(config)};
  }
};

/// What a stage trains.
struct Training {
  std::unique_ptr<BatchSource> source;
  RunLength length;
  std::unique_ptr<Task> task;
  std::int64_t evaluate_every = 0;  // steps; 0: never
  BestSettings best = {};
  std::string data_hash;  // of what the source reads: a run that goes on has the same
  std::string data;       // its name, for messages
  std::map<std::string, std::string> facts = {};      // for people, kept in environment.json
  std::map<std::string, std::string> run_files = {};  // TrainState::run_files
  std::map<std::string, std::string> card = {};       // TrainState::card, kept with the facts, too
  std::string results = {};                           // "encoders are in runs/lrs3/encoders"
};

/// A stage with its configuration. read_data() and prepare() are called once each, in this order;
/// of several ranks each has one.
class Stage {
 public:
  Stage() = default;
  virtual ~Stage() = default;
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  [[nodiscard]] virtual StageSettings settings() const = 0;
  /// Reads and checks data before anything is written. Throws ConfigError, DataError, ...
  virtual void read_data(const torch::Device& device, const data::Share& share) = 0;
  /// Makes task and batches, of which this rank has its share; `folder` is ours and knows the
  /// configuration, or that of rank 0 (RunFolder::Access::kReader), in which only it writes. Empty
  /// when `stop` was asked for before training could begin.
  virtual std::optional<Training> prepare(artifacts::RunFolder& folder, const torch::Device& device,
                                          const std::stop_token& stop) = 0;
};

struct SessionOptions {
  std::string yaml;                         // the resolved configuration
  std::vector<std::string> overrides;       // of the command line
  std::vector<std::string> arguments = {};  // of the command, for the run's history; empty: those
  std::stop_token stop;
  /// Makes a device usable before Torch is asked; returns why it cannot be, empty if it can.
  std::function<std::string(config::Device)> load_device = {};
  distributed::JoinedRanks* ranks = nullptr;  // empty: those of the launch are joined
};

enum class Outcome { kDone, kStopped };

/// Trains to the end, or to the step in which a stop was asked for; the same call goes on from the
/// newest checkpoint in the run's folder. Where a launcher has started several processes
/// (distributed::read_launch), each is a rank of the run and calls this; they stop together.
Outcome run_session(Stage& stage, const SessionOptions& options);

/// Optimiser steps in `epochs` passes, 1 at least; 0 for 0.
std::int64_t steps_of_epochs(double epochs, std::int64_t accumulate,
                             std::int64_t batches_per_epoch);

}  // namespace raven::train

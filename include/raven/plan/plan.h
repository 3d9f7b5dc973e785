// What a training configuration needs before it runs: parameters, operations, memory, steps,
// storage; whether it fits, and which settings do.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "raven/config/finetune_config.h"
#include "raven/config/pretrain_config.h"
#include "raven/plan/flops.h"
#include "raven/plan/hardware.h"
#include "raven/plan/memory.h"

namespace raven::plan {

/// What is known of the data. Without a list of sizes, batches are taken to be full, of utterances
/// as long as the longest.
struct Data {
  std::vector<std::int64_t> sizes;  // frames of each utterance; empty: not known
  double frames = 0;                // of all; 0: not known
  std::int64_t longest = 150;       // frames of the longest utterance, else of a typical long one
  double pixel_bytes = 1;           // in a batch: 4 for crops in colour (data::pixel_type)
  double labels_per_frame = 0.2;    // fine-tuning
  std::int64_t num_units = 1049;    // V, fine-tuning

  static Data of_sizes(std::vector<std::int64_t> sizes);
};

/// Where batches come from in what is planned.
enum class Batches { kLoader, kOneRandom };

/// Memory at the batch that needs most. `config` is for the hardware's device.
Memory memory_for(const config::PretrainConfig& config, const Data& data, const Hardware& hardware,
                  Batches batches = Batches::kLoader);
Memory memory_for(const config::FinetuneConfig& config, const Data& data, const Hardware& hardware,
                  Batches batches = Batches::kLoader);

/// Overrides that make a configuration fit, and what it then needs.
struct Setting {
  std::vector<std::string> overrides;  // "data.max_frames=1200"
  std::string remark;                  // what it changes besides memory; empty: nothing
  double bytes = 0;
};

/// Nearest first: the largest data.max_frames (with train.accumulate raised so that a step keeps
/// its frames), train.precision=bf16 on a GPU, a frozen frontend in fine-tuning. Empty: nothing
/// that raven can be set to makes these networks fit.
std::vector<Setting> settings_that_fit(const config::PretrainConfig& config, const Data& data,
                                       const Hardware& hardware);
std::vector<Setting> settings_that_fit(const config::FinetuneConfig& config, const Data& data,
                                       const Hardware& hardware);

/// How long a run is; empty where the data's size would be needed and is not known.
struct Length {
  std::optional<std::int64_t> steps;
  std::optional<std::int64_t> batches_per_epoch;
  std::optional<double> frames;  // that the whole run sees, without padding
  bool exact = false;            // counted from the list of utterances
};
Length length_of(const config::TrainConfig& train, std::int64_t max_frames, const Data& data);

/// Bytes on disk.
struct Storage {
  double checkpoint = 0;          // one
  std::int64_t checkpoints = 0;   // that stay at the end
  double checkpoints_peak = 0;    // while one more is being written
  double exports = 0;             // encoders/ or recognizer.safetensors
  std::optional<double> metrics;  // metrics.jsonl and tensorboard/

  [[nodiscard]] double total() const { return checkpoints_peak + exports + metrics.value_or(0); }
};
Storage storage_of(const Networks& networks, const config::CheckpointConfig& checkpoint,
                   const config::LogConfig& log, const Length& length, double exported_bytes);

/// The parts of a plan that shapes and data give.
struct Plan {
  Networks networks;  // at the batch below
  BatchShape batch;   // the one that needs most memory
  plan::StepFlops flops_per_frame;
  Memory memory;
  Length length;
  Storage storage;
};
Plan make_plan(const config::PretrainConfig& config, const Data& data, const Hardware& hardware);
Plan make_plan(const config::FinetuneConfig& config, const Data& data, const Hardware& hardware);

/// Bytes of an hour of prepared data without compression: 96 x 96 pixels 25 times a second, 16-bit
/// samples.
double raw_bytes_per_hour();

}  // namespace raven::plan

// Training steps on random batches, whose speed and memory can be measured without data.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "raven/config/finetune_config.h"
#include "raven/config/lm_config.h"
#include "raven/config/pretrain_config.h"
#include "raven/core/random.h"
#include "raven/data/sample.h"
#include "raven/train/batch.h"
#include "raven/train/task.h"
#include "raven/train/updater.h"

namespace raven::cli {

/// Full batches: every utterance has `frames` frames.
struct RandomShape {
  std::int64_t clips = 1, frames = 1, labels = 1;
  std::int64_t batches = 1;  // of a step
};

/// Random pixels and samples.
data::Batch random_batch(const config::DataConfig& data, const RandomShape& shape);

/// The networks of a configuration with random weights, their optimisers, and a random batch.
class RandomSteps {
 public:
  /// `num_units`: for recognition probes, which are trained where it is not 0.
  RandomSteps(const config::PretrainConfig& config, const torch::Device& device,
              const RandomShape& shape, std::int64_t num_units = 0);
  /// Without model.init; a frozen part is computed at each step. `num_units`: of the vocabulary, 4
  /// at least.
  RandomSteps(const config::FinetuneConfig& config, const torch::Device& device,
              const RandomShape& shape, std::int64_t num_units);

  /// Of a language model; `frames` of the shape are the units of a sentence, its end counted.
  RandomSteps(const config::LmConfig& config, const torch::Device& device, const RandomShape& shape,
              std::int64_t num_units);

  /// Makes a step, finished when this returns, and gives its number of frames, or units.
  std::int64_t step();

 private:
  void draw_masks();

  torch::Device device_;
  std::unique_ptr<train::Task> task_;
  std::unique_ptr<train::Updater> updater_;
  std::vector<data::Batch> batches_;
  std::vector<train::Batch> sentences_;     // instead
  std::optional<config::MaskConfig> mask_;  // pre-training
  Random random_{1};
  std::int64_t next_ = 0;
};

}  // namespace raven::cli

// The networks of a training command: their parameters, and what one of its steps goes through.
#pragma once

#include <string>
#include <vector>

#include "raven/config/finetune_config.h"
#include "raven/config/pretrain_config.h"
#include "raven/plan/layers.h"

namespace raven::plan {

/// A row of the table of parameters.
struct Module {
  std::string name;  // as a checkpoint begins its tensors: "student_video.frontend"
  std::int64_t parameters = 0;
  double buffers = 0;  // bytes
  bool trained = true;
  bool is_teacher = false;
};

/// A forward pass and the backward pass behind it.
struct Pass {
  std::string name;  // "video student"
  Layers layers;
  double forward_only = 0;  // bytes that live only until the backward pass
};

struct Networks {
  std::vector<Module> modules;
  std::string bare_name;   // "teachers", "frozen frontend"; empty: there is nothing of the kind
  Layers bare;             // computed without gradients before the passes
  bool bare_once = false;  // before training, when there is no optimiser yet
  std::vector<Pass> passes;
  Layers look;          // of held-out clips, without gradients
  double standing = 0;  // bytes of inputs and targets, all through the step

  [[nodiscard]] std::int64_t parameters() const;
  [[nodiscard]] std::int64_t trained_parameters() const;
};

/// `num_units`: of the vocabulary, with blank and end; pre-training has one for its recognition
/// probes alone.
Networks networks_of(const config::PretrainConfig& config, std::int64_t num_units,
                     const BatchShape& batch, const Arithmetic& arithmetic);
Networks networks_of(const config::FinetuneConfig& config, std::int64_t num_units,
                     const BatchShape& batch, const Arithmetic& arithmetic);

}  // namespace raven::plan

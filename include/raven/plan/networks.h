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
  double forward_only = 0;  // bytes that are freed before the backward pass
};

struct Networks {
  std::vector<Module> modules;
  std::string no_grad_name;              // "teachers", "frozen part"; empty if there is none
  Layers no_grad;                        // computed without gradients before the passes
  bool no_grad_before_training = false;  // once, when there is no optimiser yet
  bool no_grad_sees_batches = false;     // its BatchNorm uses the batch's statistics
  std::vector<Pass> passes;
  Layers evaluation;      // on held-out clips, without gradients
  double persistent = 0;  // bytes of inputs and targets, which live through the whole step

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

// RAVEn pre-training as a task (docs/method.md, sections 2 and 4).
#pragma once

#include <torch/torch.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "raven/artifacts/encoder_source.h"
#include "raven/config/pretrain_config.h"
#include "raven/data/manifest.h"
#include "raven/models/raven.h"
#include "raven/train/held_out.h"
#include "raven/train/schedule.h"
#include "raven/train/task.h"

namespace raven::train {

/// Encoders that students start from.
using StudentStarts = std::map<config::Modality, artifacts::EncoderSource>;

/// What model.init_video and model.init_audio name, opened.
StudentStarts open_student_starts(const config::PretrainConfig& config);

/// The networks of a configuration on a device, in training mode, with the seed's weights or, where
/// there are `starts`, those of students and of teachers as their copies, and, where asked for,
/// fixed teachers; with `num_units` > 0 also recognition probes for so many units. Throws
/// CheckpointError when one of these encoders does not fit.
models::Raven make_raven(const config::PretrainConfig& config, const torch::Device& device,
                         std::int64_t num_units = 0, const StudentStarts& starts = {});

class PretrainTask : public ClipTask {
 public:
  /// `held_out` may have no utterances; evaluate() then gives nothing. With
  /// monitor.recognition.enabled batches come with labels of `num_units` units.
  PretrainTask(const config::PretrainConfig& config, const torch::Device& device,
               const RunLength& length, data::Manifest held_out, std::int64_t num_units = 0,
               const StudentStarts& starts = {});

  torch::nn::Module& module() override { return *model_; }
  std::vector<ParameterSet> parameter_sets() override;
  [[nodiscard]] Counts count_targets(const std::vector<data::Batch>& batches) const override;
  [[nodiscard]] config::LossMean loss_mean() const override { return config_.loss.mean; }
  /// The losses of the recognition probes are reported, but are no part of `loss`.
  StepPart backward(const data::Batch& batch, const StepInputs& inputs, bool measure) override;
  void after_update(const StepInputs& inputs, const torch::Tensor& bad) override;
  [[nodiscard]] Numbers settings_at(std::int64_t step) const override;
  Numbers evaluate(const std::stop_token& stop) override;
  /// The student encoders as `<run>/encoders/video.safetensors` and `audio.safetensors`: names
  /// begin with `encoder.`, the metadata hold modality and configuration.
  void export_results(const std::filesystem::path& run) override;

  models::Raven& model() { return model_; }

 protected:
  /// What the networks take of a batch on the device.
  [[nodiscard]] virtual models::PretrainInput input_of(const data::Batch& batch) const;

 private:
  config::PretrainConfig config_;
  torch::Device device_;
  Momentum momentum_;
  models::Raven model_;
  HeldOut held_out_;
};

}  // namespace raven::train

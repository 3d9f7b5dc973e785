// Fine-tuning of a recognizer as a task (docs/method.md, section 9).
#pragma once

#include <torch/torch.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "raven/config/finetune_config.h"
#include "raven/data/loader.h"
#include "raven/data/manifest.h"
#include "raven/models/recognizer.h"
#include "raven/text/units.h"
#include "raven/train/frozen_features.h"
#include "raven/train/task.h"
#include "raven/weights/model_settings.h"
#include "raven/weights/safetensors.h"

namespace raven::train {

/// The configuration's recognizer for a vocabulary, on the CPU, with the seed's weights and those
/// of model.init. Throws CheckpointError when these do not fit (artifacts/recognizer_source.h).
models::Recognizer make_recognizer(const config::FinetuneConfig& config, const text::Units& units);

/// Parameters that the configuration trains, in groups of one rate each, by layer-wise decay:
/// after_norm, block_{L-1} .. block_0, embed, frontend, ctc, decoder.
std::vector<ParameterGroup> layerwise_groups(models::RecognizerImpl& recognizer,
                                             const config::FinetuneConfig& config);

/// What the training data ask of a loader in fine-tuning: labels, one modality, time masks.
data::LoaderOptions finetune_options(const config::FinetuneConfig& config);

class FinetuneTask : public ClipTask {
 public:
  /// `held_out` is labelled, and may have no utterances; evaluate() then gives nothing. `resumed`:
  /// the weights of the checkpoint that the run goes on from; model.init is not read then.
  FinetuneTask(const config::FinetuneConfig& config, const torch::Device& device, text::Units units,
               data::Manifest held_out,
               const std::optional<weights::TensorFile>& resumed = std::nullopt);

  /// With a frozen part: estimates its running statistics on `training`, unless the checkpoint has
  /// them, and computes its outputs, which may take half of `memory` bytes. Returns the utterances
  /// that training can use, and how it reads them. False `ready` when `stop` was asked for before
  /// the end.
  struct TrainingData {
    data::Manifest manifest;
    data::LoaderOptions options;
    std::vector<std::string> skipped = {};  // "id<TAB>reason<TAB>message"
    bool ready = true;
  };
  TrainingData prepare(data::Manifest training, std::uint64_t memory, const std::stop_token& stop);

  /// Held-out utterances that evaluate() does not see, each once, for its counts:
  /// "id<TAB>reason<TAB>message". They have a budget of their own (data.max_skipped).
  void count_held_out_skips(const std::vector<std::string>& lines);

  torch::nn::Module& module() override { return *recognizer_; }
  std::vector<ParameterSet> parameter_sets() override;
  [[nodiscard]] Counts count_targets(const std::vector<data::Batch>& batches) const override;
  [[nodiscard]] config::LossMean loss_mean() const override { return config_.loss.mean; }
  StepPart backward(const data::Batch& batch, const StepInputs& inputs, bool measure) override;
  void after_update(const StepInputs& inputs, const torch::Tensor& bad) override {}
  [[nodiscard]] Numbers settings_at(std::int64_t step) const override { return {}; }
  /// valid_loss, valid_ctc, valid_attention, valid_accuracy, valid_wer_ctc, valid_wer_attention.
  Numbers evaluate(const std::stop_token& stop) override;
  /// The mean of the last checkpoints as `<run>/recognizer.safetensors`; where held-out clips are
  /// looked at, `<run>/recognizer.json` compares it with the last one, and the log warns when it
  /// reads worse. With validation.keep_best it is the best checkpoint instead. The task's own
  /// recognizer is the same afterwards.
  void export_results(const std::filesystem::path& run) override;

  models::Recognizer& recognizer() { return recognizer_; }
  /// What model.init is (artifacts::origin_of); empty when it was not read.
  [[nodiscard]] const weights::Metadata& origin() const { return origin_; }

 private:
  [[nodiscard]] bool by_tokens() const;
  void set_training_modes();
  [[nodiscard]] torch::nn::Module* frozen_module();
  torch::Tensor frozen_forward(const data::Batch& batch);
  torch::Tensor encode(const data::Batch& batch, const torch::Tensor& valid);
  models::RecognizerLosses losses(const torch::Tensor& encoded, const torch::Tensor& valid,
                                  const data::Batch& batch);

  config::FinetuneConfig config_;
  torch::Device device_;
  models::Modality modality_;
  text::Units units_;
  weights::Metadata origin_;
  models::Recognizer recognizer_;
  data::Manifest held_out_;
  Numbers last_evaluation_;
  std::map<std::string, std::int64_t> unlabelled_;  // held-out utterances by reason
  std::shared_ptr<data::SkipRecord> held_out_skips_ = std::make_shared<data::SkipRecord>();
  std::shared_ptr<data::LengthRecord> held_out_lengths_ = std::make_shared<data::LengthRecord>();
  bool resumed_;
  std::optional<FrozenFeatures> frozen_;
};

}  // namespace raven::train

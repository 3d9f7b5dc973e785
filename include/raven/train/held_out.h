// Evaluates held-out clips during pre-training: the losses, and the label-free probe.
#pragma once

#include <torch/torch.h>

#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "raven/config/pretrain_config.h"
#include "raven/data/loader.h"
#include "raven/data/manifest.h"
#include "raven/models/raven.h"
#include "raven/nn/batch_norm.h"
#include "raven/train/metrics.h"

namespace raven::train {

/// Note [Fair evaluation]: dropout and drop-path are off, and BatchNorm uses the statistics of the
/// batch, because running statistics mean nothing before training and lag behind early in it.
/// Rank 0 evaluates alone, so statistics are its own. Modes, running statistics, counters and who
/// shares statistics are put back at the end.
class EvaluationMode {
 public:
  explicit EvaluationMode(torch::nn::Module& module);
  ~EvaluationMode();
  EvaluationMode(const EvaluationMode&) = delete;
  EvaluationMode& operator=(const EvaluationMode&) = delete;

 private:
  std::vector<std::pair<torch::nn::Module*, bool>> modes_;
  std::vector<std::pair<torch::Tensor, torch::Tensor>> buffers_;  // buffer, copy
  std::vector<std::pair<nn::BatchNormImpl*, std::shared_ptr<distributed::Communicator>>> shared_;
};

class HeldOut {
 public:
  /// Takes `monitor.probe_utterances` of the manifest, spread evenly over its list.
  HeldOut(const config::PretrainConfig& config, data::Manifest manifest);

  [[nodiscard]] bool empty() const { return manifest_.utterances.empty(); }

  /// `valid_loss`, `valid_<loss>`, `valid_gain_<loss>`, `probe_r2_video`, `probe_r2_audio`,
  /// `valid_skipped`, `valid_skipped_<reason>` (over all evaluations, each clip once); with
  /// recognition probes `valid_recognition_ctc_<modality>`, `..._attention_...` and
  /// `..._accuracy_...`. The probe is fitted on one half of the speakers and scored on the others;
  /// it is absent when there is only one. Masks and crops are the same at every evaluation. Empty
  /// when `stop` was asked for before the end.
  Numbers evaluate(models::Raven& model, const torch::Device& device,
                   const std::stop_token& stop) const;

  [[nodiscard]] const data::Manifest& manifest() const { return manifest_; }

 private:
  config::PretrainConfig config_;
  data::Manifest manifest_;
  std::shared_ptr<data::SkipRecord> skips_ = std::make_shared<data::SkipRecord>();
  std::shared_ptr<data::LengthRecord> lengths_ = std::make_shared<data::LengthRecord>();
  std::map<std::string, bool> fits_;  // by utterance id: the probe is fitted on it, not scored
};

/// By utterance id, true for the half of the frames, as nearly as whole speakers allow, on which
/// the probe is fitted. An utterance of unknown speaker counts as a speaker of its own.
std::map<std::string, bool> split_by_speaker(const data::Manifest& manifest);

}  // namespace raven::train

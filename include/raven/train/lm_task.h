// A Transformer language model as what the trainer trains.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "raven/config/lm_config.h"
#include "raven/models/language_model.h"
#include "raven/text/ngram.h"
#include "raven/text/units.h"
#include "raven/train/lm_text.h"
#include "raven/train/sentence_batches.h"
#include "raven/train/task.h"

namespace raven::train {

/// exp of the negative log-likelihood by word, where the end of a sentence counts as a word:
/// independent of how words are cut into units.
double perplexity(double negative_log_likelihood, const SentenceSet& set);

/// Of a model of units as kneser_ney_bigram() makes it.
double bigram_perplexity(const text::NgramModel& model, const text::Units& units,
                         const SentenceSet& set);

class LmTask : public TaskOf<SentenceBatch> {
 public:
  /// `bigram_perplexity`: of the held-out sentences, written beside the model's own.
  LmTask(const config::LmConfig& config, const torch::Device& device, text::Units units,
         SentenceSet held_out, double bigram_perplexity);

  torch::nn::Module& module() override { return *model_; }
  std::vector<ParameterSet> parameter_sets() override;
  [[nodiscard]] Counts count_targets(const std::vector<SentenceBatch>& batches) const override;
  StepPart backward(const SentenceBatch& batch, const StepInputs& inputs, bool measure) override;
  void after_update(const StepInputs& /*inputs*/, const torch::Tensor& /*bad*/) override {}
  [[nodiscard]] Numbers settings_at(std::int64_t /*step*/) const override { return {}; }
  Numbers evaluate(const std::stop_token& stop) override;
  /// language_model.safetensors: the model of the last step, or with validation.keep_best that of
  /// the best evaluation, which is the task's own afterwards.
  void export_results(const std::filesystem::path& run) override;
  [[nodiscard]] NamedTensors tensors_of(const Batch& batch) const override;

 private:
  /// Sum over targets of -ln p, () float32.
  torch::Tensor loss_sum(const SentenceBatch& batch);

  config::LmConfig config_;
  torch::Device device_;
  text::Units units_;
  models::LanguageModel model_;
  SentenceSet held_out_;
  double bigram_perplexity_;
};

}  // namespace raven::train

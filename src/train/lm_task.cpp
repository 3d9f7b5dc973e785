#include "raven/train/lm_task.h"

#include <cmath>

#include "raven/artifacts/checkpoint_folder.h"
#include "raven/artifacts/run_files.h"
#include "raven/artifacts/vocabulary.h"
#include "raven/core/log.h"
#include "raven/core/random.h"
#include "raven/nn/device.h"
#include "raven/nn/linear.h"
#include "raven/nn/state_dict.h"
#include "raven/report/metric_names.h"
#include "raven/weights/safetensors.h"

namespace raven::train {
namespace {

using report::metric;

models::LanguageModel make_model(const config::LmConfig& config, std::int64_t num_units) {
  torch::manual_seed(mix_seed(
      {static_cast<std::uint64_t>(config.run.seed), static_cast<std::uint64_t>(Draw::kInit)}));
  return models::LanguageModel(config.model, num_units);
}

}  // namespace

double perplexity(double negative_log_likelihood, const SentenceSet& set) {
  return std::exp(negative_log_likelihood / static_cast<double>(set.words + set.sentences.size()));
}

double bigram_perplexity(const text::NgramModel& model, const text::Units& units,
                         const SentenceSet& set) {
  std::vector<text::NgramWord> words;
  for (std::int64_t id = 0; id < units.size(); ++id)
    words.push_back(model.find_or_unknown(units.piece(id)));
  double sum = 0;
  for (std::int64_t i = 0; i < set.sentences.size(); ++i) {
    auto before = model.begin();
    const auto add = [&](text::NgramWord word) {
      sum -= model.log_prob(std::span(&before, 1), word);
      before = word;
    };
    for (const auto unit : set.sentences[i]) add(words[static_cast<std::size_t>(unit)]);
    add(model.end());
  }
  return perplexity(sum, set);
}

LmTask::LmTask(const config::LmConfig& config, const torch::Device& device, text::Units units,
               SentenceSet held_out, double bigram_perplexity)
    : config_(config),
      device_(device),
      units_(std::move(units)),
      model_(make_model(config, units_.size())),
      held_out_(std::move(held_out)),
      bigram_perplexity_(bigram_perplexity) {
  model_->to(device);
  model_->train();
}

std::vector<ParameterSet> LmTask::parameter_sets() {
  ParameterGroup group{.name = "language_model", .parameters = {}, .lr = config_.optimizer.lr};
  for (const auto& item : model_->named_parameters())
    group.parameters.emplace_back(item.key(), item.value());
  return {{.name = "language_model", .groups = {std::move(group)}}};
}

Counts LmTask::count_targets(const std::vector<SentenceBatch>& batches) const {
  double units = 0;
  for (const auto& batch : batches) units += static_cast<double>(batch.num_units);
  return {{"units", units}};
}

torch::Tensor LmTask::loss_sum(const SentenceBatch& batch) {
  const auto logits = model_->forward(batch.inputs).to(torch::kFloat32);
  return torch::nn::functional::cross_entropy(logits.flatten(0, 1), batch.targets.flatten(),
                                              torch::nn::functional::CrossEntropyFuncOptions()
                                                  .ignore_index(SentenceBatch::kNoTarget)
                                                  .reduction(torch::kSum));
}

StepPart LmTask::backward(const SentenceBatch& batch, const StepInputs& inputs, bool /*measure*/) {
  torch::Tensor sum;
  {
    const nn::Autocast autocast(device_, config_.train.precision);
    const nn::WorkingWeights working(*model_);
    sum = loss_sum(batch);
  }
  const auto loss = sum / inputs.count("units");
  loss.backward();
  return {.loss = loss.detach(), .losses = {}, .measures = {}};
}

Numbers LmTask::evaluate(const std::stop_token& stop) {
  if (held_out_.sentences.size() == 0) return {};
  torch::NoGradGuard no_grad;
  model_->eval();
  double sum = 0;
  bool stopped = false;
  for (const auto& chosen :
       data::pack_by_length(sizes_of(held_out_.sentences), config_.data.max_units)) {
    stopped = stop.stop_requested();
    if (stopped) break;
    const auto batch = make_sentence_batch(held_out_.sentences, chosen, units_.eos()).to(device_);
    const nn::Autocast autocast(device_, config_.train.precision);
    sum += loss_sum(batch).item<double>();
  }
  model_->train();
  if (stopped) return {};
  const auto targets = held_out_.sentences.num_units() + held_out_.sentences.size();
  return {{metric("valid_loss"), sum / static_cast<double>(targets)},
          {metric("valid_perplexity"), perplexity(sum, held_out_)},
          {metric("valid_perplexity_bigram"), bigram_perplexity_}};
}

void LmTask::export_results(const std::filesystem::path& run) {
  const auto last = config_.validation.keep_best == config::KeptBest::kNone
                        ? std::nullopt
                        : artifacts::LastCheckpoint(run).state();
  const bool is_best = last && last->best;
  if (is_best) {
    const auto best = artifacts::path_of_step(run / artifacts::kCheckpoints, last->best->step);
    artifacts::load_strictly(
        artifacts::read_checkpoint(best, artifacts::CheckpointPart::kModel).model,
        nn::state_dict(*model_), best.string());
    log::info("the model is that of step {}, the best on held-out sentences by loss ({:.4f})",
              last->best->step, last->best->value);
  }
  weights::TensorFile file;
  file.tensors = nn::state_dict(*model_);
  for (auto& [name, tensor] : file.tensors) tensor = tensor.detach().cpu();
  file.metadata = artifacts::language_model_metadata(config::flatten(config_), units_, run);
  if (is_best) {
    file.metadata[weights::kStep] = fmt::format("{}", last->best->step);
    file.metadata[weights::kSteps] = fmt::format("{}", last->length);
    file.metadata[weights::kRunStep] = fmt::format("{}", last->step);
    file.metadata[weights::kBestBy] = config::enum_name(config_.validation.keep_best);
  }
  weights::write_safetensors(run / artifacts::kLanguageModelFile, file, {.hashes = true});
}

NamedTensors LmTask::tensors_of(const Batch& batch) const {
  const auto& content = batch.as<SentenceBatch>();
  return {{"inputs", content.inputs}, {"targets", content.targets}};
}

}  // namespace raven::train

#include "raven/train/finetune_stage.h"

#include <algorithm>

#include "raven/artifacts/checkpoint_folder.h"
#include "raven/artifacts/recognizer_source.h"
#include "raven/artifacts/run_files.h"
#include "raven/artifacts/vocabulary.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/log.h"
#include "raven/core/summed_warnings.h"
#include "raven/data/subset.h"
#include "raven/doctor/memory.h"
#include "raven/report/metric_names.h"
#include "raven/train/finetune_task.h"
#include "raven/train/init_input.h"
#include "raven/train/list_check.h"
#include "raven/train/stage_data.h"
#include "raven/weights/model_settings.h"

namespace raven::train {
namespace {

namespace fs = std::filesystem;

data::LabelledManifest labelled(data::Manifest manifest, const text::Tokenizer& tokenizer,
                                std::int64_t max_skipped) {
  auto result = data::label(std::move(manifest), tokenizer);
  SummedWarnings warnings;
  for (const auto& line : result.skipped) {
    const auto reason = line.find('\t') + 1;  // id, reason, message
    warnings.warn(line.substr(reason, line.find('\t', reason) - reason), "skipped " + line);
  }
  warnings.finish();
  if (std::ssize(result.skipped) > max_skipped) {
    throw SkipBudgetError(fmt::format(
        "{}: {} utterances have no usable transcript, data.max_skipped allows {}; the last one: {}",
        result.manifest.names(), result.skipped.size(), max_skipped, result.skipped.back()));
  }
  if (result.manifest.utterances.empty()) {
    throw ConfigError(
        fmt::format("{}: no utterance has a usable transcript", result.manifest.names()));
  }
  return result;
}

data::LabelledManifest training_labels(const config::FinetuneConfig& run,
                                       const text::Tokenizer& tokenizer) {
  auto manifest = training_data(run.data);
  require_input(run, manifest);
  return labelled(std::move(manifest), tokenizer, run.data.max_skipped);
}

data::LabelledManifest validation_labels(const config::FinetuneConfig& config,
                                         const text::Tokenizer& tokenizer) {
  auto manifest = held_out_data(config.data);
  if (manifest.utterances.empty()) return {.manifest = std::move(manifest), .skipped = {}};
  require_input(config, manifest);
  return labelled(data::spread(manifest, config.validation.utterances), tokenizer,
                  config.data.max_skipped);
}

/// Labels that a CTC path cannot hold: more units, or repetitions, than frames.
std::int64_t num_impossible(const data::Manifest& manifest) {
  return std::count_if(manifest.utterances.begin(), manifest.utterances.end(),
                       [](const data::Utterance& u) {
                         std::int64_t needed = std::ssize(u.labels);
                         for (std::size_t i = 1; i < u.labels.size(); ++i)
                           needed += u.labels[i] == u.labels[i - 1] ? 1 : 0;
                         return needed > u.frames;
                       });
}

void warn_of_frozen(const config::RecognizerConfig& model) {
  if (!model.init.empty() || model.frozen == config::FrozenPart::kNone) return;
  log::warn(
      "model.frozen={} with random weights (model.init is empty): what is frozen never learns; "
      "give model.init, or model.frozen=none (finetune/tiny_from_scratch.yaml)",
      config::enum_name(model.frozen));
}

/// The checkpoint that the run goes on from; nothing when it starts.
std::optional<artifacts::Checkpoint> newest_checkpoint(const artifacts::RunFolder& folder,
                                                       const config::FinetuneConfig& config) {
  if (!folder.has_checkpoints()) return std::nullopt;
  if (!folder.is_owner()) return artifacts::newest_readable(folder.checkpoints());
  return artifacts::CheckpointFolder(folder.checkpoints(), config.checkpoint.keep,
                                     config.checkpoint.keep_every)
      .newest_whole();
}

}  // namespace

void FinetuneStage::read_data(const torch::Device& /*device*/, const data::Share& share) {
  share_ = share;
  warn_of_frozen(config_.model);
  check_init(config_);
  tokenizer_ =
      text::make_tokenizer({.units_file = config_.text.units, .model_file = config_.text.model});
  training_ = training_labels(config_, *tokenizer_);
  if (const auto impossible = num_impossible(training_.manifest); impossible > 0) {
    log::warn(
        "{} of {} utterances have more units than frames; their CTC loss is 0, the decoder "
        "learns from them all the same",
        impossible, training_.manifest.utterances.size());
  }
  const auto init = init_settings(config_).front();
  tell_init_grey(init, config_.run, training_.manifest);
  held_out_ = validation_labels(config_, *tokenizer_);
  card_ = check_lists(config_.data, training_.manifest, held_out_.manifest);
  if (init.path.empty()) return;
  card_[weights::kStartedFrom] = init_name(init.path);
  card_[weights::kStartedWith] = artifacts::taken_text(config_.model);
}

std::optional<Training> FinetuneStage::prepare(artifacts::RunFolder& folder,
                                               const torch::Device& device,
                                               const std::stop_token& stop) {
  RAVEN_CHECK(tokenizer_ != nullptr, "the data were not read");
  const auto& units = tokenizer_->units();
  if (folder.is_owner()) {
    folder.add_skipped(training_.skipped);
    write_vocabulary(folder, units);
  }
  std::optional<weights::TensorFile> resumed;
  if (auto newest = newest_checkpoint(folder, config_)) {
    check_same_init(init_settings(config_).front(), config_.run, newest->state,
                    weights::kStartedSha256, [&] {
                      const auto start = artifacts::open_start(config_.model, units);
                      return artifacts::origin_of(start).at(weights::kStartedSha256);
                    });
    for (const char* key : weights::kStarted) {
      if (const auto known = newest->state.card.find(key); known != newest->state.card.end())
        card_[key] = known->second;
    }
    resumed = std::move(newest->model);
  }
  auto task = std::make_unique<FinetuneTask>(config_, device, units, held_out_.manifest, resumed);
  card_.insert(task->origin().begin(), task->origin().end());
  task->count_held_out_skips(held_out_.skipped);
  auto data =
      task->prepare(std::move(training_.manifest),
                    doctor::usable_memory() / static_cast<std::uint64_t>(share_.ranks), stop);
  if (folder.is_owner()) folder.add_skipped(data.skipped);
  if (!data.ready) return std::nullopt;
  data.options.pin_memory = device.is_cuda();
  data.options.share = share_;
  const auto epoch = with_repeats(data.manifest, config_.data);
  auto source = std::make_unique<ClipSource>(epoch, data.options);
  const auto batches = source->batches_per_epoch();
  const auto& init = config_.model.init;
  auto facts = facts_of(data.manifest);
  facts["frames_per_epoch"] = fmt::format("{}", epoch.total_frames());
  facts["modality"] = config::enum_name(config_.model.modality);
  facts["units"] = fmt::format("{}", units.size());
  if (!config_.data.pseudo_manifest.empty())
    facts["true_labels"] =
        fmt::format("{:.0f} % of the frames", 100 * share_of_labelled(epoch, config_.data));
  facts["encoder"] = init.empty() ? "random weights" : init;
  return Training{.source = std::move(source),
                  .length = RunLength::of(config_.train, config_.optimizer, batches),
                  .task = std::move(task),
                  .evaluate_every = config_.data.valid_manifest.empty()
                                        ? 0
                                        : steps_of_epochs(config_.validation.every_epochs,
                                                          config_.train.accumulate, batches),
                  .best = best_settings(
                      config_.validation.keep_best, config_.validation.patience,
                      {report::metric("valid_wer_ctc"), report::metric("valid_wer_attention")}),
                  .data_hash = artifacts::data_hash(data.manifest),
                  .data = names_of(config_.data),
                  .facts = std::move(facts),
                  .run_files = {{artifacts::kUnitsFile, artifacts::units_checksum(units)}},
                  .card = card_,
                  .results = fmt::format("the recognizer is {}",
                                         (folder.path() / artifacts::kRecognizerFile).string())};
}

}  // namespace raven::train

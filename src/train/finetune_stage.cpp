#include "raven/train/finetune_stage.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "raven/artifacts/checkpoint_folder.h"
#include "raven/artifacts/model_source.h"
#include "raven/artifacts/recognizer_source.h"
#include "raven/artifacts/run_files.h"
#include "raven/artifacts/vocabulary.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/log.h"
#include "raven/core/summed_warnings.h"
#include "raven/core/tried_path.h"
#include "raven/core/utf8.h"
#include "raven/data/grey_kinds.h"
#include "raven/data/subset.h"
#include "raven/doctor/memory.h"
#include "raven/train/finetune_task.h"
#include "raven/train/init_input.h"
#include "raven/train/list_check.h"
#include "raven/train/stage_data.h"
#include "raven/weights/model_card.h"
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

/// Without the folders that it lies in: those are of one machine. A checkpoint is known by its run.
std::string name_of(const fs::path& model) {
  const auto path = (model / "").parent_path();  // no slash at its end
  const auto above = path.parent_path();
  if (above.filename() != artifacts::kCheckpoints) return path.filename().string();
  return (above.parent_path().filename() / above.filename() / path.filename()).string();
}

/// Before the lists are read.
void check_init(const config::FinetuneConfig& config) {
  const auto& init = config.model.init;
  if (init.empty() && config.model.frozen != config::FrozenPart::kNone) {
    log::warn(
        "model.frozen={} with random weights (model.init is empty): what is frozen never learns; "
        "give model.init, or model.frozen=none (finetune/tiny_from_scratch.yaml)",
        config::enum_name(config.model.frozen));
  }
  if (init.empty() || fs::exists(init) || goes_on(config)) return;
  throw ConfigError(
      fmt::format("model.init: there is no {}; it names a run of raven pretrain, a checkpoint or a "
                  "file of weights; model.init= starts from random ones",
                  tried_path(init)));
}

/// Published weights may start on pictures of another grey than they learned from.
void tell_grey(const config::FinetuneConfig& config, const data::Manifest& training) {
  const auto& init = config.model.init;
  if (config.model.modality != config::Modality::kVideo || goes_on(config) ||
      !weights::saw_published_grey(init))
    return;
  if (const auto line = data::tell_luma(training, init); !line.empty()) log::warn("{}", line);
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

/// Of TrainState::card: what the run began from, also when it goes on.
constexpr std::array kOriginKeys = {weights::kStartedFrom, weights::kStartedWith,
                                    weights::kStartedStep, weights::kStartedSha256};

/// model.init may lie elsewhere by now, but a run does not go on from one model under the name of
/// another.
void check_same_init(const config::FinetuneConfig& config, const text::Units& units,
                     const artifacts::Checkpoint& newest) {
  const auto& state = newest.state;
  const auto then = state.config.find("model.init");
  const auto now = config::flatten(config).at("model.init");
  if (then == state.config.end() || then->second == now) return;
  const auto known = state.card.find(weights::kStartedSha256);
  const bool can_tell = known != state.card.end() && artifacts::exists_or_waits(config.model.init);
  if (can_tell) {
    const auto origin = artifacts::origin_of(artifacts::open_start(config.model, units));
    if (origin.at(weights::kStartedSha256) == known->second) return;
  }
  throw ConfigError(fmt::format(
      "model.init: {} was begun from {}, and {} {}; leave model.init as it was to go on, or choose "
      "another run.dir",
      config.run.dir, then->second, config.model.init,
      can_tell ? "holds other weights" : "cannot be compared with it"));
}

}  // namespace

void FinetuneStage::read_data(const torch::Device& /*device*/, const data::Share& share) {
  share_ = share;
  check_init(config_);
  check_init_input(config_);
  tokenizer_ =
      text::make_tokenizer({.units_file = config_.text.units, .model_file = config_.text.model});
  training_ = training_labels(config_, *tokenizer_);
  if (const auto impossible = num_impossible(training_.manifest); impossible > 0) {
    log::warn(
        "{} of {} utterances have more units than frames; their CTC loss is 0, the decoder "
        "learns from them all the same",
        impossible, training_.manifest.utterances.size());
  }
  tell_grey(config_, training_.manifest);
  held_out_ = validation_labels(config_, *tokenizer_);
  card_ = check_lists(config_.data, training_.manifest, held_out_.manifest);
  const auto& init = config_.model.init;
  if (init.empty()) return;
  card_[weights::kStartedFrom] = as_utf8(name_of(init));
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
    check_same_init(config_, units, *newest);
    for (const char* key : kOriginKeys) {
      if (const auto known = newest->state.card.find(key); known != newest->state.card.end())
        card_[key] = known->second;
    }
    resumed = std::move(newest->model);
  }
  auto task = std::make_unique<FinetuneTask>(config_, device, units, held_out_.manifest, resumed);
  card_.insert(task->origin().begin(), task->origin().end());
  task->count_held_out_skips(held_out_.skipped);
  auto data = task->prepare(std::move(training_.manifest), doctor::usable_memory() / static_cast<std::uint64_t>(share_.ranks), stop);
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
                  .data_hash = artifacts::data_hash(data.manifest),
                  .data = names_of(config_.data),
                  .facts = std::move(facts),
                  .run_files = {{artifacts::kUnitsFile, artifacts::units_checksum(units)}},
                  .card = card_,
                  .results = fmt::format("the recognizer is {}",
                                         (folder.path() / artifacts::kRecognizerFile).string())};
}

}  // namespace raven::train

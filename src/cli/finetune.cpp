// `raven finetune`
#include <filesystem>
#include <optional>

#include "commands.h"
#include "cuda_library.h"
#include "raven/artifacts/checkpoint_folder.h"
#include "raven/artifacts/run_files.h"
#include "raven/artifacts/run_folder.h"
#include "raven/artifacts/vocabulary.h"
#include "raven/config/finetune_config.h"
#include "raven/config/load.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/log.h"
#include "raven/data/labels.h"
#include "raven/data/loader.h"
#include "raven/data/manifest.h"
#include "raven/data/subset.h"
#include "raven/doctor/memory.h"
#include "raven/nn/device.h"
#include "raven/text/tokenizer.h"
#include "raven/train/finetune_task.h"
#include "raven/train/trainer.h"
#include "training_run.h"

namespace raven::cli {
namespace {

namespace fs = std::filesystem;
using config::FinetuneConfig;

constexpr const char* kDescription =
    "Trains a recognizer on labelled clips: a pre-trained encoder (model.init), or a fresh one, "
    "with a CTC head and an attention decoder. Every utterance needs what model.modality says, "
    "video or audio. The folder run.dir gets what a pre-training run gets and, at the end, "
    "recognizer.safetensors: the mean of the last checkpoints, with all that decoding needs.\n"
    "The same command goes on from the newest checkpoint, with the same result as a run that was "
    "never stopped. A signal (SIGINT, SIGTERM, SIGHUP, SIGUSR1) ends it after the current step "
    "with a checkpoint and exit code 75; a second Ctrl-C or SIGTERM ends it at once.";

data::LabelledManifest labelled(data::Manifest manifest, const text::Tokenizer& tokenizer,
                                std::int64_t max_skipped) {
  auto result = data::label(std::move(manifest), tokenizer);
  for (const auto& line : result.skipped) log::warn("skipped {}", line);
  if (std::ssize(result.skipped) > max_skipped) {
    throw SkipBudgetError(fmt::format(
        "{}: {} utterances have no usable transcript, data.max_skipped allows {}; the last one: {}",
        result.manifest.file.string(), result.skipped.size(), max_skipped, result.skipped.back()));
  }
  if (result.manifest.utterances.empty()) {
    throw ConfigError(
        fmt::format("{}: no utterance has a usable transcript", result.manifest.file.string()));
  }
  return result;
}

data::LabelledManifest training_labels(const FinetuneConfig& run,
                                       const text::Tokenizer& tokenizer) {
  const auto& config = run.data;
  auto manifest = training_data(config);
  if (!config.labelled_list.empty())
    manifest = data::subset_of_list(manifest, config.labelled_list);
  if (config.labelled_hours) manifest = data::subset_of_hours(manifest, *config.labelled_hours);
  require_input(run, manifest);
  return labelled(std::move(manifest), tokenizer, config.max_skipped);
}

data::Manifest validation_labels(const FinetuneConfig& config, const text::Tokenizer& tokenizer) {
  auto manifest = held_out_data(config.data);
  if (manifest.utterances.empty()) return manifest;
  require_input(config, manifest);
  return labelled(data::spread(manifest, config.validation.utterances), tokenizer,
                  config.data.max_skipped)
      .manifest;
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

/// Before the lists are read; a run that goes on does not read it.
void check_init(const FinetuneConfig& config) {
  const auto& init = config.model.init;
  if (init.empty() || fs::exists(init) ||
      fs::exists(fs::path(config.run.dir) / artifacts::kCheckpoints))
    return;
  throw ConfigError(
      fmt::format("model.init: there is no {}; it names a run of raven pretrain, a checkpoint or a "
                  "file of weights; model.init= starts from random ones",
                  init));
}

/// Checkpoints and results of a run are of one vocabulary.
void write_vocabulary(const artifacts::RunFolder& folder, const text::Units& units) {
  const auto file = folder.path() / artifacts::kUnitsFile;
  if (folder.has_checkpoints() && fs::exists(file) && read_file(file) != units.text()) {
    throw ConfigError(fmt::format(
        "{}: the run was started with another vocabulary than text.units or text.model "
        "now give, or this file was damaged since; put the vocabulary of the start back "
        "to go on, or choose another run.dir",
        file.string()));
  }
  write_file_atomically(file, units.text());
}

/// Weights of the checkpoint that the run goes on from; nothing when it starts.
std::optional<weights::TensorFile> newest_weights(const artifacts::RunFolder& folder,
                                                  const FinetuneConfig& config) {
  if (!folder.has_checkpoints()) return std::nullopt;
  auto newest = artifacts::CheckpointFolder(folder.checkpoints(), config.checkpoint.keep,
                                            config.checkpoint.keep_every)
                    .newest_whole();
  return newest ? std::optional(std::move(newest->model)) : std::nullopt;
}

ExitCode finetune(const Arguments& arguments) {
  const auto stop = watch_signals();
  const auto [config, yaml] =
      config::load<FinetuneConfig>(arguments.config_file(), arguments.overrides());
  load_cuda_library(config.device);
  nn::set_threads(config.threads);
  nn::set_precision(config.train.precision);
  const auto device = nn::choose_device(config.device, cuda_library_problem());
  check_init(config);
  const auto tokenizer =
      text::make_tokenizer({.units_file = config.text.units, .model_file = config.text.model});
  auto labels = training_labels(config, *tokenizer);
  if (const auto impossible = num_impossible(labels.manifest); impossible > 0) {
    log::warn(
        "{} of {} utterances have more units than frames; their CTC loss is 0, the decoder "
        "learns from them all the same",
        impossible, labels.manifest.utterances.size());
  }
  auto held_out = validation_labels(config, *tokenizer);

  artifacts::RunFolder folder(config.run.dir);
  folder.claim(config::flatten(config), yaml, arguments.overrides());
  log::also_to(folder.path() / "log.txt");
  folder.add_skipped(labels.skipped);
  write_vocabulary(folder, tokenizer->units());
  train::FinetuneTask task(config, device, tokenizer->units(), std::move(held_out),
                           newest_weights(folder, config));
  auto training = task.prepare(std::move(labels.manifest), doctor::usable_memory(), stop);
  folder.add_skipped(training.skipped);
  if (!training.ready) {
    log::warn("stopped by signal {} before training; the same command starts again",
              received_signal());
    return ExitCode::kStopped;
  }
  training.options.pin_memory = device.is_cuda();
  data::Loader loader(training.manifest, training.options);
  const auto length =
      train::RunLength::of(config.train, config.optimizer, loader.batches_per_epoch());
  auto known = training_facts(config, device, training.manifest, loader, length, task.module());
  known["stage"] = "finetune";
  known["modality"] = std::string(config::enum_name(config.model.modality));
  known["units"] = fmt::format("{}", tokenizer->units().size());
  known["encoder"] = config.model.init.empty() ? "random weights" : config.model.init;
  for (const auto& [name, value] : known) log::info("{}: {}", name, value);
  folder.write_environment(known);

  auto settings = trainer_settings(config, training.manifest, loader, length, device);
  settings.evaluate_every =
      config.data.valid_manifest.empty()
          ? 0
          : steps_of_epochs(config.validation.every_epochs, config.train, loader);
  settings.run_files = {{artifacts::kUnitsFile, artifacts::units_checksum(tokenizer->units())}};
  train::Trainer trainer(task, loader, folder, settings);
  if (!trainer.run(stop)) {
    log::warn("stopped by signal {} after step {}; the same command goes on from there",
              received_signal(), trainer.step());
    return ExitCode::kStopped;
  }
  task.export_results(folder.path());
  log::info("done: {} steps; the recognizer is {}", trainer.step(),
            (folder.path() / artifacts::kRecognizerFile).string());
  return ExitCode::kDone;
}

}  // namespace

Command make_finetune_command() {
  return {.name = "finetune",
          .summary = "fine-tunes a recognizer on labelled clips",
          .description = kDescription,
          .config_keys = keys_of<FinetuneConfig>(),
          .examples = {{"finetune --config finetune/vsr_low_base_lrs3.yaml train.accumulate=16 "
                        "model.init=runs/lrs3 run.dir=runs/vsr30",
                        "lip reading from 30 labelled hours, the published step on one GPU"},
                       {"finetune --config finetune/asr_low_base_lrs3.yaml model.init= "
                        "data.labelled_hours=1 run.dir=runs/asr1",
                        "speech recognition from random weights and one hour"}},
          .run = finetune};
}

}  // namespace raven::cli

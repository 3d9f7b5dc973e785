// `raven pretrain`
#include "commands.h"
#include "cuda_library.h"
#include "raven/artifacts/run_folder.h"
#include "raven/config/load.h"
#include "raven/config/pretrain_config.h"
#include "raven/core/error.h"
#include "raven/core/log.h"
#include "raven/data/labels.h"
#include "raven/data/loader.h"
#include "raven/data/manifest.h"
#include "raven/media/media.h"
#include "raven/nn/device.h"
#include "raven/text/tokenizer.h"
#include "raven/train/pretrain_task.h"
#include "raven/train/trainer.h"
#include "training_run.h"

namespace raven::cli {
namespace {

using config::PretrainConfig;

constexpr const char* kDescription =
    "Trains a video and an audio encoder on unlabelled clips: each student predicts what slow "
    "copies of both make of the same clip (RAVEn, arXiv 2212.06246); every utterance needs video "
    "and audio. The folder run.dir gets the resolved configuration, checkpoints, metrics.jsonl, "
    "TensorBoard events, curves.svg and, at the end, encoders/.\n"
    "The same command goes on from the newest checkpoint, with the same result as a run that was "
    "never stopped (on a CPU with the same number of threads, bit for bit). A signal (SIGINT, "
    "SIGTERM, SIGHUP, SIGUSR1) ends it after the current step with a checkpoint and exit code 75; "
    "a second Ctrl-C or SIGTERM ends it at once.";

/// Labels for the published monitoring probe, where it is asked for; returns the number of units.
std::int64_t label_for_probe(const config::RecognitionMonitorConfig& config,
                             data::Manifest& training, data::Manifest& held_out) {
  if (!config.enabled) return 0;
  const auto tokenizer =
      text::make_tokenizer({.units_file = config.text.units, .model_file = config.text.model});
  const auto labelled = data::label_where_possible(training, *tokenizer);
  data::label_where_possible(held_out, *tokenizer);
  if (labelled == 0) {
    throw ConfigError(
        fmt::format("{}: no utterance has a usable transcript, which the recognition probe learns "
                    "from; set monitor.recognition.enabled=false, or prepare the data with texts",
                    training.file.string()));
  }
  log::info("recognition probe: learns from {} of {} utterances", labelled,
            training.utterances.size());
  return tokenizer->units().size();
}

ExitCode pretrain(const Arguments& arguments) {
  const auto stop = watch_signals();
  const auto [config, yaml] =
      config::load<PretrainConfig>(arguments.config_file(), arguments.overrides());
  load_cuda_library(config.device);
  nn::set_threads(config.threads);
  nn::set_precision(config.train.precision);
  const auto device = nn::choose_device(config.device, cuda_library_problem());
  auto manifest = training_data(config.data);
  auto held_out = held_out_data(config.data);
  require_input(config, manifest);
  require_input(config, held_out);
  const auto units = label_for_probe(config.monitor.recognition, manifest, held_out);
  auto loading = data::training_options(config.data, config.run.seed);
  loading.pin_memory = device.is_cuda();
  loading.mask = config.mask;
  loading.labels = units > 0;
  data::Loader loader(manifest, loading);
  const auto length =
      train::RunLength::of(config.train, config.optimizer, loader.batches_per_epoch());

  artifacts::RunFolder folder(config.run.dir);
  folder.claim(config::flatten(config), yaml, arguments.overrides());
  log::also_to(folder.path() / "log.txt");
  train::PretrainTask task(config, device, length, std::move(held_out), units);
  auto known = training_facts(config, device, manifest, loader, length, task.module());
  known["stage"] = "pretrain";
  for (const auto& [name, value] : known) log::info("{}: {}", name, value);
  folder.write_environment(known);

  auto settings = trainer_settings(config, manifest, loader, length, device);
  settings.evaluate_every = config.data.valid_manifest.empty() ? 0 : config.monitor.every;
  train::Trainer trainer(task, loader, folder, settings);
  if (!trainer.run(stop)) {
    log::warn("stopped by signal {} after step {}; the same command goes on from there",
              received_signal(), trainer.step());
    return ExitCode::kStopped;
  }
  task.export_results(folder.path());
  log::info("done: {} steps; encoders are in {}", trainer.step(),
            (folder.path() / "encoders").string());
  return ExitCode::kDone;
}

}  // namespace

Command make_pretrain_command() {
  return {
      .name = "pretrain",
      .summary = "pre-trains RAVEn or BRAVEn on unlabelled clips",
      .description = kDescription,
      .config_keys = keys_of<PretrainConfig>(),
      .examples = {{"pretrain --config lrs3.yaml train.accumulate=32 run.dir=runs/lrs3",
                    "RAVEn Base on LRS3, the published step of 32 GPUs on one; again to go on "
                    "after a stop"},
                   {"pretrain --config lrs3.yaml run.dir=runs/p04 mask.prob=0.4 train.steps=20000",
                    "the same with stronger masking and a fixed length"}},
      .run = pretrain};
}

}  // namespace raven::cli

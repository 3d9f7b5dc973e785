// `raven pretrain`
#include <torch/version.h>

#include "commands.h"
#include "cuda_library.h"
#include "raven/config/load.h"
#include "raven/config/pretrain_config.h"
#include "raven/core/error.h"
#include "raven/core/log.h"
#include "raven/data/loader.h"
#include "raven/data/manifest.h"
#include "raven/train/device.h"
#include "raven/train/pretrain_task.h"
#include "raven/train/run_folder.h"
#include "raven/train/trainer.h"

namespace raven::cli {
namespace {

namespace fs = std::filesystem;
using config::PretrainConfig;

constexpr const char* kDescription =
    "Trains a video and an audio encoder on unlabelled clips: each student predicts what slow "
    "copies of both make of the same clip (RAVEn, arXiv 2212.06246). The folder run.dir gets the "
    "resolved configuration, checkpoints, metrics.jsonl, TensorBoard events, curves.svg and, at "
    "the "
    "end, encoders/.\n"
    "The same command goes on from the newest checkpoint, with the same result as a run that was "
    "never stopped (on a CPU with the same number of threads, bit for bit). A signal (SIGINT, "
    "SIGTERM, SIGUSR1) ends it after the "
    "current step with a checkpoint and exit code 75.";

/// Throws ConfigError that says how to make the missing file.
void check_exists(const std::string& manifest, const std::string& key) {
  if (fs::exists(manifest)) return;
  throw ConfigError(fmt::format(
      "{}: there is no {}\nprepare the data first: raven prepare <folder of the corpus> --out {}",
      key, manifest,
      fs::path(manifest).has_parent_path() ? fs::path(manifest).parent_path().string() : "."));
}

data::Manifest training_data(const config::DataConfig& config) {
  std::vector<fs::path> files;
  for (const auto& file : config.manifest) {
    check_exists(file, "data.manifest");
    files.emplace_back(file);
  }
  auto manifest = data::read_manifests(files);
  const auto limit = static_cast<std::size_t>(config.max_utterances.value_or(0));
  if (limit > 0 && manifest.utterances.size() > limit) manifest.utterances.resize(limit);
  return manifest;
}

data::Manifest held_out_data(const config::DataConfig& config) {
  if (config.valid_manifest.empty()) return {};
  check_exists(config.valid_manifest, "data.valid_manifest");
  return data::read_manifest(config.valid_manifest);
}

data::LoaderOptions loader_options(const PretrainConfig& config, const torch::Device& device) {
  return {.max_frames = config.data.max_frames,
          .workers = config.data.workers,
          .prefetch = config.data.prefetch,
          .max_skipped = config.data.max_skipped,
          .seed = static_cast<std::uint64_t>(config.run.seed),
          .training = true,
          .pin_memory = device.is_cuda(),
          .video = config.data.video,
          .waveform = config.data.waveform,
          .mask = config.mask};
}

std::int64_t count(const torch::nn::Module& module, bool trained) {
  std::int64_t parameters = 0;
  for (const auto& parameter : module.parameters()) {
    if (!trained || parameter.requires_grad()) parameters += parameter.numel();
  }
  return parameters;
}

/// What a run is, said once at its start and kept in environment.json.
std::map<std::string, std::string> facts(const PretrainConfig& config, const torch::Device& device,
                                         const data::Manifest& manifest, const data::Loader& loader,
                                         const train::RunLength& length,
                                         torch::nn::Module& module) {
  constexpr double kFramesPerHour = 25 * 3600;
  return {{"raven", RAVEN_VERSION},
          {"libtorch", TORCH_VERSION},
          {"device", train::device_name(device)},
          {"threads", fmt::format("{}", torch::get_num_threads())},
          {"precision", std::string(config::enum_name(config.train.precision))},
          {"parameters", fmt::format("{}", count(module, /*trained=*/false))},
          {"trained_parameters", fmt::format("{}", count(module, /*trained=*/true))},
          {"utterances", fmt::format("{}", manifest.utterances.size())},
          {"hours",
           fmt::format("{:.2f}", static_cast<double>(manifest.total_frames()) / kFramesPerHour)},
          {"batches_per_epoch", fmt::format("{}", loader.batches_per_epoch())},
          {"steps", fmt::format("{}", length.steps)},
          {"warmup_steps", fmt::format("{}", length.warmup_steps)}};
}

train::TrainerSettings trainer_settings(const PretrainConfig& config,
                                        const data::Manifest& manifest,
                                        const train::RunLength& length,
                                        const torch::Device& device) {
  return {.optimizer = config.optimizer,
          .train = config.train,
          .checkpoint = config.checkpoint,
          .log = config.log,
          .evaluate_every = config.data.valid_manifest.empty() ? 0 : config.monitor.every,
          .seed = static_cast<std::uint64_t>(config.run.seed),
          .length = length,
          .device = device,
          .config = train::flatten(config),
          .data_hash = train::data_hash(manifest),
          .manifest = fmt::format("{}", fmt::join(config.data.manifest, ", "))};
}

ExitCode pretrain(const Arguments& arguments) {
  const auto stop = watch_signals();
  const auto [config, yaml] =
      config::load<PretrainConfig>(arguments.config_file(), arguments.overrides());
  load_cuda_library(config.device);
  train::set_threads(config.threads);
  train::set_precision(config.train.precision);
  const auto device = train::choose_device(config.device, cuda_library_problem());
  auto manifest = training_data(config.data);
  auto held_out = held_out_data(config.data);
  data::Loader loader(manifest, loader_options(config, device));
  const auto length =
      train::RunLength::of(config.train, config.optimizer, loader.batches_per_epoch());

  train::RunFolder folder(config.run.dir);
  folder.claim(train::flatten(config), yaml, arguments.overrides());
  log::also_to(folder.path() / "log.txt");
  train::PretrainTask task(config, device, length, std::move(held_out));
  const auto known = facts(config, device, manifest, loader, length, task.module());
  for (const auto& [name, value] : known) log::info("{}: {}", name, value);
  folder.write_environment(known);

  train::Trainer trainer(task, loader, folder, trainer_settings(config, manifest, length, device));
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
      .examples = {{"pretrain --config lrs3.yaml run.dir=runs/lrs3",
                    "RAVEn Base on LRS3; again to go on after a stop"},
                   {"pretrain --config lrs3.yaml run.dir=runs/p04 mask.prob=0.4 train.steps=20000",
                    "the same with stronger masking and a fixed length"}},
      .run = pretrain};
}

}  // namespace raven::cli

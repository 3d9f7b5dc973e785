#include "raven/train/session.h"

#include <torch/version.h>

#include <algorithm>
#include <cmath>

#include "raven/core/interrupt.h"
#include "raven/core/log.h"
#include "raven/nn/device.h"
#include "raven/train/trainer.h"

namespace raven::train {
namespace {

std::string by_signal() {
  const auto number = received_signal();
  return number == 0 ? "" : fmt::format(" by signal {}", number);
}

std::int64_t num_parameters(const torch::nn::Module& module, bool trained) {
  std::int64_t parameters = 0;
  for (const auto& parameter : module.parameters()) {
    if (!trained || parameter.requires_grad()) parameters += parameter.numel();
  }
  return parameters;
}

/// What a run is, said once at its start and kept in environment.json.
std::map<std::string, std::string> facts_of(const StageSettings& settings, const Training& training,
                                            const torch::Device& device) {
  const auto& module = training.task->module();
  auto facts = training.facts;
  facts.insert(training.card.begin(), training.card.end());
  facts.merge(std::map<std::string, std::string>{
      {"stage", settings.stage},
      {"raven", RAVEN_VERSION},
      {"libtorch", TORCH_VERSION},
      {"device", nn::device_name(device)},
      {"threads", fmt::format("{}", torch::get_num_threads())},
      {"precision", std::string(config::enum_name(settings.train.precision))},
      {"parameters", fmt::format("{}", num_parameters(module, /*trained=*/false))},
      {"trained_parameters", fmt::format("{}", num_parameters(module, /*trained=*/true))},
      {"batches_per_epoch", fmt::format("{}", training.source->batches_per_epoch())},
      {"steps", fmt::format("{}", training.length.steps)},
      {"warmup_steps", fmt::format("{}", training.length.warmup_steps)}});
  return facts;
}

TrainerSettings trainer_settings(const StageSettings& settings, const Training& training,
                                 const torch::Device& device) {
  auto checkpoint = settings.checkpoint;
  if (checkpoint.every_epochs) {
    checkpoint.every = steps_of_epochs(*checkpoint.every_epochs, settings.train.accumulate,
                                       training.source->batches_per_epoch());
  }
  return {.optimizer = settings.optimizer,
          .train = settings.train,
          .checkpoint = checkpoint,
          .log = settings.log,
          .evaluate_every = training.evaluate_every,
          .seed = static_cast<std::uint64_t>(settings.run.seed),
          .length = training.length,
          .device = device,
          .config = settings.all,
          .defaults = settings.defaults,
          .data_hash = training.data_hash,
          .manifest = training.data,
          .run_files = training.run_files,
          .card = training.card};
}

}  // namespace

std::int64_t steps_of_epochs(double epochs, std::int64_t accumulate,
                             std::int64_t batches_per_epoch) {
  if (epochs <= 0) return 0;
  const double batches = epochs * static_cast<double>(batches_per_epoch);
  return std::max<std::int64_t>(1, std::llround(batches / static_cast<double>(accumulate)));
}

Outcome run_session(Stage& stage, const SessionOptions& options) {
  const auto settings = stage.settings();
  const auto problem = options.load_device ? options.load_device(settings.device) : "";
  nn::set_threads(settings.threads);
  nn::set_precision(settings.train.precision);
  const auto device = nn::choose_device(settings.device, problem);
  stage.read_data(device);

  artifacts::RunFolder folder(settings.run.dir);
  folder.claim(settings.all, options.yaml, options.overrides, settings.defaults);
  const log::AlsoTo log_file(folder.path() / "log.txt");
  auto training = stage.prepare(folder, device, options.stop);
  if (!training) {
    log::warn("stopped{} before training; the same command starts again", by_signal());
    return Outcome::kStopped;
  }
  const auto facts = facts_of(settings, *training, device);
  for (const auto& [name, value] : facts) log::info("{}: {}", name, value);
  folder.write_environment(facts);

  Trainer trainer(*training->task, *training->source, folder,
                  trainer_settings(settings, *training, device));
  if (!trainer.run(options.stop)) {
    log::warn("stopped{} after step {}; the same command goes on from there", by_signal(),
              trainer.step());
    return Outcome::kStopped;
  }
  training->task->export_results(folder.path());
  log::info("done: {} steps; {}", trainer.step(), training->results);
  return Outcome::kDone;
}

}  // namespace raven::train

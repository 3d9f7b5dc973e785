#include "raven/train/session.h"

#include <torch/version.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <memory>
#include <optional>

#include "raven/artifacts/run_history.h"
#include "raven/core/build_commit.h"
#include "raven/core/control_group.h"
#include "raven/core/error.h"
#include "raven/core/interrupt.h"
#include "raven/core/log.h"
#include "raven/distributed/joined_ranks.h"
#include "raven/distributed/thread_share.h"
#include "raven/doctor/memory.h"
#include "raven/doctor/processor.h"
#include "raven/nn/device.h"
#include "raven/train/rank_agreement.h"
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

/// The machine and the program that a run is made by.
std::map<std::string, std::string> hardware_of(const torch::Device& device) {
  std::map<std::string, std::string> facts{
      {"memory", fmt::format("{:.1f} GB", static_cast<double>(doctor::usable_memory()) / 1e9)},
      {"device", nn::device_name(device)},
      {"gpu", device.is_cuda() ? nn::device_name(device) : "none"}};
  const auto processor = doctor::read_processor(read_control_group());
  facts["processor"] = fmt::format("{}, {} cores", processor.model, processor.cores);
  if (!build_commit().empty()) facts["commit"] = build_commit();
  return facts;
}

/// What a run is, said once at its start and kept in environment.json.
std::map<std::string, std::string> facts_of(const StageSettings& settings, const Training& training,
                                            const torch::Device& device) {
  const auto& module = training.task->module();
  auto facts = training.facts;
  facts.insert(training.card.begin(), training.card.end());
  facts.merge(hardware_of(device));
  facts.merge(std::map<std::string, std::string>{
      {"stage", settings.stage},
      {"raven", RAVEN_VERSION},
      {"libtorch", TORCH_VERSION},
      {"data_hash", training.data_hash},
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
          .best = training.best,
          .seed = static_cast<std::uint64_t>(settings.run.seed),
          .length = training.length,
          .device = device,
          .config = settings.all,
          .defaults = settings.defaults,
          .data_hash = training.data_hash,
          .manifest = training.data,
          .run_files = training.run_files,
          .card = training.card,
          .shard_optimizer = settings.distributed.shard_optimizer};
}

report::RunStart start_of(const StageSettings& settings, const Training& training,
                          const torch::Device& device, const SessionOptions& options,
                          std::int64_t step) {
  report::RunStart start{
      .time = {},
      .from_step = step,
      .steps = training.length.steps,
      .arguments = options.arguments.empty() ? options.overrides : options.arguments,
      .facts = hardware_of(device)};
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  start.facts["host"] = host.data();
  start.facts["process"] = fmt::format("{}", ::getpid());
  start.facts["folder"] = std::filesystem::current_path().string();
  start.facts["raven"] = RAVEN_VERSION;
  start.facts["threads"] = fmt::format("{}", torch::get_num_threads());
  start.facts["precision"] = config::enum_name(settings.train.precision);
  return start;
}

/// environment.json and history.jsonl of a run.
class RunRecords {
 public:
  RunRecords(artifacts::RunFolder& folder, std::map<std::string, std::string> facts)
      : folder_(folder), facts_(std::move(facts)), history_(folder.path()) {}

  /// environment.json, with the seconds that were trained so far.
  void write() {
    auto facts = facts_;
    facts["wall_time_s"] = fmt::format("{:.1f}", history_.seconds());
    folder_.write_environment(facts);
  }
  void start(const report::RunStart& start) { history_.start(start); }
  /// Of a run that made all the steps it was to make.
  void finish(std::int64_t step) { facts_["steps"] = fmt::format("{}", step); }
  /// Of a start that was refused nothing is kept. What cannot be written must not hide why the run
  /// ended.
  void stop(std::int64_t step, const std::string& reason) {
    if (!history_.is_running()) return;
    history_.stop(step, reason);
    try {
      write();
      folder_.write_records();
    } catch (const std::exception& error) {
      log::warn("the run's wall time is not kept: {}", error.what());
    }
  }

 private:
  artifacts::RunFolder& folder_;
  std::map<std::string, std::string> facts_;
  artifacts::RunHistory history_;
};

void tell_bf16(const StageSettings& settings, const torch::Device& device) {
  if (settings.train.precision != config::Precision::kBf16 || !device.is_cpu()) return;
  if (doctor::has_bf16(doctor::read_processor(read_control_group()))) return;
  log::warn(
      "train.precision=bf16, but this processor has no products in bf16 (AVX-512 bf16, AMX): it is "
      "slower than fp32 here and takes more memory");
}

}  // namespace

std::int64_t steps_of_epochs(double epochs, std::int64_t accumulate,
                             std::int64_t batches_per_epoch) {
  if (epochs <= 0) return 0;
  const double batches = epochs * static_cast<double>(batches_per_epoch);
  return std::max<std::int64_t>(1, std::llround(batches / static_cast<double>(accumulate)));
}

namespace {

/// A run of one rank.
Outcome train_rank(Stage& stage, const SessionOptions& options, const StageSettings& settings,
                   const torch::Device& device, distributed::Communicator& ranks) {
  using artifacts::RunFolder;
  check_same_start(ranks, settings.all);
  ranks.note(0, "reading data", /*long_work=*/true);
  stage.read_data(
      device,
      {.rank = ranks.rank(), .ranks = ranks.size(), .step_batches = settings.train.accumulate});

  const bool writes = ranks.rank() == 0;
  std::optional<RunFolder> own;
  if (writes) {
    own.emplace(settings.run.dir);
    own->claim(settings.all, options.yaml, options.overrides, settings.defaults, settings.json);
  }
  ranks.barrier();  // its checkpoints are recovered
  if (!writes) own.emplace(settings.run.dir, RunFolder::Access::kReader);
  auto& folder = *own;
  std::optional<log::AlsoTo> log_file;
  if (writes) log_file.emplace(folder.path() / "log.txt");
  auto training = stage.prepare(folder, device, options.stop);
  if (ranks.any(!training)) {
    log::warn("stopped{} before training; the same command starts again", by_signal());
    return Outcome::kStopped;
  }
  check_same_data(ranks, training->data_hash, training->data);
  auto facts = facts_of(settings, *training, device);
  if (ranks.size() > 1) facts["ranks"] = fmt::format("{}", ranks.size());
  std::optional<RunRecords> records;
  if (writes) {
    for (const auto& [name, value] : facts) log::info("{}: {}", name, value);
    records.emplace(folder, facts);
    records->write();
  }
  const auto stopped = [&](std::int64_t step, const std::string& reason) {
    if (records) records->stop(step, reason);
  };

  auto of_trainer = trainer_settings(settings, *training, device);
  of_trainer.on_start = [&](std::int64_t step) {
    records->start(start_of(settings, *training, device, options, step));
  };
  Trainer trainer(*training->task, *training->source, folder, of_trainer, ranks);
  try {
    if (!trainer.run(options.stop)) {
      log::warn("stopped{} after step {}; the same command goes on from there", by_signal(),
                trainer.step());
      stopped(trainer.step(), "stopped" + by_signal());
      return Outcome::kStopped;
    }
    ranks.note(trainer.step(), "writing results", /*long_work=*/true);
    if (writes) training->task->export_results(folder.path());
    ranks.barrier();
  } catch (const std::exception& error) {
    stopped(trainer.step(), fmt::format("error: {}", error.what()));
    throw;
  }
  if (records) records->finish(trainer.step());
  stopped(trainer.step(), "done");
  if (writes) log::info("done: {} steps; {}", trainer.step(), training->results);
  return Outcome::kDone;
}

}  // namespace

Outcome run_session(Stage& stage, const SessionOptions& options) {
  const auto settings = stage.settings();
  std::optional<distributed::JoinedRanks> own;
  auto& joined =
      options.ranks != nullptr ? *options.ranks : own.emplace(settings.distributed, options.stop);
  return joined.run([&](distributed::Communicator& ranks) {
    const auto problem = options.load_device ? options.load_device(settings.device) : "";
    nn::set_threads(distributed::agree_on_threads(ranks, settings.threads));
    nn::set_precision(settings.train.precision);
    const auto device = nn::choose_device(settings.device, problem, joined.launch().local_rank);
    tell_bf16(settings, device);
    return train_rank(stage, options, settings, device, ranks);
  });
}

}  // namespace raven::train

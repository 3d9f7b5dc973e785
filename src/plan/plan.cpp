#include "raven/plan/plan.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "raven/core/error.h"
#include "raven/core/processors.h"
#include "raven/data/batching.h"
#include "raven/media/media.h"

namespace raven::plan {
namespace {

using config::FinetuneConfig;
using config::PretrainConfig;

constexpr double kFloat = 4;              // bytes
constexpr double kReportBytes = 4096;     // of a report in metrics.jsonl and in tensorboard/
constexpr std::int64_t kStoredSide = 96;  // pixels
constexpr double kMostAccumulated = 1e5;  // that train.accumulate may be

std::int64_t labels_of(const Data& data, std::int64_t frames) {
  return static_cast<std::int64_t>(std::ceil(data.labels_per_frame * static_cast<double>(frames)));
}

/// Shapes of batches under a budget, the one with most clips for each length.
std::vector<BatchShape> batch_shapes(const Data& data, std::int64_t max_frames) {
  std::map<std::int64_t, std::int64_t> clips_of;  // by frames of the longest
  if (data.sizes.empty()) {
    const auto frames = std::min(data.longest, max_frames);
    clips_of[frames] = std::max<std::int64_t>(1, max_frames / frames);
  } else {
    for (const auto& batch : data::pack_by_length(data.sizes, max_frames)) {
      const auto longest = data.sizes[static_cast<std::size_t>(batch.front())];
      auto& clips = clips_of[longest];
      clips = std::max(clips, std::ssize(batch));
    }
  }
  std::vector<BatchShape> shapes;
  for (const auto& [frames, clips] : clips_of) {
    shapes.push_back({.clips = clips, .frames = frames, .labels = labels_of(data, frames)});
  }
  return shapes;
}

bool evaluates_held_out(const PretrainConfig& config) {
  return !config.data.valid_manifest.empty() && config.monitor.every > 0;
}
bool evaluates_held_out(const FinetuneConfig& config) {
  return !config.data.valid_manifest.empty() && config.validation.every_epochs > 0;
}

/// Bytes of a batch's pixels and samples for each frame.
double frame_bytes(const PretrainConfig& config, const Data& data) {
  const double pixels = static_cast<double>(config.teacher.num_views() * config.data.video.crop *
                                            config.data.video.crop);
  return data.pixel_bytes * pixels + kFloat * static_cast<double>(media::kSamplesPerFrame);
}
double frame_bytes(const FinetuneConfig& config, const Data& data) {
  if (config.model.frozen != config::FrozenPart::kNone && config.model.cached_views > 0) return 0;
  return config.model.modality == config::Modality::kVideo
             ? data.pixel_bytes *
                   static_cast<double>(config.data.video.crop * config.data.video.crop)
             : kFloat * static_cast<double>(media::kSamplesPerFrame);
}

double cached_features(const PretrainConfig&, const Data&) { return 0; }
double cached_features(const FinetuneConfig& config, const Data& data) {
  if (config.model.frozen == config::FrozenPart::kNone) return 0;
  const auto width = config.model.frozen == config::FrozenPart::kFrontend
                         ? config.frontend().widths.back()
                         : config.model.encoder.dim;
  return kFloat * static_cast<double>(width * config.model.cached_views) * data.frames;
}

/// Of a checkpoint.
double stored_bytes(const Networks& networks) {
  double bytes = 2 * kFloat * static_cast<double>(networks.trained_parameters());
  for (const auto& module : networks.modules)
    bytes += kFloat * static_cast<double>(module.parameters) + module.buffers;
  return bytes;
}

/// The batch that needs most memory, and what it needs.
struct WorstBatch {
  BatchShape batch;
  Memory memory;
};

template <class Config>
WorstBatch worst_batch(const Config& config, const Data& data, const Hardware& hardware,
                       Batches batches) {
  const auto arithmetic = Arithmetic::of(hardware.cuda, config.train.precision);
  const bool loads = batches == Batches::kLoader;
  const auto own_batches = (config.train.accumulate + hardware.ranks - 1) / hardware.ranks;
  RunNeeds run{.accumulate = own_batches,
               .optimizer_parts = hardware.shards_optimizer ? hardware.ranks : 1};
  std::vector<Networks> held_out;  // none or one
  if (loads) {
    run.threads = num_readers(config.data.workers, /*most=*/4);
    run.cached_features = cached_features(config, data);
    if (config.train.batch_norm == config::BatchStatistics::kOwn) run.gradient_bytes = 8;
    if (evaluates_held_out(config)) {
      const auto frames = std::max(config.data.valid_max_frames, data.longest);
      const BatchShape held_out_batch{.clips = std::max<std::int64_t>(1, frames / data.longest),
                                      .frames = std::min(frames, data.longest),
                                      .labels = labels_of(data, data.longest)};
      held_out.push_back(networks_of(config, data.num_units, held_out_batch, arithmetic));
    }
  }
  WorstBatch worst;
  for (const auto& batch : batch_shapes(data, config.data.max_frames)) {
    const auto ready = loads ? (config.data.workers == 0 ? 1 : config.data.prefetch) : 0;
    run.batches = batch.rows() * frame_bytes(config, data) *
                  static_cast<double>(ready + (loads ? own_batches : 1));
    const auto networks = networks_of(config, data.num_units, batch, arithmetic);
    if (loads && config.checkpoint.background) run.snapshot = stored_bytes(networks);
    const auto memory =
        memory_of(networks, held_out.empty() ? nullptr : &held_out.front(), arithmetic, run);
    if (memory.total() > worst.memory.total()) worst = {.batch = batch, .memory = memory};
  }
  return worst;
}

enum class Step { kKeepsItsFrames, kShrinks };

/// `frames` a batch, and where asked for so many batches a step that it keeps its frames.
template <class Config>
Config with_budget(const Config& config, std::int64_t frames, Step step) {
  auto changed = config;
  const double times =
      static_cast<double>(config.data.max_frames) / static_cast<double>(frames);  // 1 at least
  changed.data.max_frames = frames;
  changed.data.valid_max_frames = std::min(config.data.valid_max_frames, frames);
  if (step == Step::kShrinks) return changed;
  changed.train.accumulate = static_cast<std::int64_t>(
      std::min(kMostAccumulated, std::ceil(static_cast<double>(config.train.accumulate) * times)));
  return changed;
}

template <class Config>
std::vector<std::string> budget_overrides(const Config& from, const Config& to) {
  std::vector<std::string> overrides = {fmt::format("data.max_frames={}", to.data.max_frames)};
  if (to.data.valid_max_frames != from.data.valid_max_frames)
    overrides.push_back(fmt::format("data.valid_max_frames={}", to.data.valid_max_frames));
  if (to.train.accumulate != from.train.accumulate)
    overrides.push_back(fmt::format("train.accumulate={}", to.train.accumulate));
  return overrides;
}

template <class Config>
double bytes_of(const Config& config, const Data& data, const Hardware& hardware) {
  return worst_batch(config, data, hardware, Batches::kLoader).memory.total();
}

/// The largest budget that fits, at most the one given; empty: not even one utterance's.
template <class Config>
std::optional<Config> largest_budget(const Config& config, const Data& data,
                                     const Hardware& hardware, Step step) {
  const auto fits = [&](std::int64_t frames) {
    return bytes_of(with_budget(config, frames, step), data, hardware) <= hardware.capacity();
  };
  std::int64_t low = std::min(data.longest, config.data.max_frames);
  std::int64_t high = config.data.max_frames;
  if (!fits(low)) return std::nullopt;
  while (low < high) {
    const auto middle = low + (high - low + 1) / 2;
    (fits(middle) ? low : high) = fits(middle) ? middle : middle - 1;
  }
  return with_budget(config, low, step);
}

/// Adds the largest budget that fits for `config`, which `first` makes of what was asked for. Where
/// a step's batches, which wait in memory together, are too many, the step shrinks.
template <class Config>
void add_budget(const Config& config, const std::vector<std::string>& first,
                const std::string& remark, const Data& data, const Hardware& hardware,
                std::vector<Setting>& settings) {
  for (const auto step : {Step::kKeepsItsFrames, Step::kShrinks}) {
    const auto smaller = largest_budget(config, data, hardware, step);
    if (!smaller) continue;
    Setting setting{
        .overrides = first, .remark = remark, .bytes = bytes_of(*smaller, data, hardware)};
    if (smaller->data.max_frames != config.data.max_frames) {
      for (auto& override : budget_overrides(config, *smaller))
        setting.overrides.push_back(std::move(override));
      if (step == Step::kShrinks) {
        if (!setting.remark.empty()) setting.remark += "; ";
        setting.remark += "a step has fewer frames";
      }
    }
    settings.push_back(std::move(setting));
    return;
  }
}

/// Budgets that fit, with fp32 or tf32 as it is and, on a GPU, with bf16.
template <class Config>
std::vector<Setting> budgets_that_fit(const Config& config, const Data& data,
                                      const Hardware& hardware) {
  std::vector<Setting> settings;
  add_budget(config, {}, "", data, hardware, settings);
  if (hardware.cuda && config.train.precision != config::Precision::kBf16) {
    auto half = config;
    half.train.precision = config::Precision::kBf16;
    add_budget(half, {"train.precision=bf16"}, "other arithmetic", data, hardware, settings);
  }
  return settings;
}

double exported_bytes(const Networks& networks, const PretrainConfig&) {
  double bytes = 0;
  for (const auto& module : networks.modules) {
    if (module.name.rfind("student_", 0) == 0)
      bytes += kFloat * static_cast<double>(module.parameters) + module.buffers;
  }
  return bytes;
}
double exported_bytes(const Networks& networks, const FinetuneConfig&) {
  double bytes = 0;
  for (const auto& module : networks.modules)
    bytes += kFloat * static_cast<double>(module.parameters) + module.buffers;
  return bytes;
}

plan::StepFlops flops_of(const PretrainConfig& config, const Data& data, const BatchShape& batch) {
  return plan::pretrain_flops(config, batch.frames, batch.clips);
}
plan::StepFlops flops_of(const FinetuneConfig& config, const Data& data, const BatchShape& batch) {
  return plan::finetune_flops(config, {.frames = batch.frames,
                                       .clips = batch.clips,
                                       .labels = batch.labels,
                                       .units = data.num_units});
}

config::CheckpointConfig checkpoints_in_steps(const config::CheckpointConfig& checkpoint,
                                              const config::TrainConfig& train,
                                              const Length& length) {
  auto changed = checkpoint;
  if (!checkpoint.every_epochs || !length.batches_per_epoch) return changed;
  const double batches = *checkpoint.every_epochs * static_cast<double>(*length.batches_per_epoch);
  changed.every =
      std::max<std::int64_t>(1, std::llround(batches / static_cast<double>(train.accumulate)));
  return changed;
}

template <class Config>
Plan plan_of(const Config& config, const Data& data, const Hardware& hardware) {
  const auto worst = worst_batch(config, data, hardware, Batches::kLoader);
  const auto arithmetic = Arithmetic::of(hardware.cuda, config.train.precision);
  Plan plan{.networks = networks_of(config, data.num_units, worst.batch, arithmetic),
            .batch = worst.batch,
            .flops_per_frame = flops_of(config, data, worst.batch),
            .memory = worst.memory,
            .length = length_of(config.train, config.data.max_frames, data),
            .storage = {}};
  plan.storage =
      storage_of(plan.networks, checkpoints_in_steps(config.checkpoint, config.train, plan.length),
                 config.log, plan.length, exported_bytes(plan.networks, config));
  return plan;
}

}  // namespace

Data Data::of_sizes(std::vector<std::int64_t> sizes) {
  Data data;
  if (!sizes.empty()) data.longest = *std::max_element(sizes.begin(), sizes.end());
  for (const auto size : sizes) data.frames += static_cast<double>(size);
  data.sizes = std::move(sizes);
  return data;
}

Memory memory_for(const PretrainConfig& config, const Data& data, const Hardware& hardware,
                  Batches batches) {
  return worst_batch(config, data, hardware, batches).memory;
}
Memory memory_for(const FinetuneConfig& config, const Data& data, const Hardware& hardware,
                  Batches batches) {
  return worst_batch(config, data, hardware, batches).memory;
}

std::vector<Setting> settings_that_fit(const PretrainConfig& config, const Data& data,
                                       const Hardware& hardware) {
  return budgets_that_fit(config, data, hardware);
}

std::vector<Setting> settings_that_fit(const FinetuneConfig& config, const Data& data,
                                       const Hardware& hardware) {
  auto settings = budgets_that_fit(config, data, hardware);
  if (config.model.frozen != config::FrozenPart::kNone) return settings;
  auto frozen = config;
  frozen.model.frozen = config::FrozenPart::kFrontend;
  frozen.model.cached_views = 0;
  add_budget(frozen, {"model.frozen=frontend", "model.cached_views=0"},
             "the convolutions are not trained", data, hardware, settings);
  return settings;
}

Length length_of(const config::TrainConfig& train, std::int64_t max_frames, const Data& data) {
  Length length;
  if (!data.sizes.empty()) {
    length.batches_per_epoch = std::ssize(data::pack_by_length(data.sizes, max_frames));
    length.exact = true;
  } else if (data.frames > 0) {
    length.batches_per_epoch = std::max<std::int64_t>(
        1, static_cast<std::int64_t>(std::ceil(data.frames / static_cast<double>(max_frames))));
  }
  length.steps = train.steps;
  const auto accumulate = static_cast<double>(train.accumulate);
  if (!length.batches_per_epoch) {
    if (length.steps) {
      length.frames =
          static_cast<double>(*length.steps) * accumulate * static_cast<double>(max_frames);
    }
    return length;
  }
  const auto batches = static_cast<double>(*length.batches_per_epoch);
  // A separate warm-up changes neither: it lies within these steps.
  if (!length.steps) {
    length.steps = std::max<std::int64_t>(1, std::llround(train.epochs * batches / accumulate));
  }
  length.frames = static_cast<double>(*length.steps) * accumulate / batches * data.frames;
  return length;
}

Storage storage_of(const Networks& networks, const config::CheckpointConfig& checkpoint,
                   const config::LogConfig& log, const Length& length, double exported_bytes) {
  Storage storage;
  storage.checkpoint = stored_bytes(networks);
  storage.checkpoints = checkpoint.keep;
  if (length.steps) {
    const auto saved = (*length.steps + checkpoint.every - 1) / checkpoint.every;
    const auto for_good = checkpoint.keep_every > 0 ? *length.steps / checkpoint.keep_every : 0;
    storage.checkpoints = std::min(saved, checkpoint.keep + for_good);
    storage.metrics = kReportBytes * static_cast<double>(*length.steps / log.every + 1);
  }
  storage.checkpoints_peak = storage.checkpoint * static_cast<double>(storage.checkpoints + 1);
  storage.exports = exported_bytes;
  return storage;
}

Plan make_plan(const PretrainConfig& config, const Data& data, const Hardware& hardware) {
  return plan_of(config, data, hardware);
}
Plan make_plan(const FinetuneConfig& config, const Data& data, const Hardware& hardware) {
  return plan_of(config, data, hardware);
}

double raw_bytes_per_hour() {
  const double pixels = static_cast<double>(kStoredSide * kStoredSide * media::kFrameRateHz);
  return 3600 * (pixels + 2.0 * static_cast<double>(media::kSampleRateHz));
}

}  // namespace raven::plan

#include "cli/plan_text.h"

#include <spdlog/fmt/fmt.h>

#include <cmath>

#include "raven/config/fields.h"
#include "raven/media/media.h"
#include "raven/plan/flops.h"

namespace raven::cli {
namespace {

using Json = nlohmann::ordered_json;
using plan::memory_text;

constexpr const char* kGpuNote =
    "a GPU's memory was compared with one measurement only: RAVEn Base, 16 x 150 frames, on an "
    "H200";
constexpr const char* kCounted =
    "multiplications and additions of convolutions and matrix products; norms, activations and "
    "pooling left out";
constexpr const char* kMeasuredSpeed =
    "on an H200 RAVEn Base made 17,000 to 26,000 frames/s with batches of 2,400 frames in bf16";
constexpr double kClose = 0.9;  // of the memory there is; estimates may be off by a tenth

std::optional<double> hours_of(const PlanFacts& facts) {
  const auto& frames = facts.needs.length.frames;
  if (!frames || !facts.frames_per_s) return std::nullopt;
  return *frames / *facts.frames_per_s / 3600;
}

/// What a step takes over a link; without a speed its sums alone are known.
plan::StepOfRanks step_over(const PlanFacts& facts, const plan::Link& link) {
  const plan::StepWork work{
      .batches = facts.accumulate,
      .batch_s = facts.frames_per_s ? facts.needs.batch.rows() / *facts.frames_per_s : 0};
  return plan::step_of_ranks(work, facts.exchange, facts.hardware.ranks, link);
}

std::optional<double> hours_over(const PlanFacts& facts, const plan::StepOfRanks& step) {
  const auto hours = hours_of(facts);
  if (!hours) return std::nullopt;
  return *hours / (step.efficiency * static_cast<double>(facts.hardware.ranks));
}

/// Of one rank, with the optimiser's averages in so many parts.
double memory_with_parts(const PlanFacts& facts, std::int64_t parts) {
  const auto& memory = facts.needs.memory;
  const auto now = facts.hardware.shards_optimizer ? facts.hardware.ranks : 1;
  return memory.total() +
         memory.optimizer * (static_cast<double>(now) / static_cast<double>(parts) - 1);
}

template <class Value>
Json or_null(const std::optional<Value>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json memory_json(const plan::Memory& memory) {
  return {{"weights", std::llround(memory.weights)},
          {"teachers", std::llround(memory.teachers)},
          {"optimizer", std::llround(memory.optimizer)},
          {"gradients", std::llround(memory.gradients)},
          {"activations", std::llround(memory.activations)},
          {"loader", std::llround(memory.loader)},
          {"cached_features", std::llround(memory.features)},
          {"snapshot", std::llround(memory.snapshot)},
          {"heap", std::llround(memory.heap)},
          {"program", std::llround(memory.program)},
          {"tensors", std::llround(memory.tensors())},
          {"total", std::llround(memory.total())},
          {"peak", memory.peak}};
}

/// 11182784 -> "11,182,784".
std::string grouped(std::int64_t value) {
  auto digits = fmt::format("{}", value);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<std::size_t>(at), ",");
  return digits;
}

std::string flops_text(double flops) {
  const char* const prefixes[] = {"", "k", "M", "G", "T", "P", "E"};
  std::size_t power = 0;
  for (; flops >= 1000 && power + 1 < std::size(prefixes); ++power) flops /= 1000;
  return fmt::format("{:.3g} {}FLOP", flops, prefixes[power]);
}

std::string parameters_text(const plan::Networks& networks) {
  std::string out = "parameters\n";
  for (const auto& module : networks.modules) {
    out += fmt::format("  {:32} {:>16}{}\n", module.name, grouped(module.parameters),
                       module.is_teacher ? "  teacher"
                       : module.trained  ? ""
                                         : "  frozen");
  }
  return out + fmt::format("  {:32} {:>16}  trained: {}\n", "all", grouped(networks.parameters()),
                           grouped(networks.trained_parameters()));
}

std::string memory_table(const plan::Memory& memory, double checkpoint,
                         const plan::Hardware& hardware, config::Precision precision) {
  std::string out = fmt::format("memory at the peak ({})\n", memory.peak);
  const auto line = [&](const char* name, double bytes) {
    if (bytes > 0) out += fmt::format("  {:32} {:>16}\n", name, memory_text(bytes));
  };
  line("weights", memory.weights);
  line("teachers", memory.teachers);
  line("optimizer", memory.optimizer);
  line("gradients", memory.gradients);
  line("activations, inputs, targets", memory.activations);
  line("loader", memory.loader);
  line("cached features", memory.features);
  line("checkpoint being written", memory.snapshot);
  line("heap between blocks", memory.heap);
  line(hardware.cuda ? "CUDA's own (not measured)" : "program and LibTorch", memory.program);
  const double share = memory.total() / hardware.capacity();
  out += fmt::format("  {:32} {:>16}  of {}{}: {}\n", "all", memory_text(memory.total()),
                     memory_text(hardware.capacity()), hardware.ranks > 1 ? " for a rank" : "",
                     share > 1        ? "does not fit"
                     : share > kClose ? "fits, but closely; the estimate may be off by a tenth"
                                      : "fits");
  if (hardware.cuda) {
    out +=
        fmt::format("  ({})\n  memory of the host besides: {} for a checkpoint that is written\n",
                    kGpuNote, memory_text(checkpoint));
  }
  if (!hardware.cuda && precision == config::Precision::kBf16) {
    out +=
        "  (bf16 on a CPU is counted as fp32, but takes more: three times as much was measured of "
        "a small model; --measure tells)\n";
  }
  return out;
}

std::string length_text(const PlanFacts& facts) {
  const auto& length = facts.needs.length;
  std::string out = fmt::format("data: {}", facts.data_source);
  if (facts.data.frames > 0) {
    out += fmt::format(", {:.2f} hours",
                       facts.data.frames / 3600 / static_cast<double>(media::kFrameRateHz));
  }
  out += "\n";
  if (!length.steps) {
    out +=
        "steps: not known without data; give data.manifest, --hours or --data-frames, or "
        "train.steps\n";
    return out;
  }
  out += fmt::format("steps: {}", grouped(*length.steps));
  if (length.batches_per_epoch) {
    out += fmt::format(" of {} batches; {} batches an epoch{}", facts.accumulate,
                       grouped(*length.batches_per_epoch), length.exact ? "" : " if all are full");
  }
  out += "\n";
  if (const auto hours = hours_of(facts)) {
    out += fmt::format("hours{}: {:.3g} at {:.5g} frames/s, {}{}\n",
                       facts.hardware.ranks > 1 ? " of one rank" : "", *hours, *facts.frames_per_s,
                       facts.speed_source,
                       length.batches_per_epoch ? "" : "; every batch taken to be full");
  } else if (length.frames) {
    out += fmt::format(
        "hours: not known without a speed: none is assumed; give --frames-per-s or --measure{}\n",
        facts.hardware.cuda ? fmt::format(" ({})", kMeasuredSpeed) : "");
  }
  return out;
}

/// "1.9 ms", "0.46 s".
std::string time_text(double seconds) {
  return seconds < 0.1 ? fmt::format("{:.3g} ms", seconds * 1e3) : fmt::format("{:.3g} s", seconds);
}

std::string idle_text(std::int64_t batches, std::int64_t ranks) {
  if (batches < ranks) {
    return fmt::format(
        "  train.accumulate={}: {} ranks have no batch; give {} or a multiple of it\n", batches,
        ranks - batches, ranks);
  }
  if (batches % ranks == 0) return "";
  return fmt::format("  train.accumulate={}: in the last round {} ranks have no batch\n", batches,
                     ranks - batches % ranks);
}

std::string ranks_text(const PlanFacts& facts) {
  const auto ranks = facts.hardware.ranks;
  if (ranks == 1) return "";
  const auto& exchange = facts.exchange;
  const auto trained = facts.needs.networks.trained_parameters();
  std::string out = fmt::format("ranks: {}\n", ranks) + idle_text(facts.accumulate, ranks);
  out += fmt::format("  {:32} {:>16}  {:g} bytes for each of {} trained parameters\n",
                     "gradients summed a step", memory_text(exchange.gradient_bytes),
                     exchange.gradient_bytes / static_cast<double>(trained), grouped(trained));
  out += fmt::format("  {:32} {:>16}  one after another\n", "sums of BatchNorm a batch",
                     exchange.batch_norm_sums);
  out +=
      fmt::format("  {:32} {:>16}\n", "memory of a rank", memory_text(memory_with_parts(facts, 1)));
  out += fmt::format("  {:32} {:>16}\n", "with distributed.shard_optimizer",
                     memory_text(memory_with_parts(facts, ranks)));
  if (facts.links.empty())
    return out + "  time of sums: give --link, as `raven doctor --ranks` finds it\n";
  out += fmt::format("  {:64} {:>9} {:>9} {:>10} {:>8}\n", "link (stated, not measured)", "sums",
                     "step", "efficiency", "hours");
  for (const auto& link : facts.links) {
    const auto step = step_over(facts, link);
    const auto hours = hours_over(facts, step);
    const bool known = facts.frames_per_s.has_value();
    out += fmt::format("  {:64} {:>9} {:>9} {:>10} {:>8}\n", link.name, time_text(step.sums_s),
                       known ? time_text(step.seconds()) : "-",
                       known ? fmt::format("{:.2f}", step.efficiency) : "-",
                       hours ? fmt::format("{:.3g}", *hours) : "-");
  }
  if (!facts.frames_per_s)
    out += "  (efficiency: not known without the speed of one rank; give --frames-per-s)\n";
  return out;
}

Json ranks_json(const PlanFacts& facts) {
  const auto ranks = facts.hardware.ranks;
  Json links = Json::array();
  for (const auto& link : facts.links) {
    const auto step = step_over(facts, link);
    links.push_back({{"name", link.name},
                     {"sums_s", step.sums_s},
                     {"exposed_s", step.exposed_s},
                     {"batch_norm_s", step.batch_norm_s},
                     {"step_s", facts.frames_per_s ? Json(step.seconds()) : Json(nullptr)},
                     {"efficiency", facts.frames_per_s ? Json(step.efficiency) : Json(nullptr)},
                     {"hours", or_null(hours_over(facts, step))}});
  }
  return {{"count", ranks},
          {"gradient_bytes", std::llround(facts.exchange.gradient_bytes)},
          {"batch_norm_sums", facts.exchange.batch_norm_sums},
          {"memory_bytes", std::llround(memory_with_parts(facts, 1))},
          {"sharded_memory_bytes", std::llround(memory_with_parts(facts, ranks))},
          {"links", std::move(links)}};
}

std::string storage_text(const plan::Storage& storage, const std::optional<double>& shard_bytes,
                         double data_frames) {
  std::string out = fmt::format(
      "storage: {}\n  {} checkpoints of {}, and room for the next: {}\n  result {}\n",
      memory_text(storage.total()), storage.checkpoints, memory_text(storage.checkpoint),
      memory_text(storage.checkpoints_peak), memory_text(storage.exports));
  if (storage.metrics) out += fmt::format("  metrics about {}\n", memory_text(*storage.metrics));
  if (shard_bytes) {
    out += fmt::format("  data, there already: {}\n", memory_text(*shard_bytes));
  } else if (data_frames > 0) {
    const double hours = data_frames / 3600 / static_cast<double>(media::kFrameRateHz);
    out += fmt::format("  data besides: {} as raw shards; H.264 takes about a tenth for pixels\n",
                       memory_text(hours * plan::raw_bytes_per_hour()));
  }
  return out;
}

std::string settings_text(const plan::Plan& plan, const plan::Hardware& hardware,
                          const std::vector<plan::Setting>& settings) {
  if (settings.empty()) {
    const auto& memory = plan.memory;
    return fmt::format(
        "no batch of these networks fits: weights and optimiser alone take {} of {}; take a "
        "smaller model (model.encoder.*), or a device with more memory\n",
        memory_text(memory.weights + memory.teachers + memory.optimizer + memory.program),
        memory_text(hardware.capacity()));
  }
  std::string out = "nearest settings that fit\n";
  for (const auto& setting : settings) {
    out +=
        fmt::format("  {}  ({}{}{})\n", fmt::join(setting.overrides, " "),
                    memory_text(setting.bytes), setting.remark.empty() ? "" : "; ", setting.remark);
  }
  return out;
}

std::string measured_text(const Measured& measured, const plan::Hardware& hardware) {
  return fmt::format(
      "measured: {:.5g} frames/s; {} at the peak ({}), {} of it tensors; estimated for the same: "
      "{} ({:+.1f} %)\n",
      measured.frames_per_s, memory_text(measured.peak_bytes),
      hardware.cuda ? "tensors on the GPU" : "resident", memory_text(measured.peak_tensors),
      memory_text(measured.estimated_bytes),
      100 * (measured.estimated_bytes / measured.peak_bytes - 1));
}

std::string head_text(const PlanFacts& facts) {
  const auto& plan = facts.needs;
  const auto& flops = plan.flops_per_frame;
  const double frames = plan.batch.rows() * static_cast<double>(facts.accumulate);
  std::string out = fmt::format("{}, {}, {}\nlargest batch: {} clips of {} frames{}\n", facts.stage,
                                facts.hardware.device, config::enum_name(facts.precision),
                                plan.batch.clips, plan.batch.frames,
                                facts.data.sizes.empty() ? " (--utterance-length, assumed)" : "");
  out += parameters_text(plan.networks);
  out += fmt::format(
      "operations ({})\n  forward  {} a frame, {} a step\n  backward {} a frame, {} a step\n",
      kCounted, flops_text(flops.forward), flops_text(flops.forward * frames),
      flops_text(flops.backward), flops_text(flops.backward * frames));
  return out;
}

}  // namespace

nlohmann::ordered_json plan_json(const PlanFacts& facts) {
  const auto& plan = facts.needs;
  const auto& hardware = facts.hardware;
  Json json = {{"command", facts.stage},
               {"device", hardware.device},
               {"cuda", hardware.cuda},
               {"precision", config::enum_name(facts.precision)},
               {"capacity_bytes", std::llround(hardware.capacity())},
               {"fits", plan.memory.total() <= hardware.capacity()}};
  json["batch"] = {
      {"clips", plan.batch.clips}, {"frames", plan.batch.frames}, {"labels", plan.batch.labels}};
  Json modules = Json::array();
  for (const auto& module : plan.networks.modules) {
    modules.push_back(
        {{"name", module.name}, {"parameters", module.parameters}, {"trained", module.trained}});
  }
  json["parameters"] = {{"all", plan.networks.parameters()},
                        {"trained", plan.networks.trained_parameters()},
                        {"modules", std::move(modules)}};
  const double frames_of_step = plan.batch.rows() * static_cast<double>(facts.accumulate);
  const auto& flops = plan.flops_per_frame;
  json["flops"] = {{"counted", kCounted},
                   {"forward_per_frame", flops.forward},
                   {"backward_per_frame", flops.backward},
                   {"forward_per_step", flops.forward * frames_of_step},
                   {"backward_per_step", flops.backward * frames_of_step}};
  json["memory_bytes"] = memory_json(plan.memory);
  if (hardware.cuda) json["note"] = kGpuNote;
  Json fitting = Json::array();
  for (const auto& setting : facts.settings) {
    fitting.push_back({{"overrides", setting.overrides},
                       {"remark", setting.remark},
                       {"total", std::llround(setting.bytes)}});
  }
  json["settings_that_fit"] = std::move(fitting);
  json["data"] = {{"source", facts.data_source},
                  {"frames", facts.data.frames > 0 ? Json(facts.data.frames) : Json(nullptr)},
                  {"longest", facts.data.longest},
                  {"units", facts.data.num_units}};
  json["steps"] = or_null(plan.length.steps);
  json["batches_per_epoch"] = or_null(plan.length.batches_per_epoch);
  json["steps_exact"] = plan.length.exact;
  json["frames"] = or_null(plan.length.frames);
  json["frames_per_s"] = or_null(facts.frames_per_s);
  json["hours"] = or_null(hours_of(facts));
  json["storage_bytes"] = {
      {"checkpoint", std::llround(plan.storage.checkpoint)},
      {"checkpoints", plan.storage.checkpoints},
      {"checkpoints_peak", std::llround(plan.storage.checkpoints_peak)},
      {"exports", std::llround(plan.storage.exports)},
      {"metrics", plan.storage.metrics ? Json(std::llround(*plan.storage.metrics)) : Json()},
      {"data", facts.shard_bytes ? Json(std::llround(*facts.shard_bytes)) : Json()}};
  if (hardware.ranks > 1) json["ranks"] = ranks_json(facts);
  if (const auto& measured = facts.measured) {
    json["measured"] = {{"frames_per_s", measured->frames_per_s},
                        {"peak_bytes", std::llround(measured->peak_bytes)},
                        {"peak_tensor_bytes", std::llround(measured->peak_tensors)},
                        {"estimated_bytes", std::llround(measured->estimated_bytes)},
                        {"estimated_tensor_bytes", std::llround(measured->estimated_tensors)},
                        {"error", measured->estimated_bytes / measured->peak_bytes - 1}};
    if (const auto peak = plan::peak_flops(hardware.device, facts.precision); peak && hardware.cuda)
      json["measured"]["mfu"] = measured->frames_per_s * flops.total() / *peak;
  }
  json["config"] = facts.config_values;
  return json;
}

std::string plan_text(const PlanFacts& facts) {
  const auto& plan = facts.needs;
  const auto& hardware = facts.hardware;
  auto text = head_text(facts) +
              memory_table(plan.memory, plan.storage.checkpoint, hardware, facts.precision);
  if (!facts.fits()) text += settings_text(plan, hardware, facts.settings);
  if (facts.measured) text += measured_text(*facts.measured, hardware);
  return text + length_text(facts) + ranks_text(facts) +
         storage_text(plan.storage, facts.shard_bytes, facts.data.frames);
}

}  // namespace raven::cli

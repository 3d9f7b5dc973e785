// `raven plan`
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>

#include "commands.h"
#include "cuda_library.h"
#include "random_steps.h"
#include "raven/config/load.h"
#include "raven/config/stages.h"
#include "raven/core/error.h"
#include "raven/data/labels.h"
#include "raven/data/subset.h"
#include "raven/media/media.h"
#include "raven/plan/plan.h"
#include "raven/text/tokenizer.h"
#include "raven/train/device.h"
#include "raven/train/tensor_memory.h"
#include "training_run.h"

namespace raven::cli {
namespace {

namespace fs = std::filesystem;
using config::FinetuneConfig;
using config::PretrainConfig;
using Json = nlohmann::ordered_json;
using plan::memory_text;

constexpr const char* kDescription =
    "Takes the configuration of pretrain or finetune and tells, before anything runs, how many "
    "parameters it has, how many operations, how much memory and storage it takes, how many steps "
    "it makes and how many hours. Memory is worked out from the shapes of the networks' layers, "
    "for the batch that needs most; --measure makes a few real steps on random clips of that batch "
    "and prints what they took beside it.\n"
    "Batches and steps are those of data.manifest where its files are there; else --hours or "
    "--data-frames say how much data there is, and batches are taken to be full, of utterances of "
    "--utterance-length frames.\n"
    "The exit code is 0 when the configuration fits, and 1 when it does not: then the nearest "
    "settings that do are named. A GPU's figures hold with raven's own CUDA kernels; they were "
    "compared with one measurement only, RAVEn Base on an H200 (tests/bench/RESULTS.md), and with "
    "no other model or card.";

constexpr const char* kGpuNote =
    "a GPU's memory was compared with one measurement only: RAVEn Base, 16 x 150 frames, on an "
    "H200";
constexpr const char* kCounted =
    "multiplications and additions of convolutions and matrix products; norms, activations and "
    "pooling left out";
constexpr const char* kNoManifest = "(none)";
constexpr double kClose = 0.9;  // of the memory there is; estimates may be off by a tenth

/// What measured steps took.
struct Measured {
  double frames_per_s = 0;
  double peak_bytes = 0;    // of the process on a CPU, of tensors on a GPU
  double peak_tensors = 0;  // of tensors
  // For just that: one batch in hand, no loader, no look at held-out clips.
  double estimated_bytes = 0, estimated_tensors = 0;
};

template <class Config>
struct Request {
  Config config;
  std::string stage;
  plan::Data data;
  std::string data_source;  // "data/lrs3/pretrain.tsv and 1 more", "--hours", "not known"
  plan::Hardware hardware;
  std::optional<double> frames_per_s;
  std::string speed_source;
  std::optional<double> shard_bytes;
};

// ---- what is asked for

fs::path first_missing(const std::vector<std::string>& files) {
  for (const auto& file : files) {
    if (!fs::exists(file)) return file;
  }
  return {};
}

/// The tokenizer where its files are there; else nothing.
std::unique_ptr<text::Tokenizer> tokenizer_of(const config::TextConfig& text) {
  std::vector<std::string> files;
  for (const auto& file : {text.units, text.model}) {
    if (!file.empty()) files.push_back(file);
  }
  if (files.empty() || !first_missing(files).empty()) return nullptr;
  return text::make_tokenizer({.units_file = text.units, .model_file = text.model});
}

void read_vocabulary(const PretrainConfig& config, data::Manifest&, plan::Data& data) {
  if (!config.monitor.recognition.enabled) return;
  if (const auto tokenizer = tokenizer_of(config.monitor.recognition.text))
    data.num_units = tokenizer->units().size();
}

/// Units from the tokenizer and labels from the manifest, where their files are there.
void read_vocabulary(const FinetuneConfig& config, data::Manifest& manifest, plan::Data& data) {
  if (!config.data.labelled_list.empty() && !manifest.utterances.empty())
    manifest = data::subset_of_list(manifest, config.data.labelled_list);
  if (config.data.labelled_hours && !manifest.utterances.empty())
    manifest = data::subset_of_hours(manifest, *config.data.labelled_hours);
  const auto tokenizer = tokenizer_of(config.text);
  if (!tokenizer) return;
  data.num_units = tokenizer->units().size();
  if (manifest.utterances.empty()) return;
  manifest = data::label(std::move(manifest), *tokenizer).manifest;
  double labels = 0;
  for (const auto& utterance : manifest.utterances)
    labels += static_cast<double>(utterance.labels.size());
  if (manifest.total_frames() > 0)
    data.labels_per_frame = labels / static_cast<double>(manifest.total_frames());
}

/// Bytes of the files that utterances lie in, each once.
double stored_bytes(const data::Manifest& manifest) {
  std::set<fs::path> files;
  for (const auto& utterance : manifest.utterances) {
    if (!utterance.video.empty()) files.insert(utterance.video.file);
    if (!utterance.audio.empty()) files.insert(utterance.audio.file);
  }
  double bytes = 0;
  for (const auto& file : files) {
    std::error_code missing;
    const auto size = fs::file_size(file, missing);
    if (!missing) bytes += static_cast<double>(size);
  }
  return bytes;
}

template <class Config>
void read_data(const Arguments& arguments, Request<Config>& request) {
  const auto& config = request.config;
  if (arguments.given("--hours") && arguments.given("--data-frames"))
    throw ConfigError("--hours and --data-frames both say how much data there is; give one");
  const bool told = arguments.given("--hours") || arguments.given("--data-frames");
  const auto missing = first_missing(config.data.manifest);
  data::Manifest manifest;
  auto& data = request.data;
  if (!told && missing.empty()) manifest = training_data(config.data);
  read_vocabulary(config, manifest, data);
  if (!manifest.utterances.empty()) {
    std::vector<std::int64_t> sizes;
    for (const auto& utterance : manifest.utterances) sizes.push_back(utterance.frames);
    auto known = plan::Data::of_sizes(std::move(sizes));
    known.num_units = data.num_units;
    known.labels_per_frame = data.labels_per_frame;
    data = std::move(known);
    request.data_source = fmt::format("{}", fmt::join(config.data.manifest, ", "));
    request.shard_bytes = stored_bytes(manifest);
    return;
  }
  data.longest = arguments.integer("--utterance-length");
  if (arguments.given("--hours")) {
    data.frames = arguments.number("--hours") * 3600 * static_cast<double>(media::kFrameRateHz);
    request.data_source = "--hours";
  } else if (arguments.given("--data-frames")) {
    data.frames = arguments.number("--data-frames");
    request.data_source = "--data-frames";
  } else if (missing == kNoManifest) {
    request.data_source = "not known: data.manifest is not given";
  } else {
    request.data_source = fmt::format("not known: there is no {}", missing.string());
  }
}

template <class Config>
plan::Hardware hardware_for(const Config& config, const Arguments& arguments) {
  plan::Hardware hardware;
  hardware.memory = arguments.given("--memory")
                        ? plan::parse_memory(arguments.text("--memory"), "--memory")
                        : plan::machine_memory();
  hardware.device = "cpu";
  const bool told = arguments.given("--device-memory");
  if (told)
    hardware.device_memory =
        plan::parse_memory(arguments.text("--device-memory"), "--device-memory");
  if (config.device == config::Device::kCpu) {
    if (told) throw ConfigError("--device-memory is a GPU's, but device is cpu; leave one out");
    return hardware;
  }
  load_cuda_library(config::Device::kAuto);
  const bool present = torch::cuda::is_available();
  if (!told && !present) {
    if (config.device == config::Device::kAuto) return hardware;
    throw ConfigError(
        "device is cuda, but this machine has no GPU that can be asked for its memory; give it: "
        "--device-memory 80GiB");
  }
  hardware.cuda = true;
  hardware.device = present ? train::device_name({torch::kCUDA, 0}) : "a GPU";
  if (!told) hardware.device_memory = plan::gpu_memory();
  return hardware;
}

template <class Config>
Request<Config> request_of(const Arguments& arguments, const std::string& stage) {
  auto overrides = arguments.overrides();
  if (arguments.given("--device")) overrides.push_back("device=" + arguments.text("--device"));
  Request<Config> request;
  request.stage = stage;
  request.config =
      config::load<Config>(
          arguments.config_file(), overrides,
          {.defaults = {"run.dir=runs/plan", std::string("data.manifest=") + kNoManifest}})
          .config;
  request.data.labels_per_frame = arguments.number("--units-per-s") / media::kFrameRateHz;
  request.data.num_units = arguments.integer("--vocabulary");
  read_data(arguments, request);
  request.hardware = hardware_for(request.config, arguments);
  if (arguments.given("--frames-per-s")) {
    request.frames_per_s = arguments.number("--frames-per-s");
    request.speed_source = "as given";
  }
  return request;
}

// ---- measuring

RandomSteps random_steps(const PretrainConfig& config, const torch::Device& device,
                         const RandomShape& shape, const plan::Data& data) {
  return {config, device, shape, config.monitor.recognition.enabled ? data.num_units : 0};
}
RandomSteps random_steps(const FinetuneConfig& config, const torch::Device& device,
                         const RandomShape& shape, const plan::Data& data) {
  return {config, device, shape, data.num_units};
}

void without_cache(PretrainConfig&) {}
void without_cache(FinetuneConfig& config) { config.model.cached_views = 0; }

/// Some steps on random clips of the batch that needs most; the first one is not timed.
template <class Config>
Measured measure(const Request<Config>& request, const plan::BatchShape& batch,
                 std::int64_t rounds) {
  auto config = request.config;
  without_cache(config);
  train::set_precision(config.train.precision);
  const auto device = train::choose_device(
      request.hardware.cuda ? config::Device::kCuda : config::Device::kCpu, cuda_library_problem());
  const RandomShape shape{.clips = batch.clips,
                          .frames = batch.frames,
                          .labels = std::max<std::int64_t>(batch.labels, 1),
                          .batches = std::min<std::int64_t>(config.train.accumulate, 2)};
  Measured result;
  const train::TensorMemory tensors;
  auto steps = random_steps(config, device, shape, request.data);
  steps.step();
  std::vector<double> speeds;
  for (std::int64_t i = 0; i < rounds; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const auto frames = static_cast<double>(steps.step());
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
    speeds.push_back(frames / std::max(time.count(), 1e-9));
  }
  std::sort(speeds.begin(), speeds.end());
  result.frames_per_s = speeds[speeds.size() / 2];
  const auto use = train::memory_use(device);
  const auto estimate =
      plan::memory_for(config, request.data, request.hardware, plan::Batches::kOneRandom);
  result.estimated_tensors = estimate.tensors() + estimate.loader;
  if (device.is_cuda()) {
    result.peak_bytes = result.peak_tensors = static_cast<double>(use.peak_device);
    result.estimated_bytes = estimate.tensors();
  } else {
    result.peak_bytes = static_cast<double>(use.peak_resident);
    result.peak_tensors = static_cast<double>(tensors.peak());
    result.estimated_bytes = estimate.total();
  }
  return result;
}

// ---- what is told

std::optional<double> hours_of(const plan::Plan& plan, const std::optional<double>& frames_per_s) {
  if (!plan.length.frames || !frames_per_s) return std::nullopt;
  return *plan.length.frames / *frames_per_s / 3600;
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
          {"heap", std::llround(memory.heap)},
          {"program", std::llround(memory.program)},
          {"tensors", std::llround(memory.tensors())},
          {"total", std::llround(memory.total())},
          {"peak", memory.peak}};
}

template <class Config>
Json to_json(const Request<Config>& request, const plan::Plan& plan,
             const std::vector<plan::Setting>& settings, const std::optional<Measured>& measured) {
  const auto& hardware = request.hardware;
  Json json = {{"command", request.stage},
               {"device", hardware.device},
               {"cuda", hardware.cuda},
               {"precision", config::enum_name(request.config.train.precision)},
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
  const double frames_of_step =
      plan.batch.rows() * static_cast<double>(request.config.train.accumulate);
  const auto& flops = plan.flops_per_frame;
  json["flops"] = {{"counted", kCounted},
                   {"forward_per_frame", flops.forward},
                   {"backward_per_frame", flops.backward},
                   {"forward_per_step", flops.forward * frames_of_step},
                   {"backward_per_step", flops.backward * frames_of_step}};
  json["memory_bytes"] = memory_json(plan.memory);
  if (hardware.cuda) json["note"] = kGpuNote;
  Json fitting = Json::array();
  for (const auto& setting : settings) {
    fitting.push_back({{"overrides", setting.overrides},
                       {"remark", setting.remark},
                       {"total", std::llround(setting.bytes)}});
  }
  json["settings_that_fit"] = std::move(fitting);
  json["data"] = {{"source", request.data_source},
                  {"frames", request.data.frames > 0 ? Json(request.data.frames) : Json(nullptr)},
                  {"longest", request.data.longest},
                  {"units", request.data.num_units}};
  json["steps"] = or_null(plan.length.steps);
  json["batches_per_epoch"] = or_null(plan.length.batches_per_epoch);
  json["steps_exact"] = plan.length.exact;
  json["frames"] = or_null(plan.length.frames);
  json["frames_per_s"] = or_null(request.frames_per_s);
  json["hours"] = or_null(hours_of(plan, request.frames_per_s));
  json["storage_bytes"] = {
      {"checkpoint", std::llround(plan.storage.checkpoint)},
      {"checkpoints", plan.storage.checkpoints},
      {"checkpoints_peak", std::llround(plan.storage.checkpoints_peak)},
      {"exports", std::llround(plan.storage.exports)},
      {"metrics", plan.storage.metrics ? Json(std::llround(*plan.storage.metrics)) : Json()},
      {"data", request.shard_bytes ? Json(std::llround(*request.shard_bytes)) : Json()}};
  if (measured) {
    json["measured"] = {{"frames_per_s", measured->frames_per_s},
                        {"peak_bytes", std::llround(measured->peak_bytes)},
                        {"peak_tensor_bytes", std::llround(measured->peak_tensors)},
                        {"estimated_bytes", std::llround(measured->estimated_bytes)},
                        {"estimated_tensor_bytes", std::llround(measured->estimated_tensors)},
                        {"error", measured->estimated_bytes / measured->peak_bytes - 1}};
    if (const auto peak = train::peak_flops(hardware.device, request.config.train.precision);
        peak && hardware.cuda)
      json["measured"]["mfu"] = measured->frames_per_s * flops.total() / *peak;
  }
  json["config"] = train::flatten(request.config);
  return json;
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

std::string memory_table(const plan::Memory& memory, const plan::Hardware& hardware) {
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
  line("heap between blocks", memory.heap);
  line(hardware.cuda ? "CUDA's own (not measured)" : "program and LibTorch", memory.program);
  const double share = memory.total() / hardware.capacity();
  out += fmt::format("  {:32} {:>16}  of {}: {}\n", "all", memory_text(memory.total()),
                     memory_text(hardware.capacity()),
                     share > 1        ? "does not fit"
                     : share > kClose ? "fits, but closely; the estimate may be off by a tenth"
                                      : "fits");
  if (hardware.cuda) out += fmt::format("  ({})\n", kGpuNote);
  return out;
}

template <class Config>
std::string length_text(const Request<Config>& request, const plan::Plan& plan) {
  const auto& length = plan.length;
  std::string out = fmt::format("data: {}", request.data_source);
  if (request.data.frames > 0) {
    out += fmt::format(", {:.2f} hours",
                       request.data.frames / 3600 / static_cast<double>(media::kFrameRateHz));
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
    out += fmt::format(" of {} batches; {} batches an epoch{}", request.config.train.accumulate,
                       grouped(*length.batches_per_epoch), length.exact ? "" : " if all are full");
  }
  out += "\n";
  if (const auto hours = hours_of(plan, request.frames_per_s)) {
    out += fmt::format("hours: {:.3g} at {:.5g} frames/s, {}{}\n", *hours, *request.frames_per_s,
                       request.speed_source,
                       length.batches_per_epoch ? "" : "; every batch taken to be full");
  } else if (length.frames) {
    out += "hours: not known without a speed; give --frames-per-s or --measure\n";
  }
  return out;
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

template <class Config>
std::string to_text(const Request<Config>& request, const plan::Plan& plan) {
  const auto& flops = plan.flops_per_frame;
  const double frames = plan.batch.rows() * static_cast<double>(request.config.train.accumulate);
  std::string out = fmt::format(
      "{}, {}, {}\nlargest batch: {} clips of {} frames{}\n", request.stage,
      request.hardware.device, config::enum_name(request.config.train.precision), plan.batch.clips,
      plan.batch.frames, request.data.sizes.empty() ? " (--utterance-length, assumed)" : "");
  out += parameters_text(plan.networks);
  out += fmt::format(
      "operations ({})\n  forward  {} a frame, {} a step\n  backward {} a frame, {} a step\n",
      kCounted, flops_text(flops.forward), flops_text(flops.forward * frames),
      flops_text(flops.backward), flops_text(flops.backward * frames));
  return out;
}

template <class Config>
ExitCode run(const Arguments& arguments, const std::string& stage) {
  auto request = request_of<Config>(arguments, stage);
  train::set_threads(request.config.threads);
  const auto plan = plan::make_plan(request.config, request.data, request.hardware);
  const bool fits = plan.memory.total() <= request.hardware.capacity();
  std::vector<plan::Setting> settings;
  if (!fits) settings = plan::settings_that_fit(request.config, request.data, request.hardware);
  std::optional<Measured> measured;
  if (arguments.flag("--measure") && fits) {
    measured = measure(request, plan.batch, arguments.integer("--steps"));
    if (!request.frames_per_s) {
      request.frames_per_s = measured->frames_per_s;
      request.speed_source = "measured";
    }
  }
  if (arguments.flag("--json")) {
    fmt::print("{}\n", to_json(request, plan, settings, measured)
                           .dump(-1, ' ', false, Json::error_handler_t::replace));
    return fits ? ExitCode::kDone : ExitCode::kFailed;
  }
  auto text = to_text(request, plan) + memory_table(plan.memory, request.hardware);
  if (!fits) text += settings_text(plan, request.hardware, settings);
  if (measured) text += measured_text(*measured, request.hardware);
  text += length_text(request, plan) +
          storage_text(plan.storage, request.shard_bytes, request.data.frames);
  fmt::print("{}", text);
  return fits ? ExitCode::kDone : ExitCode::kFailed;
}

ExitCode plan_command(const Arguments& arguments) {
  auto stage = arguments.text("--stage");
  if (stage == "auto")
    stage = config::stage_of(arguments.config_file(), arguments.overrides()).name;
  if (stage == "finetune") return run<FinetuneConfig>(arguments, stage);
  return run<PretrainConfig>(arguments, "pretrain");
}

Option number_option(const std::string& name, const std::string& value, const std::string& meaning,
                     const config::Range& range, const std::string& default_value = "") {
  return {.name = name,
          .value = value,
          .meaning = meaning,
          .kind = ValueKind::kNumber,
          .default_value = default_value,
          .range = range};
}

Option integer_option(const std::string& name, const std::string& meaning, double least,
                      const std::string& default_value) {
  return {.name = name,
          .value = "N",
          .meaning = meaning,
          .kind = ValueKind::kInteger,
          .default_value = default_value,
          .range = config::between(least, 1e9)};
}

std::vector<std::string> training_keys() {
  auto keys = keys_of<PretrainConfig>();
  for (auto& key : keys_of<FinetuneConfig>()) {
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(std::move(key));
  }
  return keys;
}

}  // namespace

Command make_plan_command() {
  return {
      .name = "plan",
      .summary = "tells what a training configuration needs before it runs, and whether it fits",
      .description = kDescription,
      .options = {{.name = "--json", .value = "", .meaning = "print one JSON object"},
                  {.name = "--stage",
                   .value = "STAGE",
                   .meaning = "the command that the configuration is for; auto: told by its keys",
                   .default_value = "auto",
                   .choices = {"auto", "pretrain", "finetune"}},
                  {.name = "--device",
                   .value = "NAME",
                   .meaning = "as device=NAME",
                   .choices = {"cpu", "cuda"}},
                  {.name = "--memory",
                   .value = "SIZE",
                   .meaning =
                       "memory of the machine, as in 24GiB, for device=cpu; else this machine's"},
                  {.name = "--device-memory",
                   .value = "SIZE",
                   .meaning = "memory of the GPU, as in 80GiB; else this machine's first"},
                  number_option("--hours", "H", "data in all, instead of data.manifest",
                                config::above_up_to(0, 1e9)),
                  number_option("--data-frames", "N", "the same in video frames",
                                config::above_up_to(0, 1e15)),
                  integer_option("--utterance-length",
                                 "frames of utterances where no manifest is read", 1, "150"),
                  number_option("--units-per-s", "R",
                                "labels of a second of speech, for fine-tuning",
                                config::above_up_to(0, 100), "5"),
                  integer_option("--vocabulary", "units, where text.model is not there", 4, "1049"),
                  number_option("--frames-per-s", "N", "speed of training, for the hours",
                                config::above_up_to(0, 1e12)),
                  {.name = "--measure",
                   .value = "",
                   .meaning = "make steps on random clips: speed, and memory beside the estimate"},
                  integer_option("--steps", "steps that --measure times, after one more", 1, "3")},
      .config_keys = training_keys(),
      .examples = {{"plan --config lrs3.yaml --hours 433 --device cuda --device-memory 80GiB "
                    "--frames-per-s 17000 train.accumulate=32",
                    "RAVEn Base on one GPU: does it fit, and how long does it take?"},
                   {"plan --config quickstart.yaml --measure",
                    "the quickstart on this machine, with a few real steps"}},
      .run = plan_command};
}

}  // namespace raven::cli

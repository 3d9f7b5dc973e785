// `raven plan`
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "cli/commands.h"
#include "cli/cuda_library.h"
#include "cli/plan_text.h"
#include "cli/print.h"
#include "cli/random_steps.h"
#include "raven/config/lm_config.h"
#include "raven/config/load.h"
#include "raven/config/stages.h"
#include "raven/core/error.h"
#include "raven/data/labels.h"
#include "raven/data/loader.h"
#include "raven/media/media.h"
#include "raven/nn/device.h"
#include "raven/plan/plan.h"
#include "raven/plan/tensor_memory.h"
#include "raven/text/tokenizer.h"
#include "raven/train/init_input.h"
#include "raven/train/stage_data.h"

namespace raven::cli {
namespace {

namespace fs = std::filesystem;
using config::FinetuneConfig;
using config::PretrainConfig;

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

constexpr const char* kNoManifest = "(none)";

template <class Config>
struct Request : PlanFacts {
  Config config;
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

void read_vocabulary(const PretrainConfig& config, data::Manifest& manifest, plan::Data& data) {
  manifest = train::with_repeats(std::move(manifest), config.data);
  if (!config.monitor.recognition.enabled) return;
  if (const auto tokenizer = tokenizer_of(config.monitor.recognition.text))
    data.num_units = tokenizer->units().size();
}

/// Units from the tokenizer and labels from the manifest, where their files are there.
void read_vocabulary(const FinetuneConfig& config, data::Manifest& manifest, plan::Data& data) {
  manifest = train::with_repeats(std::move(manifest), config.data);
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

std::vector<std::string> lists_of(const config::DataConfig& data) { return data.manifest; }
std::vector<std::string> lists_of(const config::LabelledDataConfig& data) {
  auto lists = data.manifest;
  lists.insert(lists.end(), data.pseudo_manifest.begin(), data.pseudo_manifest.end());
  return lists;
}

template <class Config>
void read_data(const Arguments& arguments, Request<Config>& request) {
  const auto& config = request.config;
  if (arguments.given("--hours") && arguments.given("--data-frames"))
    throw ConfigError("--hours and --data-frames both say how much data there is; give one");
  const bool told = arguments.given("--hours") || arguments.given("--data-frames");
  const auto missing = first_missing(lists_of(config.data));
  data::Manifest manifest;
  auto& data = request.data;
  if (!told && missing.empty()) manifest = train::training_data(config.data);
  read_vocabulary(config, manifest, data);
  train::require_input(config, manifest);
  if (!manifest.utterances.empty()) {
    std::vector<std::int64_t> sizes;
    for (const auto& utterance : manifest.utterances) sizes.push_back(utterance.frames);
    auto known = plan::Data::of_sizes(std::move(sizes));
    known.pixel_bytes = static_cast<double>(torch::elementSize(data::pixel_type(manifest)));
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
  hardware.ranks = std::max<std::int64_t>(config.ranks, 1);
  const bool told = arguments.given("--device-memory");
  if (told)
    hardware.device_memory =
        plan::parse_device_memory(arguments.text("--device-memory"), "--device-memory");
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
  hardware.device = present ? nn::device_name({torch::kCUDA, 0}) : "a GPU";
  if (!told) hardware.device_memory = plan::gpu_memory();
  return hardware;
}

/// As given; else those of GPUs, and none on CPUs.
std::vector<plan::Link> links_of(const Arguments& arguments, const plan::Hardware& hardware) {
  if (arguments.given("--link")) {
    constexpr double kMicro = 1e-6;
    return {plan::link_of(arguments.number("--link"), kMicro * arguments.number("--link-latency"))};
  }
  return hardware.cuda ? plan::stated_links() : std::vector<plan::Link>();
}

template <class Config>
Request<Config> request_of(const Arguments& arguments, const std::string& stage) {
  auto overrides = arguments.overrides();
  if (arguments.given("--device")) overrides.push_back("device=" + arguments.text("--device"));
  if (arguments.given("--ranks")) overrides.push_back("ranks=" + arguments.text("--ranks"));
  Request<Config> request;
  request.stage = stage;
  const std::vector<std::string> defaults = {"run.dir=runs/plan",
                                             std::string("data.manifest=") + kNoManifest};
  if constexpr (std::is_same_v<Config, FinetuneConfig>) {
    request.config = train::load_finetune(arguments.config_file(), overrides, defaults).config;
  } else {
    request.config = train::load_pretrain(arguments.config_file(), overrides, defaults).config;
  }
  request.data.labels_per_frame = arguments.number("--units-per-s") / media::kFrameRateHz;
  request.data.num_units = arguments.integer("--vocabulary");
  read_data(arguments, request);
  request.hardware = hardware_for(request.config, arguments);
  request.links = links_of(arguments, request.hardware);
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
  nn::set_precision(config.train.precision);
  const auto device = nn::choose_device(
      request.hardware.cuda ? config::Device::kCuda : config::Device::kCpu, cuda_library_problem());
  const RandomShape shape{.clips = batch.clips,
                          .frames = batch.frames,
                          .labels = std::max<std::int64_t>(batch.labels, 1),
                          .batches = std::min<std::int64_t>(config.train.accumulate, 2)};
  Measured result;
  const plan::TensorMemory tensors;
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
  const auto use = nn::memory_use(device);
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

template <class Config>
ExitCode run(const Arguments& arguments, const std::string& stage) {
  auto request = request_of<Config>(arguments, stage);
  nn::set_threads(request.config.threads);
  request.config_values = config::flatten(request.config);
  request.precision = request.config.train.precision;
  request.accumulate = request.config.train.accumulate;
  const auto shards = request.config_values.find("distributed.shard_optimizer");
  request.hardware.shards_optimizer =
      shards != request.config_values.end() && shards->second == "true";
  request.needs = plan::make_plan(request.config, request.data, request.hardware);
  request.exchange = plan::exchange_of(request.needs.networks, request.config.train.batch_norm);
  const bool fits = request.fits();
  if (!fits) {
    request.settings = plan::settings_that_fit(request.config, request.data, request.hardware);
  }
  if (arguments.flag("--measure") && fits) {
    request.measured = measure(request, request.needs.batch, arguments.integer("--steps"));
    if (!request.frames_per_s) {
      request.frames_per_s = request.measured->frames_per_s;
      request.speed_source = "measured";
    }
  }
  if (arguments.flag("--json")) {
    const auto replace = nlohmann::ordered_json::error_handler_t::replace;
    print(plan_json(request).dump(-1, ' ', false, replace) + "\n");
  } else {
    print(plan_text(request));
  }
  return fits ? ExitCode::kDone : ExitCode::kFailed;
}

ExitCode plan_command(const Arguments& arguments) {
  auto stage = arguments.text("--stage");
  if (stage == "auto")
    stage = config::stage_of(arguments.config_file(), arguments.overrides()).name;
  if (stage == config::LmConfig::kStage) {
    throw ConfigError(
        "this is a configuration of `raven lm`, whose size needs no plan yet; give one of pretrain "
        "or finetune, or --stage where its keys mislead");
  }
  if (stage == FinetuneConfig::kStage) return run<FinetuneConfig>(arguments, stage);
  return run<PretrainConfig>(arguments, PretrainConfig::kStage);
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
      .options =
          {{.name = "--json", .value = "", .meaning = "print one JSON object"},
           {.name = "--stage",
            .value = "STAGE",
            .meaning = "the command that the configuration is for; auto: told by its keys",
            .default_value = "auto",
            .choices = {"auto", PretrainConfig::kStage, FinetuneConfig::kStage}},
           {.name = "--device",
            .value = "NAME",
            .meaning = "as device=NAME",
            .choices = {"cpu", "cuda"}},
           integer_option("--ranks",
                          "as ranks=N: on CPUs they share the machine's memory, else "
                          "each has a GPU",
                          1, ""),
           number_option("--link", "GBIT",
                         "speed between ranks in Gbit/s; else, of GPUs, those of docs/scaling.md",
                         config::above_up_to(0, 1e6)),
           number_option("--link-latency", "US", "microseconds that a sum of few numbers takes",
                         config::above_up_to(0, 1e9), "50"),
           {.name = "--memory",
            .value = "SIZE",
            .meaning = "memory of the machine, as in 24GiB, for device=cpu; else this machine's"},
           {.name = "--device-memory",
            .value = "SIZE",
            .meaning = "memory of the GPU, as in 80GiB, or its kind (" + plan::gpu_kinds() +
                       "); else this machine's first"},
           number_option("--hours", "H", "data in all, instead of data.manifest",
                         config::above_up_to(0, 1e9)),
           number_option("--data-frames", "N", "the same in video frames",
                         config::above_up_to(0, 1e15)),
           integer_option("--utterance-length", "frames of utterances where no manifest is read", 1,
                          "150"),
           number_option("--units-per-s", "R", "labels of a second of speech, for fine-tuning",
                         config::above_up_to(0, 100), "5"),
           integer_option("--vocabulary", "units, where text.model is not there", 4, "1049"),
           number_option(
               "--frames-per-s", "N",
               "speed of training, for the hours: the networks' alone, as --measure or `raven "
               "bench step` finds it",
               config::above_up_to(0, 1e12)),
           {.name = "--measure",
            .value = "",
            .meaning = "make steps on random clips: speed, and memory beside the estimate"},
           integer_option("--steps", "steps that --measure times, after one more", 1, "3")},
      .config_keys = training_keys(),
      .examples = {{"plan --config lrs3.yaml --hours 433 --device cuda --device-memory 80GiB "
                    "--frames-per-s 17000 train.accumulate=32",
                    "RAVEn Base on one GPU: does it fit, and how long does it take?"},
                   {"plan --config lrs3.yaml --ranks 32 --device cuda --device-memory H100 --hours "
                    "433 --frames-per-s 24000 train.accumulate=32",
                    "on 32 GPUs: memory of each, bytes they sum, what of their speed is left"},
                   {"plan --config quickstart.yaml --measure",
                    "the quickstart on this machine, with a few real steps"}},
      .run = plan_command};
}

}  // namespace raven::cli

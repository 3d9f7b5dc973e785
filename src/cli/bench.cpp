// `raven bench`
#include <ctime>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/commands.h"
#include "cli/cuda_library.h"
#include "cli/print.h"
#include "cli/random_steps.h"
#include "raven/artifacts/run_folder.h"
#include "raven/config/finetune_config.h"
#include "raven/config/lm_config.h"
#include "raven/config/load.h"
#include "raven/config/pretrain_config.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/data/loader.h"
#include "raven/data/manifest.h"
#include "raven/data/media_roots.h"
#include "raven/data/modality.h"
#include "raven/decode/decode.h"
#include "raven/evaluation/language_model_file.h"
#include "raven/media/media.h"
#include "raven/models/batch_input.h"
#include "raven/models/encoder.h"
#include "raven/nn/device.h"
#include "raven/nn/linear.h"
#include "raven/plan/flops.h"
#include "raven/plan/trace.h"
#include "raven/train/pretrain_task.h"

namespace raven::cli {
namespace {

using config::FinetuneConfig;
using config::PretrainConfig;

/// With which the random labels of `bench finetune` are drawn, as many as published.
constexpr std::int64_t kUnits = 1049;

constexpr const char* kDescription =
    "step: a pre-training step on a random batch, with targets, forward, backward, clipping, both "
    "optimisers and the teachers' update. finetune: a fine-tuning step on a random batch with half "
    "as many labels as frames; its --config is one of fine-tuning. lm: a training step of a "
    "language model on random sentences; its --config is one of raven lm, --frames are the units "
    "of the batch, --utterance-length those of a sentence, and frames_per_s is units. encode: one "
    "student encoder, inference only, on a random "
    "batch. loader: batches of a manifest through the data pipeline, without networks. decode: the "
    "search alone, over random encoder outputs, with random weights that do not end a sentence "
    "early, so that it yields about as many units as frames.\n"
    "After --warmup rounds, --steps rounds are timed one by one, each ended by waiting for the "
    "device. frames_per_s is the median in video frames (25 are a second of speech), spread is "
    "(largest - smallest) / median; the loader's frames_per_s_total is over all rounds. With a GPU "
    "in the table of peaks, mfu is the share of its peak.";

struct Timing {
  std::vector<double> seconds, cpu_seconds;  // per round
  std::vector<double> frames;                // per round
  nn::MemoryUse memory;                      // after them
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

/// `round` does one round's work, finished when it returns, and gives its number of frames. With
/// --trace one more is done after those that are timed.
Timing time_rounds(const Arguments& arguments, const torch::Device& device,
                   const std::function<double()>& round) {
  const auto warmup = arguments.integer("--warmup"), rounds = arguments.integer("--steps");
  Timing timing;
  for (std::int64_t i = 0; i < warmup + rounds; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const auto cpu_begin = std::clock();
    const double frames = round();
    const auto end = std::chrono::steady_clock::now();
    if (i < warmup) continue;
    timing.seconds.push_back(std::chrono::duration<double>(end - begin).count());
    timing.cpu_seconds.push_back(static_cast<double>(std::clock() - cpu_begin) / CLOCKS_PER_SEC);
    timing.frames.push_back(frames);
  }
  timing.memory = nn::memory_use(device);
  if (arguments.given("--trace")) {
    plan::write_trace(arguments.text("--trace"), device, [&] { round(); });
  }
  return timing;
}

nlohmann::ordered_json summary(const Timing& timing) {
  std::vector<double> speeds;
  for (std::size_t i = 0; i < timing.seconds.size(); ++i) {
    speeds.push_back(timing.frames[i] / std::max(timing.seconds[i], 1e-9));
  }
  const auto [least, most] = std::minmax_element(speeds.begin(), speeds.end());
  return {{"frames_per_s", median(speeds)},
          {"spread", (*most - *least) / median(speeds)},
          {"median_s", median(timing.seconds)},
          {"best_s", *std::min_element(timing.seconds.begin(), timing.seconds.end())},
          {"cpu_s", median(timing.cpu_seconds)},
          {"rounds", timing.seconds.size()}};
}

/// `frames` frames in utterances of `length`, one utterance at least, with a label for each two
/// frames.
RandomShape shape_of(const Arguments& arguments) {
  const auto length = arguments.integer("--utterance-length");
  return {.clips = std::max<std::int64_t>(arguments.integer("--frames") / length, 1),
          .frames = length,
          .labels = std::max<std::int64_t>(length / 2, 1)};
}

void add_device(nlohmann::ordered_json& result, const torch::Device& device,
                const nn::MemoryUse& memory, double flops_per_frame, config::Precision precision) {
  const auto name = nn::device_name(device);
  result["peak_rss_bytes"] = memory.peak_resident;
  result["device"] = name;
  result["threads"] = torch::get_num_threads();
  if (flops_per_frame <= 0) return;
  const double speed = result["frames_per_s"].get<double>() * flops_per_frame;
  result["flops_per_frame"] = flops_per_frame;
  result["flops_per_s"] = speed;
  if (!device.is_cuda()) return;
  result["peak_device_bytes"] = memory.peak_device;
  if (const auto peak = plan::peak_flops(name, precision)) result["mfu"] = speed / *peak;
}

Timing time_steps(RandomSteps& steps, const Arguments& arguments, const torch::Device& device) {
  return time_rounds(arguments, device, [&] { return static_cast<double>(steps.step()); });
}

nlohmann::ordered_json bench_step(const PretrainConfig& config, const Arguments& arguments) {
  const auto device = nn::choose_device(config.device, cuda_library_problem());
  const auto shape = shape_of(arguments);
  RandomSteps steps(config, device, shape);
  const auto timing = time_steps(steps, arguments, device);
  auto result = summary(timing);
  add_device(result, device, timing.memory,
             plan::pretrain_flops(config, shape.frames, shape.clips).total(),
             config.train.precision);
  return result;
}

nlohmann::ordered_json bench_finetune(const FinetuneConfig& config, const Arguments& arguments) {
  const auto device = nn::choose_device(config.device, cuda_library_problem());
  const auto shape = shape_of(arguments);
  auto uncached = config;  // as the steps are
  uncached.model.cached_views = 0;
  RandomSteps steps(uncached, device, shape, kUnits);
  const auto timing = time_steps(steps, arguments, device);
  auto result = summary(timing);
  const auto flops = plan::finetune_flops(
      uncached,
      {.frames = shape.frames, .clips = shape.clips, .labels = shape.labels, .units = kUnits});
  add_device(result, device, timing.memory, flops.total(), config.train.precision);
  result["modality"] = config::enum_name(config.model.modality);
  return result;
}

nlohmann::ordered_json bench_lm(const config::LmConfig& config, const Arguments& arguments) {
  const auto device = nn::choose_device(config.device, cuda_library_problem());
  RandomSteps steps(config, device, shape_of(arguments), kUnits);
  const auto timing = time_steps(steps, arguments, device);
  auto result = summary(timing);
  add_device(result, device, timing.memory, 0, config.train.precision);
  return result;
}

nlohmann::ordered_json bench_encode(const PretrainConfig& config, const Arguments& arguments) {
  const auto device = nn::choose_device(config.device, cuda_library_problem());
  using enum config::Modality;
  const auto modality = arguments.text("--modality") == "video" ? kVideo : kAudio;
  const auto length = arguments.integer("--utterance-length");
  models::Encoder encoder(modality, config.model.encoder_of(modality),
                          config.model.frontend_of(modality));
  encoder->to(device);
  encoder->eval();
  const auto batch = random_batch(config.data, shape_of(arguments));
  const auto input = models::pretrain_input(batch.to(device));
  const auto timing = time_rounds(arguments, device, [&] {
    const c10::InferenceMode inference;
    const nn::Autocast autocast(device, config.train.precision);
    encoder->forward(modality == kVideo ? input.video : input.audio, input.valid);
    nn::synchronise(device);
    return static_cast<double>(batch.num_frames());
  });
  auto result = summary(timing);
  const auto flops = plan::frame_flops(config, length, batch.video.size(0));
  add_device(result, device, timing.memory, flops.encoder(modality), config.train.precision);
  result["modality"] = config::modality_name(modality);
  return result;
}

nlohmann::ordered_json bench_loader(const PretrainConfig& config, const Arguments& arguments) {
  const auto file =
      arguments.given("--manifest") ? arguments.text("--manifest") : config.data.manifest.front();
  if (file == config::kRequired) {
    throw ConfigError("bench loader needs data: give --manifest FILE or data.manifest=FILE");
  }
  const auto device = nn::choose_device(config.device, cuda_library_problem());
  auto loading = data::training_options(config.data, config.run.seed);
  loading.pin_memory = device.is_cuda();
  loading.mask = config.mask;
  const auto manifest = data::read_manifest(file, data::media_roots(config.data));
  data::require_modalities(manifest, {.video = true, .audio = true}, "raven bench loader");
  data::Loader loader(manifest, loading);
  const auto timing = time_rounds(arguments, device, [&] {
    const auto batch = loader.next()->to(device);
    nn::synchronise(device);
    return static_cast<double>(batch.ids.empty() ? 0 : batch.num_frames());
  });
  auto result = summary(timing);
  // Batches differ in size and come in bursts, so the total is steadier than single batches.
  double frames = 0, seconds = 0;
  for (std::size_t i = 0; i < timing.frames.size(); ++i) {
    frames += timing.frames[i];
    seconds += timing.seconds[i];
  }
  result["frames_per_s_total"] = frames / std::max(seconds, 1e-9);
  result["workers"] = loading.workers;
  add_device(result, device, timing.memory, 0, config.train.precision);
  return result;
}

/// As published, with a decoder of the encoder's own size: 6 blocks with 12 in the encoder (Base),
/// 9 with 24 (Large). Random weights; the end of a sentence is hardly ever worth saying.
models::Recognizer random_recognizer(const PretrainConfig& config, const torch::Device& device) {
  torch::manual_seed(0);
  const auto encoder = config.model.encoder_of(models::Modality::kVideo);
  models::Recognizer recognizer(models::RecognizerOptions{
      .modality = models::Modality::kVideo,
      .encoder = encoder,
      .frontend = config.model.video_frontend,
      .decoder = {.dim = encoder.dim,
                  .heads = encoder.heads,
                  .ffn_dim = encoder.ffn_dim,
                  .blocks = std::max<std::int64_t>(6, encoder.blocks * 3 / 8)}});
  const torch::NoGradGuard no_grad;
  recognizer->decoder->named_parameters()["output_layer.bias"][recognizer->end_unit()] -= 30;
  recognizer->to(device);
  recognizer->eval();
  return recognizer;
}

nlohmann::ordered_json bench_decode(const PretrainConfig& config, const Arguments& arguments) {
  const auto device = nn::choose_device(config.device, cuda_library_problem());
  auto recognizer = random_recognizer(config, device);
  const auto length = arguments.integer("--utterance-length");
  const auto utterances = std::max<std::int64_t>(arguments.integer("--frames") / length, 1);
  config::DecodeConfig decoding;
  decoding.beam_size = arguments.integer("--beam-size");
  decoding.ctc_weight = arguments.number("--ctc-weight");
  const decode::Encoded encoded{
      .frames =
          torch::randn({utterances, length, config.model.encoder_of(models::Modality::kVideo).dim})
              .to(device),
      .valid = {},
      .ids = std::vector<std::string>(static_cast<std::size_t>(utterances), "random")};
  const nn::PackedWeights packed(*recognizer->decoder);  // as `raven evaluate` does
  decode::SearchLanguageModel language_model;
  evaluation::LoadedLanguageModel loaded;
  std::optional<nn::PackedWeights> packed_language_model;
  if (arguments.given("--lm-weight") && !arguments.given("--lm"))
    throw ConfigError("--lm-weight is given without --lm, the language model that it weighs");
  if (arguments.given("--lm")) {
    loaded = evaluation::load_language_model(arguments.path("--lm"));
    if (loaded.ngram && !arguments.given("--units")) {
      throw ConfigError(
          "--lm is an n-gram model, which scores pieces by their text: give their file, --units");
    }
    if (!loaded.model.is_empty()) {
      loaded.model->to(device);
      packed_language_model.emplace(*loaded.model);
    }
    language_model = loaded.ngram ? loaded.for_search(text::Units::read(arguments.path("--units")))
                                  : decode::SearchLanguageModel(loaded.model);
    decoding.lm_weight = arguments.number("--lm-weight");
  }
  double units = 0;
  const auto timing = time_rounds(arguments, device, [&] {
    const auto hypotheses = decode::decode(recognizer, encoded, decoding, language_model);
    units = 0;
    for (const auto& best : hypotheses) units += static_cast<double>(best.front().units.size());
    return static_cast<double>(utterances * length);
  });
  auto result = summary(timing);
  result["units_per_utterance"] = units / static_cast<double>(utterances);
  result["beam_size"] = decoding.beam_size;
  result["ctc_weight"] = decoding.ctc_weight;
  result["lm_weight"] = decoding.lm_weight;
  add_device(result, device, timing.memory, 0, config.train.precision);
  return result;
}

void print_table(const nlohmann::ordered_json& result) {
  for (const auto& [name, value] : result.items()) {
    if (value.is_object()) continue;
    print(fmt::format("{:20} {}\n", name,
                      value.is_string() ? value.get<std::string>() : value.dump()));
  }
}

/// One measurement with the configuration of its stage, and what to say of it.
template <class Config, class Measure>
nlohmann::ordered_json measured(const Arguments& arguments, const Measure& measure) {
  const auto [config, yaml] =
      config::load<Config>(arguments.config_file(), arguments.overrides(), {.allow_missing = true});
  load_cuda_library(config.device);
  nn::set_threads(arguments.given("--threads") ? arguments.integer("--threads") : config.threads);
  nn::set_precision(config.train.precision);
  nlohmann::ordered_json result = measure(config, arguments);
  result["precision"] = config::enum_name(config.train.precision);
  result["frames"] = arguments.integer("--frames");
  result["utterance_length"] = arguments.integer("--utterance-length");
  result["config"] = config::flatten(config);
  return result;
}

ExitCode bench(const Arguments& arguments) {
  const auto what = arguments.text("WHAT");
  if (arguments.given("--trace")) {
    if (what == "loader") {
      throw ConfigError("--trace shows networks, not the loader's threads; leave it out");
    }
    write_file_atomically(arguments.text("--trace"), "");  // fails before the rounds, not after
  }
  nlohmann::ordered_json result{{"what", what}};
  if (what == "finetune") {
    result.update(measured<FinetuneConfig>(arguments, bench_finetune));
  } else if (what == "lm") {
    result.update(measured<config::LmConfig>(arguments, bench_lm));
  } else {
    result.update(measured<PretrainConfig>(arguments, what == "loader"   ? bench_loader
                                                      : what == "encode" ? bench_encode
                                                      : what == "decode" ? bench_decode
                                                                         : bench_step));
  }
  if (arguments.flag("--json")) {
    print(result.dump() + "\n");
  } else {
    print_table(result);
  }
  return ExitCode::kDone;
}

Option count_option(const std::string& name, const std::string& meaning, const std::string& value) {
  return {.name = name,
          .value = "N",
          .meaning = meaning,
          .kind = ValueKind::kInteger,
          .default_value = value,
          .range = config::at_least(name == "--warmup" ? 0 : 1)};
}

}  // namespace

Command make_bench_command() {
  return {
      .name = "bench",
      .summary = "measures the speed of the loader, a training step, an encoder or the search",
      .description = kDescription,
      .positionals = {{.name = "WHAT",
                       .meaning = "loader, step, finetune, lm, encode or decode",
                       .kind = ValueKind::kText,
                       .choices = {"loader", "step", "finetune", "lm", "encode", "decode"}}},
      .options = {{.name = "--json", .value = "", .meaning = "print one JSON object"},
                  count_option("--frames", "video frames of the random batch", "100"),
                  count_option("--utterance-length", "frames of each utterance in it", "50"),
                  count_option("--warmup", "rounds before timing", "2"),
                  count_option("--steps", "rounds timed", "5"),
                  count_option("--threads", "CPU threads of the networks", ""),
                  {.name = "--modality",
                   .value = "NAME",
                   .meaning = "for encode",
                   .default_value = "video",
                   .choices = {"video", "audio"}},
                  {.name = "--beam-size",
                   .value = "N",
                   .meaning = "for decode",
                   .kind = ValueKind::kInteger,
                   .default_value = "40",
                   .range = config::at_least(1)},
                  {.name = "--ctc-weight",
                   .value = "W",
                   .meaning = "for decode",
                   .kind = ValueKind::kNumber,
                   .default_value = "0.1",
                   .range = config::between(0, 1)},
                  {.name = "--lm",
                   .value = "FILE",
                   .meaning =
                       "for decode: with this language model of 1,049 units, or n-gram model",
                   .kind = ValueKind::kFile},
                  {.name = "--units",
                   .value = "FILE",
                   .meaning = "for decode, with an n-gram model: the units file of 1,049 units",
                   .kind = ValueKind::kFile},
                  {.name = "--lm-weight",
                   .value = "W",
                   .meaning = "for decode, with --lm",
                   .kind = ValueKind::kNumber,
                   .default_value = "0.3",
                   .range = config::at_least(0)},
                  {.name = "--manifest",
                   .value = "FILE",
                   .meaning = "for loader; else data.manifest",
                   .kind = ValueKind::kFile},
                  {.name = "--trace",
                   .value = "FILE",
                   .meaning = "write what one more round spends its time on, operator by "
                              "operator, as a Chrome trace (for ui.perfetto.dev); not for loader",
                   .kind = ValueKind::kFile}},
      .config_keys = keys_of<PretrainConfig>(),
      .examples = {{"bench step --config lrs3.yaml --json device=cpu",
                    "a RAVEn Base step on this machine's CPU"},
                   {"bench loader --manifest data/lrs3/manifest.tsv --steps 50 data.workers=8",
                    "how fast eight workers read and decode"},
                   {"bench decode --frames 60 --utterance-length 60 --threads 1",
                    "the search of one utterance, on one core, with a Base decoder"}},
      .run = bench};
}

}  // namespace raven::cli

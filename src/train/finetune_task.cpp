#include "raven/train/finetune_task.h"

#include <algorithm>
#include <cmath>

#include "raven/artifacts/checkpoint.h"
#include "raven/artifacts/recognizer_source.h"
#include "raven/artifacts/run_files.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/log.h"
#include "raven/core/random.h"
#include "raven/decode/decode.h"
#include "raven/media/media.h"
#include "raven/models/batch_input.h"
#include "raven/nn/device.h"
#include "raven/nn/lengths.h"
#include "raven/nn/linear.h"
#include "raven/nn/state_dict.h"
#include "raven/report/metric_names.h"
#include "raven/weights/model_settings.h"
#include "raven/weights/safetensors.h"
#include "train/held_out_sums.h"
#include "train/recognizer_mean.h"

namespace raven::train {
namespace {

namespace fs = std::filesystem;
using config::FinetuneConfig;
using config::FrozenPart;

using report::metric;

// What sums are divided by.
constexpr const char* kUtterances = "utterances";
constexpr const char* kTokens = "tokens";  // units of the transcripts, with their ends

constexpr std::int64_t kStatisticsBatches = 100;  // that a frozen part's statistics come from

/// Frames of a batch, without asking the device.
std::int64_t num_columns(const data::Batch& batch) {
  return *std::max_element(batch.num_frames_of.begin(), batch.num_frames_of.end());
}

/// Adaptive time masking of one modality; the published settings where the configuration is silent.
std::optional<data::LoaderOptions::TimeMask> time_mask(const FinetuneConfig& config) {
  const bool video = config.model.modality == config::Modality::kVideo;
  const double rate = static_cast<double>(video ? media::kFrameRateHz : media::kSampleRateHz);
  const double window_s = config.time_mask.window_s.value_or(video ? 0.4 : 0.6);
  const double stride_s = config.time_mask.stride_s.value_or(video ? 1 : 2);
  const data::LoaderOptions::TimeMask mask{
      .window = static_cast<std::int64_t>(window_s * rate + 1e-6),
      .stride = std::max<std::int64_t>(1, static_cast<std::int64_t>(stride_s * rate + 1e-6))};
  return mask.window > 0 ? std::optional(mask) : std::nullopt;
}

/// With the seed's weights.
models::Recognizer new_recognizer(const FinetuneConfig& config, std::int64_t num_units) {
  torch::manual_seed(mix_seed(
      {static_cast<std::uint64_t>(config.run.seed), static_cast<std::uint64_t>(Draw::kInit)}));
  return models::Recognizer(models::RecognizerOptions{.modality = config.model.modality,
                                                      .encoder = config.model.encoder,
                                                      .frontend = config.frontend(),
                                                      .decoder = config.model.decoder,
                                                      .units = num_units});
}

models::Recognizer started_recognizer(const FinetuneConfig& config, const text::Units& units,
                                      weights::Metadata& origin) {
  std::optional<artifacts::RecognizerStart> start;
  if (!config.model.init.empty()) start = artifacts::open_start(config.model, units);
  auto recognizer = new_recognizer(config, units.size());
  if (!start) return recognizer;
  artifacts::apply_start(*start, config.model, recognizer);
  origin = artifacts::origin_of(*start);
  return recognizer;
}

/// `origin` is set where model.init is read.
models::Recognizer first_recognizer(const FinetuneConfig& config, const text::Units& units,
                                    const std::optional<weights::TensorFile>& resumed,
                                    weights::Metadata& origin) {
  if (!resumed) return started_recognizer(config, units, origin);
  auto recognizer = new_recognizer(config, units.size());
  artifacts::load_strictly(*resumed, nn::state_dict(*recognizer),
                           fmt::format("the newest checkpoint of {}", config.run.dir));
  return recognizer;
}

}  // namespace

models::Recognizer make_recognizer(const FinetuneConfig& config, const text::Units& units) {
  weights::Metadata ignored;
  return started_recognizer(config, units, ignored);
}

std::vector<ParameterGroup> layerwise_groups(models::RecognizerImpl& recognizer,
                                             const FinetuneConfig& config) {
  const auto& optimizer = config.optimizer;
  const auto blocks = config.model.encoder.blocks;
  const auto peak = [&](double lr) { return std::max(lr, optimizer.min_lr); };
  const auto block_lr = [&](std::int64_t i) {
    return peak(optimizer.lr *
                std::pow(optimizer.layer_decay, static_cast<double>(blocks - 1 - i)));
  };
  const auto other_lr = peak(optimizer.other_lr);
  std::vector<ParameterGroup> groups;
  const auto add = [&](const std::string& name, const std::string& prefix, double lr) {
    ParameterGroup group{.name = name, .parameters = {}, .lr = lr};
    for (const auto& item : recognizer.named_parameters()) {
      if (item.key().rfind(prefix, 0) == 0 && item.value().requires_grad())
        group.parameters.emplace_back(item.key(), item.value());
    }
    if (!group.parameters.empty()) groups.push_back(std::move(group));
  };
  add("after_norm", "encoder.after_norm.", peak(optimizer.lr));
  for (auto i = blocks - 1; i >= 0; --i) {
    add(fmt::format("block_{}", i), fmt::format("encoder.encoders.{}.", i), block_lr(i));
  }
  add("embed", "encoder.embed.", block_lr(0));
  add("frontend", "encoder.frontend.", block_lr(0));
  const bool as_encoder = optimizer.ctc_rate == config::CtcRate::kEncoder;
  if (config.loss.ctc_weight > 0) add("ctc", "ctc.", as_encoder ? peak(optimizer.lr) : other_lr);
  if (config.loss.ctc_weight < 1) add("decoder", "decoder.", other_lr);
  return groups;
}

data::LoaderOptions finetune_options(const FinetuneConfig& config) {
  auto options = data::training_options(config.data, config.run.seed);
  options.labels = true;
  const bool video = config.model.modality == config::Modality::kVideo;
  options.read_video = video;
  options.read_audio = !video;
  options.whole_sound = config.data.whole_sound;
  (video ? options.video_time_mask : options.audio_time_mask) = time_mask(config);
  return options;
}

FinetuneTask::FinetuneTask(const FinetuneConfig& config, const torch::Device& device,
                           text::Units units, data::Manifest held_out,
                           const std::optional<weights::TensorFile>& resumed)
    : config_(config),
      device_(device),
      modality_(config.model.modality),
      units_(std::move(units)),
      recognizer_(first_recognizer(config, units_, resumed, origin_)),
      held_out_(std::move(held_out)),
      resumed_(resumed.has_value()) {
  if (auto* part = frozen_module()) {
    for (auto& parameter : part->parameters()) parameter.requires_grad_(false);
  }
  recognizer_->to(device);
  set_training_modes();
}

torch::nn::Module* FinetuneTask::frozen_module() {
  switch (config_.model.frozen) {
    case FrozenPart::kNone:
      return nullptr;
    case FrozenPart::kFrontend:
      return recognizer_->encoder->named_children()["frontend"].get();
    case FrozenPart::kEncoder:
      return recognizer_->encoder.get();
  }
  return nullptr;
}

void FinetuneTask::set_training_modes() {
  recognizer_->train();
  if (auto* part = frozen_module()) part->eval();
}

torch::Tensor FinetuneTask::frozen_forward(const data::Batch& batch) {
  const auto x = models::encoder_input(batch, modality_);
  if (config_.model.frozen == FrozenPart::kFrontend) return recognizer_->encoder->frontend(x);
  return recognizer_->encode(x, nn::valid_frames(batch.lengths, num_columns(batch)));
}

FinetuneTask::TrainingData FinetuneTask::prepare(data::Manifest training, std::uint64_t memory,
                                                 const std::stop_token& stop) {
  TrainingData result{.manifest = std::move(training), .options = finetune_options(config_)};
  auto* part = frozen_module();
  if (part == nullptr) return result;
  const auto forward = [this](const data::Batch& batch) { return frozen_forward(batch); };
  auto options = result.options;
  options.skips = std::make_shared<data::SkipRecord>();
  if (!resumed_) {
    log::info("estimates the running statistics of the frozen part");
    torch::manual_seed(
        static_cast<std::uint64_t>(config_.run.seed));  // dropout of a frozen encoder
    auto some = options;
    some.lengths = std::make_shared<data::LengthRecord>(data::LengthRecord{.told = true});
    data::Loader loader(result.manifest, some);
    result.ready = estimate_statistics(*part, loader, kStatisticsBatches, device_, forward, stop);
  }
  if (config_.model.cached_views == 0 || !result.ready) return result;
  frozen_.emplace(result.manifest, options, config_.model.cached_views, device_, forward, memory,
                  stop);
  result.ready = frozen_->complete();
  result.skipped = options.skips->lines;
  auto& utterances = result.manifest.utterances;
  utterances.erase(std::remove_if(utterances.begin(), utterances.end(),
                                  [&](const auto& u) { return !frozen_->has(u.id); }),
                   utterances.end());
  for (auto& utterance : utterances) {
    utterance.frames = frozen_->frames_of(utterance.id);
    utterance.length_is_approximate = false;
  }
  result.options.read_video = result.options.read_audio = false;
  result.options.video_time_mask.reset();
  result.options.audio_time_mask.reset();
  return result;
}

void FinetuneTask::count_held_out_skips(const std::vector<std::string>& lines) {
  for (const auto& line : lines) {
    const auto id_end = line.find('\t'), reason_end = line.find('\t', id_end + 1);
    ++unlabelled_[line.substr(id_end + 1, reason_end - id_end - 1)];
  }
}

std::vector<ParameterSet> FinetuneTask::parameter_sets() {
  return {{.name = "recognizer", .groups = layerwise_groups(*recognizer_, config_)}};
}

Counts FinetuneTask::count_targets(const std::vector<data::Batch>& batches) const {
  double utterances = 0, tokens = 0;
  for (const auto& batch : batches) {
    utterances += static_cast<double>(batch.ids.size());
    for (const auto labels : batch.num_labels_of)
      tokens += static_cast<double>(labels + 1);  // and the end
  }
  Counts counts{{kUtterances, utterances}};
  if (by_tokens()) counts[kTokens] = tokens;
  return counts;
}

bool FinetuneTask::by_tokens() const {
  return config_.loss.attention_norm == config::AttentionNorm::kTokens;
}

torch::Tensor FinetuneTask::encode(const data::Batch& batch, const torch::Tensor& valid) {
  if (!frozen_) {
    const auto x = models::encoder_input(batch, modality_);
    if (config_.model.frozen == FrozenPart::kNone) return recognizer_->encode(x, valid);
    torch::Tensor fixed;
    {
      torch::NoGradGuard no_grad;
      fixed = frozen_forward(batch);
    }
    return config_.model.frozen == FrozenPart::kEncoder
               ? fixed
               : recognizer_->encoder->from_features(fixed, valid);
  }
  const auto features = frozen_->of(batch).to(device_);
  return config_.model.frozen == FrozenPart::kEncoder
             ? features
             : recognizer_->encoder->from_features(features, valid);
}

models::RecognizerLosses FinetuneTask::losses(const torch::Tensor& encoded,
                                              const torch::Tensor& valid,
                                              const data::Batch& batch) {
  return recognizer_->losses(
      encoded, valid, models::labels_of(batch),
      {.ctc = config_.loss.ctc_weight > 0,
       .attention = config_.loss.ctc_weight < 1,
       .label_smoothing = config_.loss.label_smoothing,
       .mean_of_utterance = config_.loss.attention_norm == config::AttentionNorm::kUtterance});
}

StepPart FinetuneTask::backward(const data::Batch& batch, const StepInputs& inputs, bool measure) {
  const auto valid = nn::valid_frames(batch.lengths, num_columns(batch));
  models::RecognizerLosses sums;
  {
    const nn::Autocast autocast(device_, config_.train.precision);
    const nn::WorkingWeights working(*recognizer_);
    sums = losses(encode(batch, valid), valid, batch);
  }
  const auto& utterances = inputs.count(kUtterances);
  const auto& of_attention = by_tokens() ? inputs.count(kTokens) : utterances;
  const auto weight = config_.loss.ctc_weight;
  const auto loss =
      by_tokens() ? weight * sums.ctc / utterances + (1 - weight) * sums.attention / of_attention
                  : sums.total(weight) / utterances;
  loss.backward();
  StepPart part;
  part.loss = loss.detach();
  part.losses = {{metric("ctc"), sums.ctc.detach() / utterances},
                 {metric("attention"), sums.attention.detach() / of_attention}};
  if (measure && config_.loss.ctc_weight < 1) {
    part.measures[metric("accuracy")] =
        sums.correct.item<double>() / std::max(sums.count.item<double>(), 1.0);
  }
  return part;
}

Numbers FinetuneTask::evaluate(const std::stop_token& stop) {
  if (held_out_.utterances.empty()) return {};
  torch::NoGradGuard no_grad;
  recognizer_->eval();
  auto options = data::held_out_options(config_.data, config_.run.seed, held_out_);
  options.labels = true;
  options.read_video = modality_ == models::Modality::kVideo;
  options.read_audio = !options.read_video;
  options.whole_sound = config_.data.whole_sound;
  options.skips = held_out_skips_;
  options.lengths = held_out_lengths_;
  data::Loader loader(held_out_, options);
  HeldOutSums sums(units_, config_.loss);
  bool stopped = false;
  while (const auto next = loader.next()) {
    stopped = stop.stop_requested();
    if (stopped) break;
    const auto batch = next->to(device_);
    const auto valid = nn::valid_frames(batch.lengths, num_columns(batch));
    const nn::Autocast autocast(device_, config_.train.precision);
    const auto encoded = recognizer_->encode(models::encoder_input(batch, modality_), valid);
    sums.add(losses(encoded, valid, batch));
    sums.add_errors(*next, recognizer_, {.frames = encoded, .valid = valid, .ids = batch.ids});
  }
  set_training_modes();
  if (stopped) return {};
  auto numbers = sums.numbers();
  auto skipped = unlabelled_;
  for (const auto& [reason, count] : held_out_skips_->by_reason) skipped[reason] += count;
  count_skipped(skipped, "valid_", numbers);
  last_evaluation_ = numbers;
  return numbers;
}

void FinetuneTask::export_results(const fs::path& run) {
  const auto mean = write_mean(run, config_, units_);
  if (mean.best) {
    artifacts::load_strictly(mean.file, nn::state_dict(*recognizer_),
                             (run / artifacts::kRecognizerFile).string());
    return tell_best(run, *mean.best, config_.validation.keep_best);
  }
  const bool watched = config_.validation.every_epochs > 0 && !held_out_.utterances.empty();
  Numbers of_mean, of_last;
  if (watched && mean.steps.size() > 1) {
    // A run that was stopped behind its last evaluation makes it once more, of the same weights.
    of_last = last_evaluation_.empty() ? evaluate({}) : last_evaluation_;
    artifacts::load_strictly(mean.file, nn::state_dict(*recognizer_),
                             (run / artifacts::kRecognizerFile).string());
    of_mean = evaluate({});
  }
  tell_mean(run, mean.steps, of_mean, of_last);
}

}  // namespace raven::train

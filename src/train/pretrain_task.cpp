#include "raven/train/pretrain_task.h"

#include <algorithm>
#include <optional>

#include "raven/artifacts/checkpoint.h"
#include "raven/artifacts/encoder_source.h"
#include "raven/artifacts/run_folder.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/random.h"
#include "raven/models/batch_input.h"
#include "raven/nn/device.h"
#include "raven/nn/lengths.h"
#include "raven/nn/linear.h"
#include "raven/nn/state_dict.h"
#include "raven/report/metric_names.h"
#include "raven/train/feature_statistics.h"
#include "raven/train/finetune_task.h"
#include "raven/weights/model_settings.h"
#include "raven/weights/safetensors.h"

namespace raven::train {
namespace {

namespace fs = std::filesystem;
using config::modality_name;
using report::metric;

constexpr const char* kLabelled = "labelled";  // utterances that the recognition probes learn from

/// Collapse measures of a loss, over the frames of `term.where`.
void measure_term(const models::TermOutput& term, Numbers& numbers) {
  const auto targets = frames_where(term.target, term.where);
  if (targets.size(0) == 0) return;
  const double cosine = term.cosine.item<double>() / static_cast<double>(targets.size(0));
  const auto of_targets = feature_statistics(targets);
  const auto of_predictions = feature_statistics(frames_where(term.prediction, term.where));
  numbers[metric("gain_<loss>", term.name)] = cosine - of_targets.mean_norm;
  numbers[metric("prediction_spread_<loss>", term.name)] = of_predictions.spread;
  numbers[metric("prediction_rank_<loss>", term.name)] = of_predictions.rank;
}

/// Adds the losses of a recognition probe to the report and returns their sum, weighted the same as
/// published.
torch::Tensor report_readings(const models::RecognizerLosses& sums, const std::string& modality,
                              const StepInputs& inputs, bool measure, StepPart& part) {
  const auto& utterances = inputs.count(kLabelled);
  const auto ctc = sums.ctc / utterances, attention = sums.attention / utterances;
  part.losses.emplace_back(metric("recognition_ctc_<modality>", modality), ctc.detach());
  part.losses.emplace_back(metric("recognition_attention_<modality>", modality),
                           attention.detach());
  if (measure) {
    part.measures[metric("recognition_accuracy_<modality>", modality)] =
        sums.correct.item<double>() / std::max(sums.count.item<double>(), 1.0);
  }
  return ctc + attention;
}

void measure_targets(const torch::Tensor& targets, const torch::Tensor& valid,
                     const std::string& modality, Numbers& numbers) {
  if (!targets.defined()) return;
  const auto statistics = feature_statistics(frames_where(targets, valid));
  numbers[metric("target_spread_<modality>", modality)] = statistics.spread;
  numbers[metric("target_rank_<modality>", modality)] = statistics.rank;
}

/// masked, valid (B, T) bool.
void measure_mask(const torch::Tensor& masked, const torch::Tensor& valid,
                  const std::string& modality, Numbers& numbers) {
  if (!masked.defined()) return;
  const auto share = masked.logical_and(valid).sum() / valid.sum();
  numbers[metric("masked_share_<modality>", modality)] = share.item<double>();
}

}  // namespace

StudentStarts open_student_starts(const config::PretrainConfig& config) {
  StudentStarts starts;
  for (const auto modality : config::kModalities) {
    const auto& path = config.model.init_of(modality);
    if (path.empty()) continue;
    starts.emplace(modality, artifacts::open_encoder(path, modality,
                                                     config.model.encoder_of(modality).mask_token));
  }
  return starts;
}

models::Raven make_raven(const config::PretrainConfig& config, const torch::Device& device,
                         std::int64_t num_units, const StudentStarts& starts) {
  torch::manual_seed(mix_seed(
      {static_cast<std::uint64_t>(config.run.seed), static_cast<std::uint64_t>(Draw::kInit)}));
  models::Raven model(config.model, config.loss, config.teacher);
  for (const auto& [modality, start] : starts) {
    auto& student = model->student(modality);
    auto& teacher = model->teacher(modality);
    artifacts::apply_to_student(start, student, "model.init_" + modality_name(modality));
    if (!teacher.is_empty()) models::start_as_copy(*teacher, *student);
  }
  const auto fix = [](models::Encoder& teacher, models::Modality modality,
                      const std::string& path) {
    if (path.empty()) return;
    if (teacher.is_empty()) {
      throw ConfigError(fmt::format("teacher.{0}_weights is given, but no loss has {0} targets",
                                    modality_name(modality)));
    }
    artifacts::load_strictly(artifacts::read_encoder(path, modality), nn::state_dict(*teacher),
                             path);
  };
  fix(model->teacher_video, models::Modality::kVideo, config.teacher.video_weights);
  fix(model->teacher_audio, models::Modality::kAudio, config.teacher.audio_weights);
  // Last, so that the other networks start as they would without.
  if (num_units > 0) model->add_recognition_probes(config.monitor.recognition.decoder, num_units);
  model->to(device);
  model->train();
  return model;
}

PretrainTask::PretrainTask(const config::PretrainConfig& config, const torch::Device& device,
                           const RunLength& length, data::Manifest held_out, std::int64_t num_units,
                           const StudentStarts& starts)
    : config_(config),
      device_(device),
      momentum_{.start = config.teacher.momentum,
                .schedule = config.teacher.momentum_schedule,
                .steps = length.steps},
      model_(make_raven(config, device, num_units, starts)),
      held_out_(config, std::move(held_out)) {}

std::vector<ParameterSet> PretrainTask::parameter_sets() {
  // A checkpoint's optimiser state is named after the parameters, as the module registers them.
  const auto named = [&](const std::vector<torch::Tensor>& parameters) {
    NamedTensors result;
    for (const auto& item : model_->named_parameters()) {
      for (const auto& parameter : parameters) {
        if (parameter.is_same(item.value())) result.emplace_back(item.key(), parameter);
      }
    }
    RAVEN_CHECK(result.size() == parameters.size(), "a parameter is not registered");
    return result;
  };
  std::vector<ParameterSet> sets;
  const auto add = [&](const std::string& name, const std::vector<torch::Tensor>& parameters,
                       const std::optional<double>& lr) {
    if (parameters.empty()) return;
    sets.push_back({.name = name,
                    .groups = {{.name = name,
                                .parameters = named(parameters),
                                .lr = lr.value_or(config_.optimizer.lr)}}});
  };
  const bool apart = config_.optimizer.clip == config::ClippedNorm::kStudent;
  for (const auto modality : config::kModalities) {
    const auto& lr = modality == config::Modality::kVideo ? config_.optimizer.video_lr
                                                          : config_.optimizer.audio_lr;
    add(modality_name(modality), model_->parameters_of(modality, /*with_probe=*/!apart), lr);
    auto& probe = model_->probe(modality);
    if (apart && !probe.is_empty())
      add("probe_" + modality_name(modality), probe->parameters(), lr);
  }
  return sets;
}

Counts PretrainTask::count_targets(const std::vector<data::Batch>& batches) const {
  Counts counts = {{kLabelled, 0}};
  for (const auto& term : config::kLossTerms) {
    if (config_.loss.weight[term] != 0) counts[std::string(term.name)] = 0;
  }
  for (const auto& batch : batches) {
    const auto valid = nn::valid_frames(batch.lengths, batch.video.size(1));
    const models::PretrainInput masks{.video = {},
                                      .audio = {},
                                      .valid = valid,
                                      .masked_video = batch.masked_video,
                                      .masked_audio = batch.masked_audio};
    for (const auto& term : config::kLossTerms) {
      if (config_.loss.weight[term] == 0) continue;
      counts[std::string(term.name)] += model_->frames_of(term.name, masks).item<double>();
    }
    counts[kLabelled] +=
        static_cast<double>(std::count_if(batch.num_labels_of.begin(), batch.num_labels_of.end(),
                                          [](std::int64_t labels) { return labels > 0; }));
  }
  return counts;
}

StepPart PretrainTask::backward(const data::Batch& batch, const StepInputs& inputs, bool measure) {
  const auto input = input_of(batch);
  StepPart part;
  part.loss = torch::zeros({}, torch::TensorOptions(torch::kFloat32).device(device_));
  models::Targets targets;
  {
    torch::NoGradGuard no_grad;
    const nn::Autocast autocast(device_, config_.train.precision);
    targets = model_->targets(input);
  }
  if (measure) {
    for (const auto modality : config::kModalities) {
      const auto name = modality_name(modality);
      measure_targets(targets.of(modality), input.valid, name, part.measures);
      measure_mask(input.masked(modality), input.valid, name, part.measures);
    }
  }
  for (const auto student : config::kModalities) {  // one graph is gone before the next begins
    std::vector<models::TermOutput> terms;
    std::optional<models::RecognizerLosses> readings;
    {
      const nn::Autocast autocast(device_, config_.train.precision);
      terms = model_->terms(student, input, targets);
      if (auto& probe = model_->probe(student); !probe.is_empty()) {
        const nn::WorkingWeights working(*probe);
        readings = probe->losses(terms.front().features, input.valid, models::labels_of(batch));
      }
    }
    torch::Tensor loss;
    for (const auto& term : terms) {
      const auto mean = term.sum / inputs.count(term.name);
      loss = loss.defined() ? loss + term.weight * mean : term.weight * mean;
      part.losses.emplace_back(metric("<loss>", term.name), mean.detach());
      if (measure) measure_term(term, part.measures);
    }
    if (!loss.defined()) continue;
    part.loss += loss.detach();
    if (readings) {
      loss = loss + report_readings(*readings, modality_name(student), inputs, measure, part);
    }
    loss.backward();
  }
  return part;
}

models::PretrainInput PretrainTask::input_of(const data::Batch& batch) const {
  return models::pretrain_input(batch);
}

void PretrainTask::after_update(const StepInputs& inputs, const torch::Tensor& bad) {
  model_->update_teachers(inputs.setting(metric("momentum")), bad);
}

Numbers PretrainTask::settings_at(std::int64_t step) const {
  return {{metric("momentum"), momentum_.at(step)}};
}

Numbers PretrainTask::evaluate(const std::stop_token& stop) {
  return held_out_.evaluate(model_, device_, stop);
}

void PretrainTask::export_results(const fs::path& run) {
  artifacts::LastCheckpoint last(run);
  const auto step = last.step();
  const auto state = last.state();
  make_folders(run / "encoders");
  const auto write = [&](models::Encoder& student, models::Modality modality) {
    if (student.is_empty()) return;
    weights::TensorFile file;
    file.metadata = weights::ModelSettings::from_metadata(config::flatten(config_), modality, run)
                        .to_metadata(weights::ModelKind::kEncoder);
    if (step) file.metadata[weights::kStep] = std::to_string(*step);
    if (state) file.metadata.merge(weights::card_of_student(state->card, modality));
    if (state && state->length > 0) file.metadata[weights::kSteps] = std::to_string(state->length);
    for (const auto& [name, tensor] : nn::state_dict(*student)) {
      file.tensors.emplace_back("encoder." + name, tensor.detach());
    }
    weights::write_safetensors(run / "encoders" / (modality_name(modality) + ".safetensors"), file,
                               {.hashes = true});
  };
  write(model_->student_video, models::Modality::kVideo);
  write(model_->student_audio, models::Modality::kAudio);
}

}  // namespace raven::train

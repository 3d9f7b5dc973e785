#include "raven/models/raven.h"

#include <set>

#include "raven/core/error.h"
#include "raven/media/media.h"
#include "raven/models/feature_loss.h"
#include "raven/nn/linear.h"

namespace raven::models {
namespace {

using config::TargetKind;

constexpr double kNormEpsilon = 1e-5;

/// Per utterance and channel: mean 0 and variance 1 over time, padding included (B, T, D).
torch::Tensor instance_norm(const torch::Tensor& x) {
  const auto [variance, mean] =
      torch::var_mean(x, {1}, /*correction=*/at::Scalar(0), /*keepdim=*/true);
  return (x - mean) * torch::rsqrt(variance + kNormEpsilon);
}

torch::Tensor without_masked_frames(const torch::Tensor& video, const torch::Tensor& masked) {
  return video.masked_fill(masked.unsqueeze(-1).unsqueeze(-1), 0);
}

torch::Tensor without_masked_samples(const torch::Tensor& audio, const torch::Tensor& masked) {
  const auto frames = masked.size(1);
  RAVEN_CHECK(audio.size(1) == frames * media::kSamplesPerFrame, "{} samples for {} frames",
              audio.size(1), frames);
  return audio
      .unflatten(1, {frames, -1})  // (B, T, 640, 1)
      .masked_fill(masked.unsqueeze(-1).unsqueeze(-1), 0)
      .flatten(1, 2);
}

/// Pixels or samples of a modality, 0 at masked frames.
torch::Tensor hidden(Modality modality, const torch::Tensor& x, const torch::Tensor& masked) {
  return modality == Modality::kVideo ? without_masked_frames(x, masked)
                                      : without_masked_samples(x, masked);
}

}  // namespace

RavenImpl::RavenImpl(const config::ModelConfig& model, const config::LossConfig& loss,
                     const config::TeacherConfig& teacher)
    : model_(model), loss_(loss), teacher_(teacher) {
  const auto encoder = [&](Modality modality) {
    return Encoder(modality, model.encoder_of(modality), model.frontend_of(modality));
  };
  if (loss.has_student(Modality::kVideo)) {
    student_video = register_module("student_video", encoder(Modality::kVideo));
  }
  if (loss.has_student(Modality::kAudio)) {
    student_audio = register_module("student_audio", encoder(Modality::kAudio));
  }
  const auto add_teacher = [&](const std::string& name, Modality modality) {
    if (!loss.has_teacher(modality)) return Encoder(nullptr);
    Encoder module = register_module(name, encoder(modality));
    if (student(modality).is_empty()) {
      for (auto& parameter : module->parameters()) parameter.requires_grad_(false);
    } else {
      start_as_copy(*module, *student(modality));
    }
    if (!teacher.weights(modality).empty()) fix_statistics(*module);
    return module;
  };
  teacher_video = add_teacher("teacher_video", Modality::kVideo);
  teacher_audio = add_teacher("teacher_audio", Modality::kAudio);
  for (const auto& term : config::kLossTerms) {
    if (loss.weight[term] == 0) continue;
    const auto& owner = model.predictors.owner(term);
    if (owner.name != term.name) {
      predictors[term] = predictors[owner];
      continue;
    }
    predictors[term] =
        register_module("predictor_" + std::string(term.name),
                        Predictor(model.predictors.of[term], model.encoder_of(term.student).dim,
                                  model.encoder_of(term.target).dim));
  }
  RavenImpl::train(is_training());
}

void RavenImpl::add_recognition_probes(const config::DecoderConfig& decoder,
                                       std::int64_t num_units) {
  for (const auto modality : config::kModalities) {
    if (student(modality).is_empty()) continue;
    probe(modality) =
        register_module("probe_" + config::modality_name(modality),
                        RecognitionProbe(decoder, model_.encoder_of(modality).dim, num_units));
  }
}

void RavenImpl::train(bool on) {
  torch::nn::Module::train(on);
  if (!on) return;
  if (!teacher_video.is_empty()) set_teacher_mode(*teacher_video, teacher_);
  if (!teacher_audio.is_empty()) set_teacher_mode(*teacher_audio, teacher_);
}

torch::Tensor RavenImpl::target_of(Modality modality, const PretrainInput& input) {
  auto& encoder = teacher(modality);
  if (encoder.is_empty()) return {};
  torch::NoGradGuard no_grad;
  const nn::WorkingWeights working(*encoder);
  auto x = modality == Modality::kVideo ? input.video : input.audio;
  if (modality == Modality::kVideo && input.teacher_video.defined()) x = input.teacher_video;
  torch::Tensor masked;
  if (teacher_.input == config::TeacherInput::kMasked) {
    masked = input.masked(modality);
    x = hidden(modality, x, masked);
  }
  const auto mean = [&](const BlockMean& options) {
    return encoder->mean_of_blocks(x, input.valid, masked, options).to(torch::kFloat32);
  };
  const auto& blocks = teacher_.target_blocks;
  const auto& last = teacher_.target_block;
  switch (teacher_.target) {
    case TargetKind::kLast:
      return encoder->forward(x, input.valid, masked).to(torch::kFloat32);
    case TargetKind::kAverage:
      return mean({.blocks = blocks, .last = last});
    case TargetKind::kAverageInstanceNorm:
      return instance_norm(mean({.blocks = blocks, .last = last}));
    case TargetKind::kAverageOfInstanceNorms:
      return mean({.blocks = blocks, .last = last, .of_each = [](const torch::Tensor& h) {
                     return instance_norm(h.to(torch::kFloat32));
                   }});
  }
  return {};
}

Targets RavenImpl::targets(const PretrainInput& input) {
  return {.video = target_of(Modality::kVideo, input), .audio = target_of(Modality::kAudio, input)};
}

torch::Tensor RavenImpl::where(const config::LossTerm& term, const PretrainInput& input) const {
  return loss_.masked_only(term) ? input.masked(term.student) & input.valid : input.valid;
}

torch::Tensor RavenImpl::frames_of(std::string_view loss, const PretrainInput& input) const {
  return where(config::loss_term(loss), input).sum();
}

torch::Tensor RavenImpl::predict(const config::LossTerm& owner, const torch::Tensor& features,
                                 const PretrainInput& input) {
  auto& predictor = predictors[owner];
  const nn::WorkingWeights working(*predictor);
  return predictor->forward(features, input.masked(owner.student), input.valid).to(torch::kFloat32);
}

TermOutput RavenImpl::output(const config::LossTerm& term, const torch::Tensor& features,
                             const torch::Tensor& prediction, const PretrainInput& input,
                             const Targets& targets) const {
  const auto averaged = where(term, input);
  const auto& target = targets.of(term.target);
  const auto sum = feature_loss(loss_, prediction, target, averaged);
  torch::NoGradGuard no_grad;
  return {.name = std::string(term.name),
          .weight = loss_.weight[term],
          .sum = sum,
          .cosine = loss_.kind == config::LossKind::kCosine
                        ? -sum.detach()
                        : (cosines(prediction.detach(), target) * averaged).sum(),
          .features = features.detach(),
          .prediction = prediction.detach(),
          .target = target,
          .where = averaged};
}

std::vector<TermOutput> RavenImpl::terms(Modality modality, const PretrainInput& input,
                                         const Targets& targets) {
  auto& encoder = student(modality);
  if (encoder.is_empty()) return {};
  const nn::WorkingWeights working(*encoder);
  const auto& masked = input.masked(modality);
  const auto& whole = modality == Modality::kVideo ? input.video : input.audio;
  const auto features = encoder->forward(hidden(modality, whole, masked), input.valid, masked);
  std::vector<TermOutput> outputs;
  config::PerLoss<torch::Tensor> predictions{torch::Tensor()};  // by the predictor's own loss
  for (const auto& term : config::kLossTerms) {
    if (term.student != modality || loss_.weight[term] == 0) continue;
    const auto& owner = model_.predictors.owner(term);
    auto& prediction = predictions[owner];
    if (!prediction.defined()) prediction = predict(owner, features, input);
    outputs.push_back(output(term, features, prediction, input, targets));
  }
  return outputs;
}

std::vector<torch::Tensor> RavenImpl::parameters_of(Modality student, bool with_probe) const {
  const auto modality = config::modality_name(student);
  std::set<std::string> trained = {"student_" + modality};
  if (with_probe) trained.insert("probe_" + modality);
  for (const auto& term : config::kLossTerms) {
    if (term.student == student) trained.insert("predictor_" + std::string(term.name));
  }
  std::vector<torch::Tensor> parameters;
  for (const auto& child : named_children()) {
    if (trained.count(child.key()) == 0) continue;
    for (const auto& parameter : child.value()->parameters()) parameters.push_back(parameter);
  }
  return parameters;
}

void RavenImpl::update_teachers(const torch::Tensor& momentum, const torch::Tensor& bad) {
  const auto update = [&](Encoder& teacher, Encoder& student, const std::string& own_weights) {
    if (teacher.is_empty() || student.is_empty() || !own_weights.empty()) return;
    follow(*teacher, *student, momentum, bad);
    if (teacher_.batch_norm == config::BatchNormMode::kEval)
      take_statistics(*teacher, *student, bad);
    if (teacher_.batch_norm == config::BatchNormMode::kEma)
      follow_statistics(*teacher, *student, momentum, bad);
  };
  update(teacher_video, student_video, teacher_.video_weights);
  update(teacher_audio, student_audio, teacher_.audio_weights);
}

}  // namespace raven::models

#include "raven/models/raven.h"

#include "raven/core/error.h"
#include "raven/media/media.h"
#include "raven/nn/linear.h"

namespace raven::models {
namespace {

using config::TargetKind;

constexpr double kNormEpsilon = 1e-5;
constexpr double kCosineEpsilon = 1e-8;

bool is_within(const std::string& term) { return term.front() == term.back(); }
bool is_video(char modality) { return modality == 'v'; }

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

}  // namespace

RavenImpl::RavenImpl(const config::ModelConfig& model, const config::LossConfig& loss,
                     const config::TeacherConfig& teacher)
    : encoder_dim_(model.encoder.dim), loss_(loss), teacher_(teacher) {
  const auto encoder = [&](Modality modality) {
    return Encoder(modality, model.encoder,
                   modality == Modality::kVideo ? model.video_frontend : model.audio_frontend);
  };
  if (loss.v2v > 0 || loss.v2a > 0) {
    student_video = register_module("student_video", encoder(Modality::kVideo));
  }
  if (loss.a2v > 0 || loss.a2a > 0) {
    student_audio = register_module("student_audio", encoder(Modality::kAudio));
  }
  const auto add_teacher = [&](const std::string& name, Modality modality, Encoder& student) {
    auto module = register_module(name, encoder(modality));
    if (student.is_empty()) {
      for (auto& parameter : module->parameters()) parameter.requires_grad_(false);
    } else {
      start_as_copy(*module, *student);
    }
    return module;
  };
  if (loss.v2v > 0 || loss.a2v > 0) {
    teacher_video = add_teacher("teacher_video", Modality::kVideo, student_video);
    if (!teacher.video_weights.empty()) fix_statistics(*teacher_video);
  }
  if (loss.a2a > 0 || loss.v2a > 0) {
    teacher_audio = add_teacher("teacher_audio", Modality::kAudio, student_audio);
    if (!teacher.audio_weights.empty()) fix_statistics(*teacher_audio);
  }
  const auto add_predictor = [&](const std::string& term, const config::PredictorConfig& options) {
    if (weight(term) == 0) return;
    predictor(term) = register_module("predictor_" + term,
                                      Predictor(options, model.encoder.dim, model.encoder.dim));
  };
  add_predictor("v2v", model.predictors.v2v);
  add_predictor("v2a", model.predictors.v2a);
  add_predictor("a2a", model.predictors.a2a);
  add_predictor("a2v", model.predictors.a2v);
  RavenImpl::train(is_training());
}

void RavenImpl::add_recognition_probes(const config::DecoderConfig& decoder,
                                       std::int64_t num_units) {
  const auto add = [&](const std::string& name, const Encoder& student, RecognitionProbe& probe) {
    if (student.is_empty()) return;
    probe = register_module(name, RecognitionProbe(decoder, encoder_dim_, num_units));
  };
  add("probe_video", student_video, probe_video);
  add("probe_audio", student_audio, probe_audio);
}

void RavenImpl::train(bool on) {
  torch::nn::Module::train(on);
  if (!on) return;
  if (!teacher_video.is_empty()) set_teacher_mode(*teacher_video, teacher_);
  if (!teacher_audio.is_empty()) set_teacher_mode(*teacher_audio, teacher_);
}

double RavenImpl::weight(const std::string& term) const {
  if (term == "v2v") return loss_.v2v;
  if (term == "v2a") return loss_.v2a;
  if (term == "a2a") return loss_.a2a;
  RAVEN_CHECK(term == "a2v", "no loss is called '{}'", term);
  return loss_.a2v;
}

Predictor& RavenImpl::predictor(const std::string& term) {
  if (term == "v2v") return predictor_v2v;
  if (term == "v2a") return predictor_v2a;
  if (term == "a2a") return predictor_a2a;
  return predictor_a2v;
}

torch::Tensor RavenImpl::target_of(Encoder& teacher, const torch::Tensor& x,
                                   const torch::Tensor& valid) {
  torch::NoGradGuard no_grad;
  const nn::WorkingWeights working(*teacher);
  switch (teacher_.target) {
    case TargetKind::kLast:
      return teacher->forward(x, valid).to(torch::kFloat32);
    case TargetKind::kAverage:
      return teacher->mean_of_blocks(x, valid).to(torch::kFloat32);
    case TargetKind::kAverageInstanceNorm:
      return instance_norm(teacher->mean_of_blocks(x, valid).to(torch::kFloat32));
  }
  return {};
}

Targets RavenImpl::targets(const PretrainInput& input) {
  Targets targets;
  if (!teacher_video.is_empty()) targets.video = target_of(teacher_video, input.video, input.valid);
  if (!teacher_audio.is_empty()) targets.audio = target_of(teacher_audio, input.audio, input.valid);
  return targets;
}

torch::Tensor RavenImpl::frames_of(const std::string& term, const PretrainInput& input) const {
  const bool masked_only = is_within(term) ? loss_.within_masked_only : loss_.cross_masked_only;
  if (!masked_only) return input.valid.sum();
  const auto& masked = is_video(term.front()) ? input.masked_video : input.masked_audio;
  return (masked & input.valid).sum();
}

LossTerm RavenImpl::term(const std::string& name, const torch::Tensor& features,
                         const PretrainInput& input, const Targets& targets) {
  const auto& masked = is_video(name.front()) ? input.masked_video : input.masked_audio;
  const bool masked_only = is_within(name) ? loss_.within_masked_only : loss_.cross_masked_only;
  const auto where = masked_only ? masked & input.valid : input.valid;
  const auto& target = is_video(name.back()) ? targets.video : targets.audio;
  const nn::WorkingWeights working(*predictor(name));
  const auto prediction =
      predictor(name)->forward(features, masked, input.valid).to(torch::kFloat32);
  const auto cosine = torch::cosine_similarity(prediction, target, -1, kCosineEpsilon);  // (B, T)
  return {.name = name,
          .weight = weight(name),
          .sum = -(cosine * where).sum(),
          .features = features.detach(),
          .prediction = prediction.detach(),
          .target = target,
          .where = where};
}

std::vector<LossTerm> RavenImpl::video_terms(const PretrainInput& input, const Targets& targets) {
  if (student_video.is_empty()) return {};
  const nn::WorkingWeights working(*student_video);
  const auto features = student_video->forward(
      without_masked_frames(input.video, input.masked_video), input.valid, input.masked_video);
  std::vector<LossTerm> terms;
  if (loss_.v2v > 0) terms.push_back(term("v2v", features, input, targets));
  if (loss_.v2a > 0) terms.push_back(term("v2a", features, input, targets));
  return terms;
}

std::vector<LossTerm> RavenImpl::audio_terms(const PretrainInput& input, const Targets& targets) {
  if (student_audio.is_empty()) return {};
  const nn::WorkingWeights working(*student_audio);
  const auto features = student_audio->forward(
      without_masked_samples(input.audio, input.masked_audio), input.valid, input.masked_audio);
  std::vector<LossTerm> terms;
  if (loss_.a2a > 0) terms.push_back(term("a2a", features, input, targets));
  if (loss_.a2v > 0) terms.push_back(term("a2v", features, input, targets));
  return terms;
}

std::vector<torch::Tensor> RavenImpl::parameters_of(const std::string& modality) const {
  const std::string predictors = std::string("predictor_") + modality.front();
  std::vector<torch::Tensor> parameters;
  for (const auto& child : named_children()) {
    const auto& name = child.key();
    if (name != "student_" + modality && name != "probe_" + modality &&
        name.rfind(predictors, 0) != 0) {
      continue;
    }
    for (const auto& parameter : child.value()->parameters()) parameters.push_back(parameter);
  }
  return parameters;
}

std::vector<torch::Tensor> RavenImpl::video_parameters() const { return parameters_of("video"); }

std::vector<torch::Tensor> RavenImpl::audio_parameters() const { return parameters_of("audio"); }

void RavenImpl::update_teachers(double momentum, const torch::Tensor& bad) {
  const auto update = [&](Encoder& teacher, Encoder& student, const std::string& own_weights) {
    if (teacher.is_empty() || student.is_empty() || !own_weights.empty()) return;
    follow(*teacher, *student, momentum, bad);
    if (teacher_.batch_norm == config::BatchNormMode::kEval)
      take_statistics(*teacher, *student, bad);
  };
  update(teacher_video, student_video, teacher_.video_weights);
  update(teacher_audio, student_audio, teacher_.audio_weights);
}

}  // namespace raven::models

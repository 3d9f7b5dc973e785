// RAVEn's pre-training objective: students, momentum teachers, predictors and the losses between
// them. Shapes: B utterances, T frames (25 Hz), D encoder width, h x w pixels, N = 640 T samples.
#pragma once

#include <torch/torch.h>

#include <string>
#include <vector>

#include "raven/config/pretrain_config.h"
#include "raven/models/encoder.h"
#include "raven/models/momentum_teacher.h"
#include "raven/models/predictor.h"
#include "raven/models/recognition_probe.h"

namespace raven::models {

struct PretrainInput {
  torch::Tensor video;         // (B, T, h, w) float32, normalised, 0 beyond the end
  torch::Tensor audio;         // (B, N, 1) float32
  torch::Tensor valid;         // (B, T) bool, true = real frame
  torch::Tensor masked_video;  // (B, T) bool, true = zeroed for the video student
  torch::Tensor masked_audio;  // (B, T) bool, the same for audio
};

struct Targets {
  torch::Tensor video, audio;  // (B, T, D) float32, no gradient; undefined where no loss needs it
};

/// One loss: minus the cosine between prediction and target, summed over the frames of `where`.
struct LossTerm {
  std::string name;  // "v2a", ...
  double weight = 1;
  torch::Tensor sum;         // () with gradient; the mean over frames is sum / where.sum()
  torch::Tensor features;    // (B, T, D) detached: what the student makes of the masked clip
  torch::Tensor prediction;  // (B, T, D) detached
  torch::Tensor target;      // (B, T, D)
  torch::Tensor where;       // (B, T) bool
};

/// The seven networks, registered as student_video, student_audio, teacher_video, teacher_audio,
/// predictor_v2v, predictor_v2a, predictor_a2a, predictor_a2v. A predictor exists when its loss
/// weight is not 0, a student when it has a predictor, a teacher when a loss has it as target;
/// others are empty.
class RavenImpl : public torch::nn::Module {
 public:
  RavenImpl(const config::ModelConfig& model, const config::LossConfig& loss,
            const config::TeacherConfig& teacher);

  /// Adds probe_video and probe_audio, one for each student, to what the optimisers train; nothing
  /// else depends on them.
  void add_recognition_probes(const config::DecoderConfig& decoder, std::int64_t num_units);

  /// Puts the teachers into the mode that TeacherConfig asks for.
  void train(bool on = true) override;

  /// What the teachers see in the unmasked batch.
  Targets targets(const PretrainInput& input);
  /// The video student's terms (v2v, v2a), then the audio student's (a2a, a2v).
  std::vector<LossTerm> video_terms(const PretrainInput& input, const Targets& targets);
  std::vector<LossTerm> audio_terms(const PretrainInput& input, const Targets& targets);
  /// Frames that a term averages over: where.sum(), from masks that may live on the CPU.
  torch::Tensor frames_of(const std::string& term, const PretrainInput& input) const;

  /// What each modality's optimiser trains: student, predictors, probe.
  std::vector<torch::Tensor> video_parameters() const;
  std::vector<torch::Tensor> audio_parameters() const;
  /// teacher <- momentum * teacher + (1 - momentum) * student for learnable parameters; with
  /// TeacherConfig::batch_norm eval also the student's running statistics. On device; nothing
  /// changes where `bad`, () float32 there, is 1. A teacher with weights of its own
  /// (TeacherConfig::video_weights, audio_weights) stands still.
  void update_teachers(double momentum, const torch::Tensor& bad = {});

  Encoder student_video{nullptr}, student_audio{nullptr}, teacher_video{nullptr},
      teacher_audio{nullptr};
  Predictor predictor_v2v{nullptr}, predictor_v2a{nullptr}, predictor_a2a{nullptr},
      predictor_a2v{nullptr};
  RecognitionProbe probe_video{nullptr}, probe_audio{nullptr};

 private:
  LossTerm term(const std::string& name, const torch::Tensor& features, const PretrainInput& input,
                const Targets& targets);
  torch::Tensor target_of(Encoder& teacher, const torch::Tensor& x, const torch::Tensor& valid);
  Predictor& predictor(const std::string& term);
  [[nodiscard]] std::vector<torch::Tensor> parameters_of(const std::string& modality) const;
  [[nodiscard]] double weight(const std::string& term) const;

  std::int64_t encoder_dim_;
  config::LossConfig loss_;
  config::TeacherConfig teacher_;
};
TORCH_MODULE(Raven);

}  // namespace raven::models

// RAVEn's pre-training objective: students, momentum teachers, predictors and the losses between
// them. Shapes: B utterances, T frames (25 Hz), D encoder width, h x w pixels, N = 640 T samples.
#pragma once

#include <torch/torch.h>

#include <string>
#include <string_view>
#include <vector>

#include "raven/config/pretrain_config.h"
#include "raven/models/encoder.h"
#include "raven/models/momentum_teacher.h"
#include "raven/models/predictor.h"
#include "raven/models/recognition_probe.h"

namespace raven::models {

struct PretrainInput {
  torch::Tensor video;               // (B, T, h, w) float32, normalised, 0 beyond the end
  torch::Tensor audio;               // (B, N, 1) float32
  torch::Tensor valid;               // (B, T) bool, true = real frame
  torch::Tensor masked_video;        // (B, T) bool, true = zeroed for the video student
  torch::Tensor masked_audio;        // (B, T) bool, the same for audio
  torch::Tensor teacher_video = {};  // as video, cut for the teacher; undefined: video

  [[nodiscard]] const torch::Tensor& masked(Modality modality) const {
    return modality == Modality::kVideo ? masked_video : masked_audio;
  }
};

struct Targets {
  torch::Tensor video, audio;  // (B, T, Q) float32, no gradient; undefined where no loss needs it

  [[nodiscard]] const torch::Tensor& of(Modality modality) const {
    return modality == Modality::kVideo ? video : audio;
  }
};

/// A loss in one batch: what predictions cost (config::LossKind), summed over the frames of
/// `where`.
struct TermOutput {
  std::string name;  // as in config::kLossTerms
  double weight = 1;
  torch::Tensor sum;         // () with gradient; the mean over frames is sum / where.sum()
  torch::Tensor cosine;      // () without: cosines of the same frames, whatever the loss
  torch::Tensor features;    // (B, T, D) detached: what the student makes of the masked clip
  torch::Tensor prediction;  // (B, T, Q) detached
  torch::Tensor target;      // (B, T, Q)
  torch::Tensor where;       // (B, T) bool
};

/// The networks, registered as student_video, student_audio, teacher_video, teacher_audio and
/// predictor_<loss>, in the order of config::kLossTerms. A predictor exists when its loss weight is
/// not 0; a shared one is registered once, under the loss that it belongs to. A student exists when
/// it has a predictor, a teacher when a loss has it as target; others are empty.
class RavenImpl : public torch::nn::Module {
 public:
  RavenImpl(const config::ModelConfig& model, const config::LossConfig& loss,
            const config::TeacherConfig& teacher);

  /// Adds probe_video and probe_audio, one for each student, to what the optimisers train; nothing
  /// else depends on them.
  void add_recognition_probes(const config::DecoderConfig& decoder, std::int64_t num_units);

  /// Puts the teachers into the mode that TeacherConfig asks for.
  void train(bool on = true) override;

  /// What the teachers make of the clips, whole or masked as TeacherConfig says.
  Targets targets(const PretrainInput& input);
  /// The losses of one student; none where it is empty.
  std::vector<TermOutput> terms(Modality student, const PretrainInput& input,
                                const Targets& targets);
  /// Frames that a loss averages over: where.sum(), from masks that may live on the CPU.
  [[nodiscard]] torch::Tensor frames_of(std::string_view loss, const PretrainInput& input) const;

  /// What is trained of a modality: student, predictors and, if asked for, probe.
  [[nodiscard]] std::vector<torch::Tensor> parameters_of(Modality student,
                                                         bool with_probe = true) const;
  /// teacher <- momentum * teacher + (1 - momentum) * student for learnable parameters; with
  /// TeacherConfig::batch_norm eval or ema also running statistics. `momentum`: () float64
  /// on the device; nothing changes where `bad`, () float32 there, is 1. A teacher with weights of
  /// its own (TeacherConfig::video_weights, audio_weights) stands still.
  void update_teachers(const torch::Tensor& momentum, const torch::Tensor& bad = {});

  Encoder& student(Modality modality) {
    return modality == Modality::kVideo ? student_video : student_audio;
  }
  Encoder& teacher(Modality modality) {
    return modality == Modality::kVideo ? teacher_video : teacher_audio;
  }
  RecognitionProbe& probe(Modality modality) {
    return modality == Modality::kVideo ? probe_video : probe_audio;
  }

  Encoder student_video{nullptr}, student_audio{nullptr}, teacher_video{nullptr},
      teacher_audio{nullptr};
  config::PerLoss<Predictor> predictors{Predictor(nullptr)};
  RecognitionProbe probe_video{nullptr}, probe_audio{nullptr};

 private:
  torch::Tensor predict(const config::LossTerm& owner, const torch::Tensor& features,
                        const PretrainInput& input);
  [[nodiscard]] TermOutput output(const config::LossTerm& term, const torch::Tensor& features,
                                  const torch::Tensor& prediction, const PretrainInput& input,
                                  const Targets& targets) const;
  torch::Tensor target_of(Modality modality, const PretrainInput& input);
  /// Frames that a loss averages over (B, T) bool.
  [[nodiscard]] torch::Tensor where(const config::LossTerm& term, const PretrainInput& input) const;

  config::ModelConfig model_;
  config::LossConfig loss_;
  config::TeacherConfig teacher_;
};
TORCH_MODULE(Raven);

}  // namespace raven::models

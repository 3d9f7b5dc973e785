// Floating-point operations of the networks, from their configuration: multiplications and
// additions of convolutions and matrix products; norms, activations and pooling are left out (about
// 1 %).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "raven/config/finetune_config.h"
#include "raven/config/pretrain_config.h"

namespace raven::plan {

/// Of the forward pass, for one video frame (640 samples) of a batch of `clips` utterances of
/// `frames` frames each.
struct FrameFlops {
  double video_frontend = 0, audio_frontend = 0;
  double video_transformer = 0, audio_transformer = 0;
  double predictor = 0;  // all of them, and the losses that compare frames with frames

  [[nodiscard]] double encoder(config::Modality modality) const {
    return modality == config::Modality::kVideo ? video_frontend + video_transformer
                                                : audio_frontend + audio_transformer;
  }
  [[nodiscard]] double transformer(config::Modality modality) const {
    return modality == config::Modality::kVideo ? video_transformer : audio_transformer;
  }
};
FrameFlops frame_flops(const config::PretrainConfig& config, std::int64_t frames,
                       std::int64_t clips);

/// Of one training step, for one frame. What is trained costs twice as much backward as forward.
struct StepFlops {
  double forward = 0, backward = 0;

  [[nodiscard]] double total() const { return forward + backward; }
};

/// Students and predictors forward and backward, teachers forward.
StepFlops pretrain_flops(const config::PretrainConfig& config, std::int64_t frames,
                         std::int64_t clips);

/// A fine-tuning batch: `clips` utterances of `frames` frames and `labels` units each, of a
/// vocabulary of `units`.
struct LabelledBatch {
  std::int64_t frames = 1, clips = 1, labels = 1, units = 1049;
};

/// Encoder, CTC head and decoder; of a frozen part nothing when its outputs are cached, else the
/// forward pass.
StepFlops finetune_flops(const config::FinetuneConfig& config, const LabelledBatch& batch);

/// Dense peak of a GPU by its name, in operations per second; empty for one that is not in the
/// table.
std::optional<double> peak_flops(const std::string& gpu, config::Precision precision);

}  // namespace raven::plan

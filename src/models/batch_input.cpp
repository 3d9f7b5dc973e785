#include "raven/models/batch_input.h"

#include "raven/nn/lengths.h"

namespace raven::models {

PretrainInput pretrain_input(const data::Batch& batch) {
  const auto valid = nn::valid_frames(batch.lengths, batch.video.size(1));  // (B, T)
  const auto normalised = [&](const torch::Tensor& pixels) {
    if (!pixels.defined()) return pixels;
    return data::normalise_video(pixels).masked_fill_(  // (B, T, h, w)
        valid.logical_not().unsqueeze(-1).unsqueeze(-1), 0);
  };
  return {.video = normalised(batch.video),
          .audio = batch.audio.unsqueeze(-1),
          .valid = valid,
          .masked_video = batch.masked_video,
          .masked_audio = batch.masked_audio,
          .teacher_video = normalised(batch.teacher_video)};
}

torch::Tensor encoder_input(const data::Batch& batch, Modality modality) {
  if (modality == Modality::kAudio) return batch.audio.unsqueeze(-1);                // (B, N, 1)
  auto hidden = nn::valid_frames(batch.lengths, batch.video.size(1)).logical_not();  // (B, T)
  if (batch.masked_video.defined()) hidden = hidden | batch.masked_video;
  auto video = data::normalise_video(batch.video);  // (B, T, h, w)
  video.masked_fill_(hidden.unsqueeze(-1).unsqueeze(-1), 0);
  return video;
}

Labels labels_of(const data::Batch& batch) {
  return {.units = batch.labels,
          .num_frames = torch::tensor(batch.num_frames_of),
          .num_labels = torch::tensor(batch.num_labels_of)};
}

}  // namespace raven::models

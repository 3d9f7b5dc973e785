// Networks small enough for tests of behaviour.
#pragma once

#include "raven/models/raven.h"

namespace raven::models {

inline config::ModelConfig small_model() {
  config::ModelConfig model;
  model.encoder.dim = 8, model.encoder.heads = 2, model.encoder.ffn_dim = 12;
  model.encoder.blocks = 2, model.encoder.dropout = 0;
  model.video_frontend.widths = {4, 4, 6, 8};
  model.audio_frontend.widths = {4, 4, 6, 8};
  for (auto& predictor : model.predictors.of) {
    predictor.dim = 8, predictor.heads = 2, predictor.ffn_dim = 12;
    predictor.blocks = 1, predictor.dropout = 0;
  }
  return model;
}

/// Two utterances of 7 and 5 frames, with masks that differ between the modalities.
inline PretrainInput small_input() {
  const auto valid = torch::arange(7).unsqueeze(0) < torch::tensor({7, 5}).unsqueeze(1);
  auto masked_video = torch::zeros({2, 7}, torch::kBool), masked_audio = masked_video.clone();
  masked_video.slice(1, 1, 3) = true;
  masked_audio.slice(1, 2, 5) = true;
  return {.video = torch::randn({2, 7, 32, 32}) * valid.unsqueeze(-1).unsqueeze(-1),
          .audio = torch::randn({2, 7, 640}).mul(valid.unsqueeze(-1)).view({2, 7 * 640, 1}),
          .valid = valid,
          .masked_video = masked_video,
          .masked_audio = masked_audio};
}

}  // namespace raven::models

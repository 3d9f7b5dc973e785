// Networks and batches small enough for a test.
#pragma once

#include "raven/config/pretrain_config.h"

namespace raven::train {

inline config::PretrainConfig tiny_config() {
  config::PretrainConfig config;
  config.run.seed = 3;
  config.data.video = {.window = 96, .shrink = 4, .crop = 20, .flip = 0.5};
  config.data.workers = 0;
  config.data.max_frames = 60;
  config.data.valid_max_frames = 60;
  config.model.encoder.dim = 16;
  config.model.encoder.heads = 2;
  config.model.encoder.ffn_dim = 32;
  config.model.encoder.blocks = 1;
  config.model.video_frontend.widths = {4, 4, 8, 8};
  config.model.audio_frontend.widths = {4, 4, 8, 8};
  for (auto& predictor : config.model.predictors.of) {
    predictor.dim = 16;
    predictor.heads = 2;
    predictor.ffn_dim = 32;
    predictor.blocks = 1;
  }
  config.optimizer.lr = 1e-3;
  return config;
}

}  // namespace raven::train

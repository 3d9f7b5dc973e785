// The smallest recognizer that is fine-tuned in tests, and its vocabulary.
#pragma once

#include <string>
#include <vector>

#include "raven/config/finetune_config.h"
#include "raven/text/units.h"

namespace raven::train {

inline config::FinetuneConfig tiny_recognizer() {
  config::FinetuneConfig config;
  config.data.video = {.window = 96, .shrink = 4, .crop = 20, .flip = 0.5};
  config.data.workers = 0;
  config.data.max_frames = 60;
  config.model.encoder.dim = 16;
  config.model.encoder.heads = 2;
  config.model.encoder.ffn_dim = 32;
  config.model.encoder.blocks = 2;
  config.model.video_frontend.widths = {4, 4, 8, 8};
  config.model.audio_frontend.widths = {4, 4, 8, 8};
  config.model.decoder.dim = 8;
  config.model.decoder.heads = 2;
  config.model.decoder.ffn_dim = 16;
  config.model.decoder.blocks = 1;
  return config;
}

inline text::Units tiny_units() { return text::Units(std::vector<std::string>{"A", "B", "C"}); }

}  // namespace raven::train

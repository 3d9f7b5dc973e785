#include "raven/config/finetune_config.h"

#include <spdlog/fmt/fmt.h>

#include "config/rules.h"

namespace raven::config {

void FinetuneConfig::check() const {
  check_data(data);
  check_heads("model.encoder", model.encoder.dim, model.encoder.heads);
  check_widths("model.video_frontend", model.video_frontend);
  check_widths("model.audio_frontend", model.audio_frontend);
  if (loss.ctc_weight < 1) check_heads("model.decoder", model.decoder.dim, model.decoder.heads);
  if (model.encoder.mask_token) {
    throw RuleError("model.encoder.mask_token",
                    "model.encoder.mask_token is true, but a recognizer sees every frame; set it "
                    "to false (the token of pre-training is left behind)");
  }
  if (data.whole_sound && model.modality != Modality::kAudio) {
    throw RuleError("data.whole_sound",
                    "data.whole_sound is true, but the recognizer sees the video alone; set it to "
                    "false, or model.modality to audio");
  }
  check_schedule(optimizer, train);
  check_rate("optimizer.other_lr", optimizer.other_lr, optimizer.min_lr);
  check_arithmetic(device, train);
  check_text("text", text);
  if (checkpoint.average > checkpoint.keep) {
    throw RuleError("checkpoint.average",
                    fmt::format("checkpoint.average is {}, expected at most checkpoint.keep {}: "
                                "older checkpoints are gone by then",
                                checkpoint.average, checkpoint.keep));
  }
}

}  // namespace raven::config

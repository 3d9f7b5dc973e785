#include "raven/config/finetune_config.h"

#include <spdlog/fmt/fmt.h>

#include "config/rules.h"

namespace raven::config {

namespace {

void check_init(const RecognizerConfig& model) {
  const auto refuse = [](const std::string& key, const std::string& message) {
    throw RuleError(key, message);
  };
  if (model.init.empty() && model.init_parts == InitParts::kAll) {
    refuse("model.init_parts",
           "model.init_parts is all, but model.init is empty; give model.init=<a run of raven "
           "finetune, a checkpoint or a file of a recognizer>");
  }
  if (model.init.empty() && model.reinit_blocks > 0) {
    refuse("model.reinit_blocks",
           fmt::format("model.reinit_blocks is {}, but model.init is empty: all blocks start anew; "
                       "set it to 0",
                       model.reinit_blocks));
  }
  if (model.reinit_blocks > model.encoder.blocks) {
    refuse("model.reinit_blocks",
           fmt::format("model.reinit_blocks is {}, expected at most model.encoder.blocks {}",
                       model.reinit_blocks, model.encoder.blocks));
  }
  if (model.reinit_blocks > 0 && model.frozen == FrozenPart::kEncoder) {
    refuse("model.reinit_blocks",
           fmt::format("model.reinit_blocks is {}, but model.frozen=encoder would keep those "
                       "blocks at random; freeze the frontend alone, or nothing",
                       model.reinit_blocks));
  }
}

}  // namespace

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
  check_init(model);
  check_schedule(optimizer, train);
  check_rate("optimizer.other_lr", optimizer.other_lr, optimizer.min_lr);
  check_arithmetic(device, train);
  check_best(validation.keep_best, validation.patience, validation.every_epochs,
             "data.valid_manifest", !data.valid_manifest.empty());
  check_text("text", text);
  if (checkpoint.average > checkpoint.keep) {
    throw RuleError("checkpoint.average",
                    fmt::format("checkpoint.average is {}, expected at most checkpoint.keep {}: "
                                "older checkpoints are gone by then",
                                checkpoint.average, checkpoint.keep));
  }
}

}  // namespace raven::config

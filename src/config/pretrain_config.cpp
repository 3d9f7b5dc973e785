#include "raven/config/pretrain_config.h"

#include <spdlog/fmt/fmt.h>

#include <string_view>

#include "config/rules.h"

namespace raven::config {
namespace {

void check_predictor(const std::string& key, const PredictorConfig& predictor, double weight) {
  if (weight == 0 || predictor.kind != PredictorKind::kTransformer) return;
  check_heads(key, predictor.dim, predictor.heads);
}

void check_model(const ModelConfig& model, const LossConfig& loss) {
  check_heads("model.encoder", model.encoder.dim, model.encoder.heads);
  check_widths("model.video_frontend", model.video_frontend);
  check_widths("model.audio_frontend", model.audio_frontend);
  check_predictor("model.predictors.v2v", model.predictors.v2v, loss.v2v);
  check_predictor("model.predictors.v2a", model.predictors.v2a, loss.v2a);
  check_predictor("model.predictors.a2a", model.predictors.a2a, loss.a2a);
  check_predictor("model.predictors.a2v", model.predictors.a2v, loss.a2v);
}

void check_losses(const LossConfig& loss, const TeacherConfig& teacher) {
  if (loss.v2v + loss.v2a + loss.a2a + loss.a2v == 0) {
    throw RuleError("loss",
                    "every weight in loss (v2v, v2a, a2a, a2v) is 0, so nothing would be learned");
  }
  // A modality whose student learns nothing still serves as a teacher, but only a fixed one can
  // teach.
  if (loss.v2v + loss.v2a == 0 && loss.a2v > 0 && teacher.video_weights.empty()) {
    throw RuleError("loss.a2v",
                    "loss.a2v needs a video teacher, but with loss.v2v and loss.v2a at 0 it "
                    "would never learn; give teacher.video_weights, or weigh one of them");
  }
  if (loss.a2a + loss.a2v == 0 && loss.v2a > 0 && teacher.audio_weights.empty()) {
    throw RuleError("loss.v2a",
                    "loss.v2a needs an audio teacher, but with loss.a2a and loss.a2v at 0 it "
                    "would never learn; give teacher.audio_weights, or weigh one of them");
  }
}

/// A loss over masked frames has no frames where nothing is masked.
void check_masks(const MaskConfig& mask, const LossConfig& loss) {
  struct Term {
    const char *name, *modality;
    double weight, prob;
    bool masked_only;
    const char* option;
  };
  const double video = mask.video_prob.value_or(mask.prob);
  const double audio = mask.audio_prob.value_or(mask.prob);
  constexpr const char *kWithin = "within_masked_only", *kCross = "cross_masked_only";
  for (const auto& term : {Term{"v2v", "video", loss.v2v, video, loss.within_masked_only, kWithin},
                           Term{"v2a", "video", loss.v2a, video, loss.cross_masked_only, kCross},
                           Term{"a2a", "audio", loss.a2a, audio, loss.within_masked_only, kWithin},
                           Term{"a2v", "audio", loss.a2v, audio, loss.cross_masked_only, kCross}}) {
    if (term.weight == 0 || term.prob > 0 || !term.masked_only) continue;
    const auto& own =
        term.modality == std::string_view("video") ? mask.video_prob : mask.audio_prob;
    const std::string key = own ? std::string("mask.") + term.modality + "_prob" : "mask.prob";
    throw RuleError(key, fmt::format("{} is 0, so loss.{}, which is over masked frames only, has "
                                     "no frames; set loss.{}=false, or loss.{}=0",
                                     key, term.name, term.option, term.name));
  }
}

}  // namespace

void PretrainConfig::check() const {
  check_data(data);
  check_model(model, loss);
  check_losses(loss, teacher);
  check_masks(mask, loss);
  check_schedule(optimizer, train);
  for (const auto& [key, lr] : {std::pair{"optimizer.video_lr", optimizer.video_lr},
                                std::pair{"optimizer.audio_lr", optimizer.audio_lr}}) {
    if (lr) check_rate(key, *lr, optimizer.min_lr);
  }
  check_arithmetic(device, train);
  if (monitor.recognition.enabled) {
    check_text("monitor.recognition.text", monitor.recognition.text);
    check_heads("monitor.recognition.decoder", monitor.recognition.decoder.dim,
                monitor.recognition.decoder.heads);
  }
}

}  // namespace raven::config

#include "raven/config/pretrain_config.h"

#include <spdlog/fmt/fmt.h>

#include <string_view>

namespace raven::config {
namespace {

void check_heads(const std::string& key, std::int64_t dim, std::int64_t heads) {
  if (dim % 2 != 0 || dim % heads != 0) {
    throw RuleError(key + ".dim", fmt::format("{0}.dim is {1} with {0}.heads {2}, expected an even "
                                              "multiple of heads",
                                              key, dim, heads));
  }
}

void check_widths(const std::string& key, const FrontendConfig& frontend) {
  if (frontend.widths.size() != 4) {
    throw RuleError(key + ".widths",
                    fmt::format("{}.widths holds {} numbers, expected 4, one for each ResNet stage",
                                key, frontend.widths.size()));
  }
}

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

void check_video_input(const VideoInputConfig& video) {
  if (video.window % video.shrink != 0) {
    throw RuleError(
        "data.video.shrink",
        fmt::format("data.video.shrink is {}, which does not divide data.video.window {}",
                    video.shrink, video.window));
  }
  if (video.window % 2 != 0) {
    throw RuleError(
        "data.video.window",
        fmt::format("data.video.window is {}, expected an even number, so that the window "
                    "has a centre in 96 pixels",
                    video.window));
  }
  if (video.crop > video.window / video.shrink) {
    throw RuleError(
        "data.video.crop",
        fmt::format("data.video.crop is {}, expected at most {} (data.video.window {} / "
                    "data.video.shrink {})",
                    video.crop, video.window / video.shrink, video.window, video.shrink));
  }
}

void check_data(const DataConfig& data) {
  if (data.manifest.empty()) {
    throw RuleError("data.manifest", "data.manifest is an empty list, expected at least one file");
  }
  for (const std::string& file : data.manifest) {
    if (file.empty() || file == kRequired) {
      throw RuleError("data.manifest", "data.manifest holds a name that is not filled in");
    }
  }
  check_video_input(data.video);
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

void check_schedule(const OptimizerConfig& optimizer, const TrainConfig& train) {
  for (const auto& [key, lr] : {std::pair{"optimizer.lr", std::optional<double>(optimizer.lr)},
                                std::pair{"optimizer.video_lr", optimizer.video_lr},
                                std::pair{"optimizer.audio_lr", optimizer.audio_lr}}) {
    if (lr && *lr < optimizer.min_lr) {
      throw RuleError(
          key, fmt::format("{} is {}, below optimizer.min_lr {}, at which the schedule ends", key,
                           *lr, optimizer.min_lr));
    }
  }
  if (optimizer.warmup_steps && train.steps && *optimizer.warmup_steps >= *train.steps) {
    throw RuleError("optimizer.warmup_steps",
                    fmt::format("optimizer.warmup_steps is {}, expected less than train.steps {}",
                                *optimizer.warmup_steps, *train.steps));
  }
  if (!optimizer.warmup_steps && !train.steps && optimizer.warmup_epochs >= train.epochs) {
    throw RuleError("optimizer.warmup_epochs",
                    fmt::format("optimizer.warmup_epochs is {}, expected less than train.epochs {}",
                                optimizer.warmup_epochs, train.epochs));
  }
}

void check_arithmetic(Device device, const TrainConfig& train) {
  if (device == Device::kCpu && train.precision == Precision::kTf32) {
    throw RuleError("train.precision",
                    "train.precision is tf32, which CPUs do not have; use fp32 or bf16");
  }
}

}  // namespace

void PretrainConfig::check() const {
  check_data(data);
  check_model(model, loss);
  check_losses(loss, teacher);
  check_masks(mask, loss);
  check_schedule(optimizer, train);
  check_arithmetic(device, train);
}

}  // namespace raven::config

#include "config/rules.h"

#include <spdlog/fmt/fmt.h>

namespace raven::config {

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

void check_language_model(const DecodeConfig& decode) {
  if (decode.lm_weight > 0 && decode.lm.empty()) {
    throw RuleError("decode.lm_weight",
                    fmt::format("decode.lm_weight is {}, but no language model is given; name one "
                                "with decode.lm, or set it to 0",
                                decode.lm_weight));
  }
}

void check_text(const std::string& key, const TextConfig& text) {
  if (!text.units.empty() || !text.model.empty()) return;
  throw RuleError(
      key + ".units",
      fmt::format("{0}.units and {0}.model are both empty, so there is no vocabulary; give "
                  "{0}.model=<a .model of `raven tokenizer train`>, or {0}.units=<a published "
                  "units file>",
                  key));
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
  if (!data.list_weights.empty() && data.list_weights.size() != data.manifest.size()) {
    throw RuleError("data.list_weights",
                    fmt::format("data.list_weights holds {} numbers, data.manifest {} lists; give "
                                "one for each list, or leave data.list_weights out",
                                data.list_weights.size(), data.manifest.size()));
  }
  check_video_input(data.video);
}

void check_rate(const std::string& key, double lr, double min_lr) {
  if (lr >= min_lr) return;
  throw RuleError(
      key, fmt::format("{} is {}, below optimizer.min_lr {}, at which the schedule ends", key, lr,
                       min_lr));
}

void check_schedule(const OptimizerConfig& optimizer, const TrainConfig& train) {
  check_rate("optimizer.lr", optimizer.lr, optimizer.min_lr);
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

void check_best(KeptBest keep_best, const std::optional<std::int64_t>& patience,
                double every_epochs, const std::string& held_out, bool has_held_out) {
  if (keep_best == KeptBest::kNone) {
    if (!patience) return;
    throw RuleError("validation.patience",
                    fmt::format("validation.patience is {}, but validation.keep_best is none, so "
                                "nothing tells which evaluation is better; give "
                                "validation.keep_best=loss",
                                *patience));
  }
  if (has_held_out && every_epochs > 0) return;
  throw RuleError(
      "validation.keep_best",
      fmt::format(
          "validation.keep_best is {}, but {}, so nothing is evaluated; {}", enum_name(keep_best),
          has_held_out ? "validation.every_epochs is 0" : held_out + " gives no held-out data",
          has_held_out ? "give validation.every_epochs=1" : "give " + held_out));
}

void check_arithmetic(Device device, const TrainConfig& train) {
  if (device == Device::kCpu && train.precision == Precision::kTf32) {
    throw RuleError("train.precision",
                    "train.precision is tf32, which CPUs do not have; use fp32 or bf16");
  }
}

}  // namespace raven::config

// Rules across fields that several stages share. Each throws RuleError naming the key.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "raven/config/decode_config.h"
#include "raven/config/model_config.h"
#include "raven/config/run_config.h"
#include "raven/config/text_config.h"

namespace raven::config {

void check_heads(const std::string& key, std::int64_t dim, std::int64_t heads);
void check_widths(const std::string& key, const FrontendConfig& frontend);
/// A language model is given where one has a weight.
void check_language_model(const DecodeConfig& decode);
/// A vocabulary is given.
void check_text(const std::string& key, const TextConfig& text);
/// Of an encoder: final, all, or numbers of blocks, each once.
void check_layers(const std::vector<std::string>& layers);
void check_video_input(const VideoInputConfig& video);
void check_data(const DataConfig& data);
void check_rate(const std::string& key, double lr, double min_lr);
void check_schedule(const OptimizerConfig& optimizer, const TrainConfig& train);
/// What validation.keep_best and validation.patience need. `held_out`: the key that gives held-out
/// data; `has_held_out`: it does.
void check_best(KeptBest keep_best, const std::optional<std::int64_t>& patience,
                double every_epochs, const std::string& held_out, bool has_held_out);
void check_arithmetic(Device device, const TrainConfig& train);

}  // namespace raven::config

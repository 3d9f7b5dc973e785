// The input of an encoder that fine-tuning starts from: what it was trained on.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "raven/config/finetune_config.h"
#include "raven/config/load.h"

namespace raven::train {

/// A run that goes on does not read model.init.
bool goes_on(const config::FinetuneConfig& config);

/// config::load(), where keys of the encoder's input (data.video.window, shrink and crop, or
/// data.waveform) that neither file nor overrides set are those that model.init tells, or, of a run
/// that goes on, the run's own. With model.init_input=own it is config::load() alone. `defaults`:
/// further ones, LoadOptions::defaults.
config::Resolved<config::FinetuneConfig> load_finetune(const std::filesystem::path& file,
                                                       const std::vector<std::string>& overrides,
                                                       std::vector<std::string> defaults = {});

/// Throws ConfigError naming keys whose values are not those that model.init tells, unless
/// model.init_input is own or the run goes on; the log says what the input is.
void check_init_input(const config::FinetuneConfig& config);

}  // namespace raven::train

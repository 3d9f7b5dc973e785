#include "raven/config/probe_config.h"

#include <spdlog/fmt/fmt.h>

#include "config/rules.h"

namespace raven::config {

void ProbeConfig::check() const {
  check_layers(layers);
  for (const auto& name : labels) {
    if (name == kSpeakerLabels || name.ends_with(".tsv")) continue;
    throw RuleError("labels",
                    fmt::format("labels lists '{}', expected speaker, or a .tsv file with "
                                "the columns id, label and, of frames, begin_s and end_s",
                                name));
  }
  for (const auto& file : data.manifest) {
    if (file.empty()) throw RuleError("data.manifest", "data.manifest holds an empty name");
  }
}

}  // namespace raven::config

#include "raven/config/evaluate_config.h"

#include <spdlog/fmt/fmt.h>

namespace raven::config {

void EvaluateConfig::check() const {
  if (model.empty()) {
    throw RuleError("model", "model is an empty list, expected at least one recognizer");
  }
  if (data.manifest.empty()) {
    throw RuleError("data.manifest", "data.manifest is an empty list, expected at least one file");
  }
  if (decode.lm_weight > 0 && decode.lm.empty()) {
    throw RuleError("decode.lm_weight",
                    fmt::format("decode.lm_weight is {}, but no language model is given; name one "
                                "with decode.lm, or set it to 0",
                                decode.lm_weight));
  }
  noise.check("noise");
  decode.check();
}

}  // namespace raven::config

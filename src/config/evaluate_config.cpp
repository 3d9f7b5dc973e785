#include "raven/config/evaluate_config.h"

#include "config/rules.h"

namespace raven::config {

void EvaluateConfig::check() const {
  if (model.empty()) {
    throw RuleError("model", "model is an empty list, expected at least one recognizer");
  }
  if (data.manifest.empty()) {
    throw RuleError("data.manifest", "data.manifest is an empty list, expected at least one file");
  }
  check_language_model(decode);
  noise.check("noise");
  decode.check();
}

}  // namespace raven::config

#include "raven/config/lm_config.h"

#include <spdlog/fmt/fmt.h>

#include "config/rules.h"

namespace raven::config {

void LmConfig::check() const {
  if (model.dim % model.heads != 0) {
    throw RuleError("model.dim", fmt::format("model.dim is {}, expected a multiple of model.heads "
                                             "{}",
                                             model.dim, model.heads));
  }
  if (data.longest >= data.max_units) {
    throw RuleError("data.max_units",
                    fmt::format("data.max_units is {}, expected more than data.longest {}: a batch "
                                "holds one sentence and its end at least",
                                data.max_units, data.longest));
  }
  check_schedule(optimizer, train);
  check_arithmetic(device, train);
  check_best(validation.keep_best, validation.patience, validation.every_epochs,
             data.valid_text.empty() ? "data.valid_share" : "data.valid_text",
             !data.valid_text.empty() || data.valid_share > 0);
  if (validation.keep_best == KeptBest::kError) {
    throw RuleError("validation.keep_best",
                    "validation.keep_best is error, but a language model recognises nothing; give "
                    "validation.keep_best=loss");
  }
  check_text("text", text);
  if (text.model.empty()) {
    throw RuleError("text.model",
                    "text.model is empty, but text has to become units: give the .model of `raven "
                    "tokenizer train`, or the .json of counts that belongs to text.units");
  }
}

}  // namespace raven::config

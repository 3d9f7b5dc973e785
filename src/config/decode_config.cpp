#include "raven/config/decode_config.h"

#include <spdlog/fmt/fmt.h>

namespace raven::config {

void DecodeConfig::check(const std::string& key) const {
  if (max_length_ratio < 0 && max_length_ratio > -1) {
    throw RuleError(key + ".max_length_ratio",
                    fmt::format("{}.max_length_ratio is {}, which allows no unit at all; expected "
                                "0, a share of the frames above 0, or -n for n units",
                                key, max_length_ratio));
  }
  if (kind == DecodeKind::kGreedyCtc && (lm_weight > 0 || length_bonus != 0)) {
    const auto* field = lm_weight > 0 ? "lm_weight" : "length_bonus";
    throw RuleError(fmt::format("{}.{}", key, field),
                    fmt::format("{0}.{1} is {2}, but {0}.kind greedy_ctc does not search; expected "
                                "0, or kind hybrid with ctc_weight 1 for a search over CTC alone",
                                key, field, lm_weight > 0 ? lm_weight : length_bonus));
  }
}

}  // namespace raven::config

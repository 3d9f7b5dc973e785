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
  if (nbest > beam_size && kind != DecodeKind::kGreedyCtc) {
    throw RuleError(
        key + ".nbest",
        fmt::format("{0}.nbest is {1}, but {0}.beam_size keeps {2} hypotheses; expected "
                    "{2} at most, or a wider beam",
                    key, nbest, beam_size));
  }
  if (kind == DecodeKind::kGreedyCtc && nbest > 1) {
    throw RuleError(key + ".nbest",
                    fmt::format("{0}.nbest is {1}, but {0}.kind greedy_ctc makes one hypothesis; "
                                "expected 1 at most",
                                key, nbest));
  }
  if (!lm.empty() && lm_weight == 0) {
    throw RuleError(key + ".lm_weight",
                    fmt::format("{0}.lm is given, but {0}.lm_weight is 0, so that it would not be "
                                "used; published weights are 0.2 and 0.3",
                                key));
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

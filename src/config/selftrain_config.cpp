#include "raven/config/selftrain_config.h"

#include <spdlog/fmt/fmt.h>

namespace raven::config {

void SelftrainConfig::check() const {
  if (unlabelled.manifest.empty()) {
    throw RuleError("unlabelled.manifest",
                    "unlabelled.manifest is an empty list, expected at least one file");
  }
  if (decode.kind == DecodeKind::kGreedyCtc && filter.min_agreement > 0) {
    throw RuleError("filter.min_agreement",
                    "filter.min_agreement compares the CTC head's best path with the label, but "
                    "decode.kind is greedy_ctc, so that they are the same; set it to 0");
  }
  if (filter.min_units_per_s && filter.max_units_per_s &&
      *filter.min_units_per_s > *filter.max_units_per_s) {
    throw RuleError("filter.min_units_per_s",
                    fmt::format("filter.min_units_per_s is {}, expected at most "
                                "filter.max_units_per_s {}",
                                *filter.min_units_per_s, *filter.max_units_per_s));
  }
  decode.check("decode");
}

}  // namespace raven::config

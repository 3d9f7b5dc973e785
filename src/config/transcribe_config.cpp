#include "raven/config/transcribe_config.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <set>

#include "config/rules.h"

namespace raven::config {
namespace {

void check_formats(const std::vector<std::string>& formats) {
  if (formats.empty()) {
    throw RuleError("format", "format is an empty list, expected at least one, as [txt]");
  }
  std::set<std::string> seen;
  for (const auto& format : formats) {
    if (std::ranges::find(kTranscriptFormats, format) == std::end(kTranscriptFormats)) {
      throw RuleError("format", fmt::format("format lists '{}', expected one or several of {}",
                                            format, fmt::join(kTranscriptFormats, ", ")));
    }
    if (!seen.insert(format).second) {
      throw RuleError("format", fmt::format("format lists {} twice", format));
    }
  }
}

}  // namespace

void TranscribeConfig::check() const {
  if (model.empty() || model.size() > 2) {
    throw RuleError("model", fmt::format("model lists {} recognizers, expected one, or one that "
                                         "hears and one that reads lips",
                                         model.size()));
  }
  check_formats(format);
  if (cut.overlap_s > cut.max_s / 2) {
    throw RuleError("cut.overlap_s",
                    fmt::format("cut.overlap_s is {}, expected at most half of cut.max_s, {}",
                                cut.overlap_s, cut.max_s / 2));
  }
  check_language_model(decode);
  if (decode.nbest > 0) {
    throw RuleError("decode.nbest",
                    "decode.nbest lists hypotheses for `raven evaluate`; a transcript has the best "
                    "one alone, leave it at 0");
  }
  decode.check();
}

}  // namespace raven::config

#include "cli/idle_overs.h"

#include "raven/config/load.h"
#include "raven/core/log.h"

namespace raven::cli {
namespace {

constexpr std::string_view kOver = "over=";
constexpr config::LoadOptions kWithGaps = {.allow_missing = true};

}  // namespace

void warn_of_idle_overs(const config::Stage& stage, const std::filesystem::path& file,
                        const std::vector<std::string>& overrides) {
  for (std::size_t i = 0; i < overrides.size(); ++i) {
    if (!overrides[i].starts_with(kOver)) continue;
    const auto name = overrides[i].substr(kOver.size());
    if (!file.empty() && config::is_ablation(file)) {
      log::warn(
          "--config {} is an ablation, and {} is laid over it: what both say, {} decides, and what "
          "only the ablation's base says (data, rates) stays; --config {} over={} does the reverse",
          file.string(), name, name, name, file.string());
    }
    auto without = overrides;
    without.erase(without.begin() + static_cast<std::ptrdiff_t>(i));
    const auto with_it = stage.load(file, overrides, kWithGaps).yaml;
    if (with_it == stage.load(file, without, kWithGaps).yaml) {
      log::warn(
          "over={} changes nothing: all that it says holds already, or is said again after it",
          name);
    }
  }
}

}  // namespace raven::cli

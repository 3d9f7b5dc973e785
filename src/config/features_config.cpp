#include "raven/config/features_config.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <set>

#include "config/rules.h"

namespace raven::config {
namespace {

constexpr std::size_t kMostDigits = 3;  // an encoder has 256 blocks at most

bool is_layer(const std::string& name) {
  if (name == kFinalLayer || name == kAllLayers) return true;
  return !name.empty() && name.size() <= kMostDigits &&
         std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

void check_layers(const std::vector<std::string>& layers) {
  if (layers.empty()) {
    throw RuleError("layers", "layers is an empty list, expected at least one layer, as [final]");
  }
  std::set<std::string> seen;
  for (const auto& name : layers) {
    if (!is_layer(name)) {
      throw RuleError("layers",
                      fmt::format("layers lists '{}', expected final, all, or the number of a "
                                  "block (0: what the first one takes)",
                                  name));
    }
    if (!seen.insert(name).second) {
      throw RuleError("layers", fmt::format("layers lists {} twice", name));
    }
  }
  if (layers.size() > 1 && seen.contains(kAllLayers)) {
    throw RuleError("layers", "layers lists all beside others; give all alone");
  }
}

void FeaturesConfig::check() const { check_layers(layers); }

}  // namespace raven::config

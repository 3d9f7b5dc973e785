#include "raven/config/loss_terms.h"

#include <spdlog/fmt/fmt.h>

#include <vector>

namespace raven::config {

PerLoss<double> published_weights() {
  PerLoss<double> weights(0);
  for (const auto& term : kLossTerms) weights[term] = term.weight;
  return weights;
}

std::string losses_text(bool within) {
  std::vector<std::string_view> names;
  for (const auto& term : kLossTerms) {
    if (term.is_within() == within) names.push_back(term.name);
  }
  return fmt::format("{}", fmt::join(names, " and "));
}

}  // namespace raven::config

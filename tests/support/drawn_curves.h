// Which curves a picture of a run's numbers holds, be it curves.svg or a page of `raven report`.
#pragma once

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "raven/report/metric_names.h"

namespace raven {

/// Title of the panel, label of the curve. Labels alone say little: panels share them.
using Curve = std::pair<std::string, std::string>;

inline std::multiset<Curve> drawn_curves(std::string_view markup) {
  constexpr std::string_view kName = "data-name=\"";
  const auto between = [&](std::size_t from, std::string_view end) {
    return std::string(markup.substr(from, markup.find(end, from) - from));
  };
  std::multiset<Curve> curves;
  std::string title;
  for (std::size_t at = 0;; ++at) {
    const auto text = markup.find("<text class=\"title\"", at),
               bold = markup.find("<figcaption><b>", at);
    const auto name = markup.find(kName, at);
    at = std::min({text, bold, name});
    if (at == std::string_view::npos) return curves;
    if (at == name) {
      curves.emplace(title, between(at + kName.size(), "\""));
    } else {
      const auto begin = at == bold ? markup.find("<b>", at) + 3 : markup.find('>', at) + 1;
      title = between(begin, "<");
    }
  }
}

/// Where the table of metric_names.h says that a number is drawn.
inline Curve curve_of(const report::KnownMetric& known) {
  const auto panel = std::ranges::find(report::panels(), known.metric->panel, &report::Panel::id);
  return {panel == report::panels().end() ? "" : panel->title, known.label()};
}

}  // namespace raven

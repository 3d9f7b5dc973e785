#include "raven/report/curves.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "raven/core/files.h"
#include "raven/core/parse_json.h"

namespace raven::report {
namespace {

constexpr double kWidth = 460, kHeight = 260;  // of a panel, in pixels
constexpr double kLeft = 62, kRight = 14, kTop = 48, kBottom = 34;
constexpr std::size_t kColumns = 2;
constexpr std::array<const char*, 6> kColours = {"#0b6fb8", "#d1495b", "#2a9d4a",
                                                 "#8e5bc0", "#d98a00", "#4a4a4a"};

struct PanelKeys {
  const char* title;
  std::vector<const char*> keys;
};

const std::vector<PanelKeys>& panel_keys() {
  static const std::vector<PanelKeys> keys = {
      {"loss: minus the mean cosine", {"v2v", "v2a", "a2a", "a2v"}},
      {"gain over the targets' mean direction", {"gain_v2v", "gain_v2a", "gain_a2a", "gain_a2v"}},
      {"held-out loss", {"valid_v2v", "valid_v2a", "valid_a2a", "valid_a2v"}},
      {"probe: R2 of log-mel energies", {"probe_r2_video", "probe_r2_audio"}},
      {"recognition probe: share of units read",
       {"recognition_accuracy_video", "recognition_accuracy_audio",
        "valid_recognition_accuracy_video", "valid_recognition_accuracy_audio"}},
      {"spread of targets and predictions",
       {"target_spread_video", "target_spread_audio", "prediction_spread_v2a",
        "prediction_spread_a2a", "prediction_spread_a2v"}},
      {"effective rank",
       {"target_rank_video", "target_rank_audio", "prediction_rank_v2a", "prediction_rank_a2a",
        "prediction_rank_a2v"}},
      {"gradient norm before clipping", {"grad_norm_video", "grad_norm_audio"}},
      {"learning rate", {"lr_video", "lr_audio"}},
      {"video frames per second", {"frames_per_s"}}};
  return keys;
}

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        result += c;
    }
  }
  return result;
}

struct Axis {
  double low = 0, high = 1;
  double from = 0, to = 1;  // pixels
  [[nodiscard]] double pixel(double value) const {
    return from + (value - low) / (high - low) * (to - from);
  }
};

/// Bounds of all points along one coordinate, widened when they coincide.
template <class Coordinate>
Axis axis_of(const Panel& panel, Coordinate coordinate) {
  Axis axis{.low = INFINITY, .high = -INFINITY};
  for (const auto& series : panel.series) {
    for (const auto& point : series.points) {
      axis.low = std::min(axis.low, coordinate(point));
      axis.high = std::max(axis.high, coordinate(point));
    }
  }
  if (axis.high - axis.low <= std::abs(axis.high) * 1e-9) {
    const double margin = axis.high == 0 ? 1 : std::abs(axis.high) / 2;
    axis.low -= margin;
    axis.high += margin;
  }
  return axis;
}

std::string text_at(double x, double y, const std::string& style, const std::string& text) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" {}>{}</text>\n", x, y, style, escaped(text));
}

std::string line_from(double x1, double y1, double x2, double y2, const char* colour) {
  return fmt::format(
      "<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\"/>\n", x1, y1, x2,
      y2, colour);
}

std::string draw_axes(const Axis& x, const Axis& y) {
  std::string svg;
  for (const double tick : axis_ticks(y.low, y.high, 5)) {
    svg += line_from(x.from, y.pixel(tick), x.to, y.pixel(tick), "#e4e4e4");
    svg += text_at(x.from - 6, y.pixel(tick) + 4, "text-anchor=\"end\"", fmt::format("{:g}", tick));
  }
  for (const double tick : axis_ticks(x.low, x.high, 6)) {
    svg += line_from(x.pixel(tick), y.from, x.pixel(tick), y.from + 4, "#888");
    svg += text_at(x.pixel(tick), y.from + 17, "text-anchor=\"middle\"", fmt::format("{:g}", tick));
  }
  svg += line_from(x.from, y.from, x.to, y.from, "#888");
  svg += line_from(x.from, y.from, x.from, y.to, "#888");
  svg += text_at(x.to, y.from + 31, "text-anchor=\"end\" fill=\"#777\"", "step");
  return svg;
}

std::string draw_curve(const Series& series, const Axis& x, const Axis& y, const char* colour) {
  std::string points;
  for (const auto& [step, value] : series.points) {
    points += fmt::format("{:.1f},{:.1f} ", x.pixel(step), y.pixel(value));
  }
  auto svg =
      fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.6\"/>\n",
                  points, colour);
  if (series.points.size() < 25) {  // few points are seen better with dots
    for (const auto& [step, value] : series.points) {
      svg += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.4\" fill=\"{}\"/>\n",
                         x.pixel(step), y.pixel(value), colour);
    }
  }
  return svg;
}

std::string draw_panel(const Panel& panel) {
  auto x = axis_of(panel, [](const auto& point) { return point.first; });
  auto y = axis_of(panel, [](const auto& point) { return point.second; });
  x.from = kLeft;
  x.to = kWidth - kRight;
  y.from = kHeight - kBottom;
  y.to = kTop;
  auto svg = text_at(kLeft, 17, "font-weight=\"bold\" font-size=\"13\"", panel.title);
  svg += draw_axes(x, y);
  double legend = kLeft;
  for (std::size_t i = 0; i < panel.series.size(); ++i) {
    const auto& series = panel.series[i];
    const char* colour = kColours[i % kColours.size()];
    svg += draw_curve(series, x, y, colour);
    svg += line_from(legend, 30, legend + 14, 30, colour);
    svg +=
        text_at(legend + 17, 34, fmt::format("fill=\"{}\" font-size=\"10\"", colour), series.name);
    legend += 28 + 5.4 * static_cast<double>(series.name.size());
  }
  return svg;
}

/// "prediction_rank_v2a" -> "prediction v2a": the title says the rest.
std::string short_name(std::string key) {
  for (const std::string part :
       {"gain_", "valid_", "probe_r2_", "_spread", "_rank", "grad_norm_", "lr_"}) {
    if (const auto at = key.find(part); at != std::string::npos) key.erase(at, part.size());
  }
  std::replace(key.begin(), key.end(), '_', ' ');
  return key;
}

}  // namespace

std::vector<double> axis_ticks(double low, double high, int count) {
  const double rough = (high - low) / count;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (rough <= factor * power) {
      step = factor * power;
      break;
    }
  }
  std::vector<double> ticks;
  const auto first = static_cast<std::int64_t>(std::ceil(low / step - 1e-9));
  const auto last = static_cast<std::int64_t>(std::floor(high / step + 1e-9));
  for (auto i = first; i <= last; ++i) ticks.push_back(static_cast<double>(i) * step);
  return ticks;
}

std::vector<Panel> read_panels(const std::filesystem::path& metrics) {
  std::vector<nlohmann::json> rows;
  std::istringstream lines(read_file(metrics));
  for (std::string line; std::getline(lines, line);) {
    auto row = parse_json(line);
    if (row.is_object() && row.contains("step") && row["step"].is_number()) {
      rows.push_back(std::move(row));
    }
  }
  std::vector<Panel> panels;
  for (const auto& [title, keys] : panel_keys()) {
    Panel panel{.title = title, .series = {}};
    for (const char* key : keys) {
      Series series{.name = short_name(key), .points = {}};
      for (const auto& row : rows) {
        const auto value = row.find(key);
        if (value == row.end() || !value->is_number()) continue;
        series.points.emplace_back(row["step"].get<double>(), value->get<double>());
      }
      if (!series.points.empty()) panel.series.push_back(std::move(series));
    }
    if (!panel.series.empty()) panels.push_back(std::move(panel));
  }
  return panels;
}

std::string draw_svg(const std::vector<Panel>& panels) {
  const std::size_t rows = std::max<std::size_t>((panels.size() + kColumns - 1) / kColumns, 1);
  auto svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" "
      "viewBox=\"0 0 {0:.0f} {1:.0f}\" font-family=\"sans-serif\" font-size=\"11\" fill=\"#222\">\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
      kWidth * kColumns, kHeight * static_cast<double>(rows));
  for (std::size_t i = 0; i < panels.size(); ++i) {
    svg += fmt::format("<g transform=\"translate({:.0f},{:.0f})\">\n{}</g>\n",
                       kWidth * static_cast<double>(i % kColumns),
                       kHeight * static_cast<double>(i / kColumns), draw_panel(panels[i]));
  }
  return svg + "</svg>\n";
}

void write_curves(const std::filesystem::path& metrics, const std::filesystem::path& svg) {
  if (!std::filesystem::exists(metrics)) return;
  write_file_atomically(svg, draw_svg(read_panels(metrics)));
}

}  // namespace raven::report

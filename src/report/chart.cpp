#include "report/chart.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>

#include "raven/report/curves.h"
#include "report/html.h"

namespace raven::report {
namespace {

constexpr double kWidth = 360, kHeight = 190;
constexpr double kLeft = 46, kRight = 10, kTop = 8, kBottom = 24;
constexpr std::size_t kSpikesAmong = 100;  // fewer values are all shown
constexpr std::size_t kDotsBelow = 25;     // few points are seen better with dots

struct Axis {
  double low = 0, high = 1;
  double from = 0, to = 1;  // pixels
  [[nodiscard]] double pixel(double value) const {
    return from + (value - low) / (high - low) * (to - from);
  }
};

void widen(Axis& axis) {
  constexpr double kLeastRange = 1e-100;
  const double size = std::max(std::abs(axis.high), std::abs(axis.low));
  if (axis.high - axis.low > std::max(size * 1e-9, kLeastRange)) return;
  const double margin = size < kLeastRange ? 1 : size / 2;
  axis.low -= margin;
  axis.high += margin;
}

/// All values, but single spikes do not press the rest flat: they leave the picture.
Axis value_axis(const std::vector<ChartSeries>& series) {
  std::vector<double> values;
  for (const auto& [name, track, colour] : series) {
    for (const auto& bucket : track->buckets()) values.push_back(bucket.mean());
  }
  std::sort(values.begin(), values.end());
  const auto quantile = [&](double share) {
    return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
  };
  const double low = quantile(0.01), high = quantile(0.99), room = 0.75 * (high - low);
  Axis axis{.low = values.front(), .high = values.back()};
  if (room > 0 && values.size() >= kSpikesAmong) {
    axis.low = std::max(axis.low, low - room);
    axis.high = std::min(axis.high, high + room);
  }
  widen(axis);
  const double margin = 0.04 * (axis.high - axis.low);
  axis.low -= margin;
  axis.high += margin;
  return axis;
}

Axis step_axis(const std::vector<ChartSeries>& series) {
  Axis axis{.low = INFINITY, .high = -INFINITY};
  for (const auto& [name, track, colour] : series) {
    axis.low = std::min(axis.low, track->first().step);
    axis.high = std::max(axis.high, track->last().step);
  }
  widen(axis);
  return axis;
}

std::string text_at(double x, double y, const char* anchor, const std::string& text) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>", x, y, anchor,
                     escaped(text));
}

std::string draw_axes(const Axis& x, const Axis& y, const ChartOptions& options) {
  std::string svg;
  for (const double tick : axis_ticks(y.low, y.high, 4)) {
    svg += fmt::format("<path class=\"{}\" d=\"M{:.1f} {:.1f}H{:.1f}\"/>",
                       tick == 0 ? "zero" : "grid", x.from, y.pixel(tick), x.to);
    svg += text_at(x.from - 5, y.pixel(tick) + 3.5, "end", axis_text(tick, options.percent));
  }
  for (const double written : axis_ticks(x.low * options.x_scale, x.high * options.x_scale, 4)) {
    const double tick = written / options.x_scale;
    svg += fmt::format("<path class=\"tick\" d=\"M{:.1f} {:.1f}v3\"/>", x.pixel(tick), y.from);
    // Numbers at the very edges stand inside.
    const bool at_end = x.pixel(tick) > x.to - 12, at_start = x.pixel(tick) < x.from + 8;
    svg += text_at(at_end     ? x.to + 6
                   : at_start ? x.from - 2
                              : x.pixel(tick),
                   y.from + 15,
                   at_end     ? "end"
                   : at_start ? "start"
                              : "middle",
                   axis_text(written, false));
  }
  svg += text_at(x.from - 5, y.from + 15, "end", options.x_label);
  svg += fmt::format("<path class=\"tick\" d=\"M{:.1f} {:.1f}V{:.1f}H{:.1f}\"/>", x.from, y.to,
                     y.from, x.to);
  return svg + "\n";
}

std::string style_of(std::size_t colour) {
  return fmt::format("c{}{}", colour % kNumColours, colour >= kNumColours ? " dash" : "");
}

std::string draw_band(const Track& track, const Axis& x, const Axis& y, std::size_t colour) {
  std::string there, back;
  for (const auto& bucket : track.buckets()) {
    there += fmt::format("{:.1f},{:.1f} ", x.pixel(bucket.step()), y.pixel(bucket.highest));
    back = fmt::format("{:.1f},{:.1f} ", x.pixel(bucket.step()), y.pixel(bucket.lowest)) + back;
  }
  return fmt::format("<polygon class=\"band {}\" points=\"{}{}\"/>", style_of(colour), there, back);
}

std::string draw_line(const ChartSeries& series, const Axis& x, const Axis& y) {
  std::string points, dots;
  const auto& buckets = series.track->buckets();
  for (const auto& bucket : buckets) {
    const double px = x.pixel(bucket.step()), py = y.pixel(bucket.mean());
    points += fmt::format("{:.2f},{:.2f} ", px, py);
    if (buckets.size() < kDotsBelow) {
      dots += fmt::format("<circle class=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.6\"/>",
                          style_of(series.colour), px, py);
    }
  }
  return fmt::format("<polyline class=\"{}\" data-name=\"{}\" points=\"{}\"/>{}\n",
                     style_of(series.colour), escaped(series.name, 80), points, dots);
}

std::string value_text(double value, bool percent) {
  return percent ? percent_text(value) : number_text(value);
}

std::string short_text(double value, bool percent) {
  return percent ? percent_text(value) : number_text(value, 3);
}

std::string draw_legend(const ChartOptions& options, const std::vector<ChartSeries>& series) {
  std::string legend = "<ul class=\"legend\">";
  for (const auto& item : series) {
    legend +=
        fmt::format("<li><i class=\"{}\"></i>{} <b>{}</b></li>", style_of(item.colour),
                    escaped(item.name, 80), short_text(item.track->last().value, options.percent));
  }
  return legend + "</ul>";
}

std::string numbers_table(const ChartOptions& options, const std::vector<ChartSeries>& series) {
  std::string rows =
      "<thead><tr><th>series</th><th class=\"n\">first</th><th class=\"n\">last</th>"
      "<th class=\"n\">lowest</th><th class=\"n\">highest</th><th "
      "class=\"n\">points</th></tr></thead>";
  const auto at = [&](const Point& point) {
    return number_cell(
        fmt::format("{} <small>at {} {}</small>", value_text(point.value, options.percent),
                    escaped(options.x_label), number_text(point.step * options.x_scale)));
  };
  for (const auto& item : series) {
    rows += fmt::format("<tr><th scope=\"row\">{}</th>", escaped(item.name, 80)) +
            number_cell(value_text(item.track->first().value, options.percent)) +
            number_cell(value_text(item.track->last().value, options.percent)) +
            at(item.track->lowest()) + at(item.track->highest()) +
            number_cell(count_text(item.track->count())) + "</tr>";
  }
  return table(options.title, rows);
}

/// What the picture shows, in words.
std::string description(const ChartOptions& options, const std::vector<ChartSeries>& series) {
  std::string text;
  for (const auto& item : series) {
    text += fmt::format("{}{} from {} to {}", text.empty() ? "" : "; ", item.name,
                        value_text(item.track->first().value, options.percent),
                        value_text(item.track->last().value, options.percent));
  }
  return escaped(text, 600);
}

}  // namespace

std::string axis_text(double value, bool percent) {
  if (percent) return fmt::format("{:g} %", std::round(value * 1e6) / 1e4);
  const double size = std::abs(value);
  if (size >= 1e9) return fmt::format("{:g}G", value / 1e9);
  if (size >= 1e6) return fmt::format("{:g}M", value / 1e6);
  if (size >= 1e4) return fmt::format("{:g}k", value / 1e3);
  return fmt::format("{:g}", std::round(value * 1e9) / 1e9);
}

std::string chart(const ChartOptions& options, const std::vector<ChartSeries>& given) {
  std::vector<ChartSeries> series;
  for (const auto& item : given) {
    if (item.track != nullptr && !item.track->empty()) series.push_back(item);
  }
  if (series.empty()) return {};
  auto x = step_axis(series);
  auto y = value_axis(series);
  x.from = kLeft;
  x.to = kWidth - kRight;
  y.from = kHeight - kBottom;
  y.to = kTop;
  // The inner picture cuts off what lies beyond the axes; its coordinates are those of the outer
  // one.
  std::string curves = fmt::format(
      "<svg x=\"{0:g}\" y=\"{1:g}\" width=\"{2:g}\" height=\"{3:g}\" viewBox=\"{0:g} {1:g} {2:g} "
      "{3:g}\">",
      kLeft - 3, kTop - 3, kWidth - kLeft - kRight + 6, kHeight - kTop - kBottom + 6);
  for (const auto& item : series) {
    if (item.track->thinned()) curves += draw_band(*item.track, x, y, item.colour);
  }
  for (const auto& item : series) curves += draw_line(item, x, y);
  curves += "</svg>";
  const auto meaning =
      options.meaning.empty() ? "" : fmt::format("<small>{}</small>", escaped(options.meaning));
  return fmt::format(
      "<figure class=\"chart\"><figcaption><b>{0}</b>{1}</figcaption>"
      "<svg class=\"plot\" viewBox=\"0 0 {2:g} {3:g}\" role=\"img\" aria-label=\"{0}: {4}\" "
      "data-x=\"{5:g} {6:g} {7:g} {8:g}\" data-y=\"{9:.8g} {10:.8g} {11:g} {12:g}\" "
      "data-label=\"{18}\"{13}>"
      "<title>{0}</title>{14}{15}</svg><output></output>{16}{17}</figure>\n",
      escaped(options.title), meaning, kWidth, kHeight, description(options, series),
      x.low * options.x_scale, x.high * options.x_scale, x.from, x.to, y.low, y.high, y.from, y.to,
      options.percent ? " data-percent=\"1\"" : "", draw_axes(x, y, options), curves,
      draw_legend(options, series), details("numbers", numbers_table(options, series)),
      escaped(options.x_label));
}

}  // namespace raven::report

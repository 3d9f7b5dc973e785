#include "report/chart.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <optional>

#include "report/html.h"

namespace raven::report {
namespace {

constexpr double kWidth = 360, kHeight = 190;
constexpr double kLeft = 46, kRight = 10, kTop = 8, kBottom = 24;
constexpr double kSecondRow = 13;          // of numbers below the axis
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

struct Range {
  double low = INFINITY, high = -INFINITY;
  void add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  [[nodiscard]] double size() const { return high - low; }
};

/// Where a curve is worth a look: all of it, but for a far-off start (where asked for) and, among
/// many values, single spikes.
Range shown_range(const ChartSeries& series, bool cut_start) {
  constexpr double kWorthCutting = 4;  // times higher is what is left drawn
  constexpr std::size_t kStartIsOneIn = 20;
  std::vector<double> values;
  std::size_t in_warmup = 0;
  for (const auto& bucket : series.track->buckets()) {
    values.push_back(bucket.mean());
    in_warmup += bucket.first_step <= series.settled_after ? 1 : 0;
  }
  if (in_warmup + 2 <= values.size())
    values.erase(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(in_warmup));
  std::vector<Range> from(values.size());  // of a value and all after it
  for (std::size_t i = values.size(); i-- > 0;) {
    if (i + 1 < values.size()) from[i] = from[i + 1];
    from[i].add(values[i]);
  }
  std::size_t first = 0;
  const auto longest_start = std::max<std::size_t>(1, values.size() / kStartIsOneIn);
  for (std::size_t i = 1; cut_start && i <= longest_start && i + 1 < values.size(); ++i) {
    if (from[i].size() <= 0 || kWorthCutting * from[i].size() >= from[0].size()) continue;
    first = i;
    break;
  }
  auto range = from[first];
  values.erase(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(first));
  std::sort(values.begin(), values.end());
  const auto quantile = [&](double share) {
    return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
  };
  const double low = quantile(0.01), high = quantile(0.99), room = 0.75 * (high - low);
  if (room > 0 && values.size() >= kSpikesAmong) {
    range.low = std::max(range.low, low - room);
    range.high = std::min(range.high, high + room);
  }
  return range;
}

Axis value_axis(const std::vector<ChartSeries>& series, bool cut_start) {
  Range all;
  for (const auto& item : series) {
    const auto range = shown_range(item, cut_start);
    all.add(range.low);
    all.add(range.high);
    for (const auto& bucket : item.track->buckets()) {
      if (!item.band || bucket.mean() < range.low || bucket.mean() > range.high) continue;
      all.add(bucket.lowest);
      all.add(bucket.highest);
    }
  }
  Axis axis{.low = all.low, .high = all.high};
  widen(axis);
  const double margin = 0.04 * (axis.high - axis.low);
  axis.low -= margin;
  axis.high += margin;
  return axis;
}

Axis step_axis(const std::vector<ChartSeries>& series) {
  Axis axis{.low = INFINITY, .high = -INFINITY};
  for (const auto& item : series) {
    axis.low = std::min(axis.low, item.track->first().step * item.x_scale);
    axis.high = std::max(axis.high, item.track->last().step * item.x_scale);
  }
  widen(axis);
  return axis;
}

/// With three significant digits.
double short_number(double value) {
  if (value == 0) return 0;
  const double unit = std::pow(10.0, std::floor(std::log10(std::abs(value))) - 2);
  return std::round(value / unit) * unit;
}

double height_of(const ChartOptions& options) {
  return kHeight + (options.frames_at_1 > 0 ? kSecondRow : 0);
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
    const auto write = [&](double at, const std::string& text) {
      svg += text_at(at_end     ? x.to + 6
                     : at_start ? x.from - 2
                                : x.pixel(tick),
                     at,
                     at_end     ? "end"
                     : at_start ? "start"
                                : "middle",
                     text);
    };
    write(y.from + 15, axis_text(written, false));
    if (options.frames_at_1 > 0)
      write(y.from + 15 + kSecondRow, axis_text(short_number(tick * options.frames_at_1), false));
  }
  svg += text_at(x.from - 5, y.from + 15, "end", options.x_label);
  if (options.frames_at_1 > 0)
    svg += text_at(x.from - 5, y.from + 15 + kSecondRow, "end", "frames");
  svg += fmt::format("<path class=\"tick\" d=\"M{:.1f} {:.1f}V{:.1f}H{:.1f}\"/>", x.from, y.to,
                     y.from, x.to);
  return svg + "\n";
}

std::string style_of(std::size_t colour) {
  return fmt::format("c{}{}", colour % kNumColours, colour >= kNumColours ? " dash" : "");
}

std::string draw_band(const ChartSeries& series, const Axis& x, const Axis& y) {
  std::string there, back;
  for (const auto& bucket : series.track->buckets()) {
    const double px = x.pixel(bucket.step() * series.x_scale);
    there += fmt::format("{:.1f},{:.1f} ", px, y.pixel(bucket.highest));
    back = fmt::format("{:.1f},{:.1f} ", px, y.pixel(bucket.lowest)) + back;
  }
  return fmt::format("<polygon class=\"band {}\" points=\"{}{}\"/>", style_of(series.colour), there,
                     back);
}

std::string draw_line(const ChartSeries& series, const Axis& x, const Axis& y) {
  std::string points, dots;
  const auto& buckets = series.track->buckets();
  for (const auto& bucket : buckets) {
    const double px = x.pixel(bucket.step() * series.x_scale), py = y.pixel(bucket.mean());
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

/// The farthest value above and below the picture, at its edges.
std::string tell_beyond(const ChartOptions& options, const std::vector<ChartSeries>& series,
                        const Axis& x, const Axis& y) {
  struct Place {
    double value = 0, x = 0;
  };
  std::optional<Place> highest, lowest;
  for (const auto& item : series) {
    for (const auto& bucket : item.track->buckets()) {
      const Place place{.value = bucket.mean(), .x = bucket.step() * item.x_scale};
      if (place.value > (highest ? highest->value : y.high)) highest = place;
      if (place.value < (lowest ? lowest->value : y.low)) lowest = place;
    }
  }
  const auto note = [&](const std::optional<Place>& place, const char* arrow, double at) {
    if (!place) return std::string();
    return text_at(x.to - 2, at, "end",
                   fmt::format("{} {} at {} {}", arrow, short_text(place->value, options.percent),
                               options.x_label, axis_text(place->x * options.x_scale, false)));
  };
  return note(highest, "\xE2\x86\x91", y.to + 9) + note(lowest, "\xE2\x86\x93", y.from - 4);
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
  const auto at = [&](const ChartSeries& item, const Point& point) {
    return number_cell(fmt::format(
        "{} <small>at {} {}</small>", value_text(point.value, options.percent),
        escaped(options.x_label), number_text(point.step * item.x_scale * options.x_scale)));
  };
  for (const auto& item : series) {
    rows += fmt::format("<tr><th scope=\"row\">{}</th>", escaped(item.name, 80)) +
            number_cell(value_text(item.track->first().value, options.percent)) +
            number_cell(value_text(item.track->last().value, options.percent)) +
            at(item, item.track->lowest()) + at(item, item.track->highest()) +
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

std::vector<ChartSeries> with_points(const std::vector<ChartSeries>& given) {
  std::vector<ChartSeries> series;
  for (const auto& item : given) {
    if (item.track != nullptr && !item.track->empty()) series.push_back(item);
  }
  return series;
}

struct Plot {
  Axis x, y;
  std::string markup;  // inside an <svg> of kWidth x kHeight
};

Plot draw_plot(const ChartOptions& options, const std::vector<ChartSeries>& series) {
  Plot plot{.x = step_axis(series), .y = value_axis(series, options.cut_start), .markup = {}};
  auto& [x, y, markup] = plot;
  x.from = kLeft;
  x.to = kWidth - kRight;
  y.from = kHeight - kBottom;
  y.to = kTop;
  markup = draw_axes(x, y, options);
  // The inner picture cuts off what lies beyond the axes; its coordinates are those of the outer
  // one.
  markup += fmt::format(
      "<svg x=\"{0:g}\" y=\"{1:g}\" width=\"{2:g}\" height=\"{3:g}\" viewBox=\"{0:g} {1:g} {2:g} "
      "{3:g}\">",
      kLeft - 3, kTop - 3, kWidth - kLeft - kRight + 6, kHeight - kTop - kBottom + 6);
  for (const auto& item : series) {
    if (item.band || item.track->thinned()) markup += draw_band(item, x, y);
  }
  for (const auto& item : series) markup += draw_line(item, x, y);
  markup += "</svg>" + tell_beyond(options, series, x, y);
  return plot;
}

// A file of charts: each has its title, meaning, legend and plot below one another.
constexpr std::size_t kFileColumns = 2;
constexpr double kFileMargin = 14, kFileWidth = 460, kFilePlotWidth = 440;
constexpr double kFileTitle = 16, kFileLine = 15, kFileGap = 20;
constexpr double kFileCharacter = 6.1;  // about, in the legend
constexpr std::array<const char*, kNumColours> kFileColours = {
    "#0b6fb8", "#d1495b", "#2a9d4a", "#8e5bc0", "#d98a00", "#b02a78", "#2f7a8c", "#4a4a4a"};

std::string file_style() {
  std::string style =
      "text{font:11px sans-serif;fill:#555}.title{font:bold 13px sans-serif;fill:#222}"
      "path{fill:none;stroke:#888}.grid{stroke:#e4e4e4}.zero{stroke:#888;stroke-dasharray:2 3}"
      "polyline{fill:none;stroke:currentColor;stroke-width:1.6;stroke-linejoin:round}"
      "polygon{fill:currentColor;opacity:.16}circle{fill:currentColor}.dash{stroke-dasharray:6 3}";
  for (std::size_t i = 0; i < kNumColours; ++i) {
    style += fmt::format(".c{}{{color:{}}}", i, kFileColours[i]);
  }
  return style;
}

struct FilePanel {
  double height = 0;
  std::string markup;
};

FilePanel draw_file_panel(const ChartOptions& options, const std::vector<ChartSeries>& series) {
  double y = kFileTitle;
  auto markup =
      fmt::format("<text class=\"title\" y=\"{:g}\">{}</text>\n", y - 4, escaped(options.title));
  if (!options.meaning.empty()) {
    y += kFileLine;
    markup += text_at(0, y - 4, "start", options.meaning);
  }
  double x = 0;
  y += kFileLine;
  for (const auto& item : series) {
    const auto text =
        fmt::format("{} {}", item.name, short_text(item.track->last().value, options.percent));
    const double width = 24 + kFileCharacter * static_cast<double>(text.size()) + 12;
    if (x > 0 && x + width > kFilePlotWidth) {
      x = 0;
      y += kFileLine;
    }
    markup += fmt::format("<polyline class=\"{}\" points=\"{:g},{:g} {:g},{:g}\"/>",
                          style_of(item.colour), x, y - 8, x + 18, y - 8);
    markup += text_at(x + 24, y - 4, "start", text) + "\n";
    x += width;
  }
  const double plot_height = kFilePlotWidth * height_of(options) / kWidth;
  markup += fmt::format(
      "<svg y=\"{:g}\" width=\"{:g}\" height=\"{:g}\" viewBox=\"0 0 {:g} {:g}\">{}</svg>\n", y,
      kFilePlotWidth, plot_height, kWidth, height_of(options), draw_plot(options, series).markup);
  return {.height = y + plot_height + kFileGap, .markup = std::move(markup)};
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

std::string chart(const ChartOptions& options, const std::vector<ChartSeries>& given) {
  const auto series = with_points(given);
  if (series.empty()) return {};
  const auto plot = draw_plot(options, series);
  const auto& [x, y, markup] = plot;
  const auto meaning =
      options.meaning.empty() ? "" : fmt::format("<small>{}</small>", escaped(options.meaning));
  return fmt::format(
      "<figure class=\"chart\"><figcaption><b>{0}</b>{1}</figcaption>"
      "<svg class=\"plot\" viewBox=\"0 0 {2:g} {3:g}\" role=\"img\" aria-label=\"{0}: {4}\" "
      "data-x=\"{5:g} {6:g} {7:g} {8:g}\" data-y=\"{9:.8g} {10:.8g} {11:g} {12:g}\" "
      "data-label=\"{17}\"{13}>"
      "<title>{0}</title>{14}</svg><output></output>{15}{16}</figure>\n",
      escaped(options.title), meaning, kWidth, height_of(options), description(options, series),
      x.low * options.x_scale, x.high * options.x_scale, x.from, x.to, y.low, y.high, y.from, y.to,
      options.percent ? " data-percent=\"1\"" : "", markup, draw_legend(options, series),
      details("numbers", numbers_table(options, series)), escaped(options.x_label));
}

std::string chart_file(const std::vector<Chart>& charts) {
  std::vector<FilePanel> panels;
  for (const auto& [options, given] : charts) {
    const auto series = with_points(given);
    if (!series.empty()) panels.push_back(draw_file_panel(options, series));
  }
  std::string content;
  double top = kFileMargin;
  for (std::size_t i = 0; i < panels.size(); i += kFileColumns) {
    double height = 0;
    for (std::size_t j = i; j < std::min(i + kFileColumns, panels.size()); ++j) {
      content +=
          fmt::format("<g transform=\"translate({:g},{:g})\">\n{}</g>\n",
                      kFileMargin + static_cast<double>(j - i) * kFileWidth, top, panels[j].markup);
      height = std::max(height, panels[j].height);
    }
    top += height;
  }
  constexpr double kAll = kFileColumns * kFileWidth;
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:g}\" height=\"{1:g}\" "
      "viewBox=\"0 0 {0:g} {1:g}\">\n<style>{2}</style>\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{3}</svg>\n",
      kAll, top, file_style(), content);
}

}  // namespace raven::report

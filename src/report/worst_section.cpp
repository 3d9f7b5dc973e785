#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <sstream>

#include "raven/media/image_writer.h"
#include "raven/media/media.h"
#include "report/html.h"
#include "report/sections.h"

namespace raven::report {
namespace {

constexpr std::size_t kOpenAtFirst = 6, kUtterancesListed = 200;
constexpr auto kFramesPerSecond = static_cast<double>(media::kFrameRateHz);

const char* kind_name(char kind) {
  return kind == 'S' ? "heard as" : kind == 'D' ? "missing" : kind == 'I' ? "added" : "";
}

std::string word_item(const AlignedWord& word) {
  const std::string gap = "<span class=\"gap\" aria-hidden=\"true\">\xC2\xB7</span>";
  const auto upper =
      word.reference.empty() ? gap : "<span>" + escaped(word.reference, 200) + "</span>";
  const auto lower =
      word.hypothesis.empty() ? gap : "<span>" + escaped(word.hypothesis, 200) + "</span>";
  if (word.kind == '=')
    return fmt::format("<li><span>{}</span></li>", escaped(word.reference, 200));
  const auto spoken = fmt::format("<span class=\"vh\">{}</span>", kind_name(word.kind));
  // Heard in the order of reading: "sheep heard as sheet", "missing the", "added a".
  return word.kind == 'S'
             ? fmt::format("<li class=\"S\">{}{}{}</li>", upper, spoken, lower)
             : fmt::format("<li class=\"{}\">{}{}{}</li>", word.kind, spoken, upper, lower);
}

std::string frames_text(const std::optional<double>& frames) {
  return frames ? fmt::format(" \xC2\xB7 {:.1f} s", *frames / kFramesPerSecond) : "";
}

std::string sentence(const std::string& name, const std::string& text) {
  return fmt::format("<p><small>{}</small> {}</p>", name,
                     text.empty() ? "<em class=\"soft\">(empty)</em>" : escaped(text));
}

std::string utterance_card(const WorstUtterance& worst, const EvaluationRecord& evaluation,
                           std::size_t rank) {
  std::string why;
  for (const auto& reason : reasons(worst, evaluation))
    why += "<li>" + escaped(reason, 300) + "</li>";
  const auto words = worst.words.empty() ? sentence("said", worst.reference) +
                                               sentence("recognised", worst.hypothesis)
                                         : aligned_words_list(worst.words);
  std::string crops = "<p><small>No mouth crops were kept.</small></p>";
  if (!worst.crops_png.empty()) {
    crops = fmt::format(
        "<div class=\"scroll crops\" tabindex=\"0\" role=\"region\" aria-label=\"mouth crops of "
        "{0}\">"
        "<img loading=\"lazy\" alt=\"mouth crops of {0}, in the order of time\" src=\"{1}\"></div>",
        escaped(worst.id, 120), data_uri("image/png", worst.crops_png));
  }
  return fmt::format(
      "<article class=\"card utterance\"><header><span class=\"soft\">{}.</span>"
      "<span class=\"rate bad\">{}</span><h4 class=\"mono\">{}</h4><small>{}{}</small></header>"
      "<ul class=\"why\">{}</ul>{}{}</article>\n",
      rank, wer_text(worst.wer), escaped(worst.id, 120),
      worst.speaker.empty() ? "" : "speaker " + escaped(worst.speaker, 60),
      frames_text(worst.frames), why, words, crops);
}

std::string worst_cards(const EvaluationRecord& evaluation) {
  std::string shown, rest;
  for (std::size_t i = 0; i < evaluation.worst.size(); ++i) {
    (i < kOpenAtFirst ? shown : rest) += utterance_card(evaluation.worst[i], evaluation, i + 1);
  }
  auto out = "<div class=\"worst\">" + shown + "</div>\n";
  if (!rest.empty()) {
    out += details(fmt::format("{} more", evaluation.worst.size() - kOpenAtFirst),
                   "<div class=\"worst\">" + rest + "</div>");
  }
  return out;
}

/// How many utterances have how many errors.
std::string spread_of_errors(const EvaluationRecord& evaluation) {
  constexpr std::array<const char*, 5> kNames = {"none", "up to 25 %", "up to 50 %", "up to 100 %",
                                                 "more"};
  std::array<int, 5> counts{};
  for (const auto& u : evaluation.utterances) {
    const double rate = u.words > 0 ? u.errors / u.words : u.errors > 0 ? 2 : 0;
    ++counts[rate == 0 ? 0 : rate <= 0.25 ? 1 : rate <= 0.5 ? 2 : rate <= 1 ? 3 : 4];
  }
  std::string rows =
      "<thead><tr><th>words wrong</th><th class=\"n\">utterances</th><th "
      "class=\"n\">share</th></tr></thead>";
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const double share =
        counts[i] / std::max<double>(static_cast<double>(evaluation.utterances.size()), 1);
    rows += fmt::format(
        "<tr><th scope=\"row\">{}</th>{}<td class=\"n bar\" style=\"--v:{:.1f}\">{}</td></tr>",
        kNames[i], number_cell(count_text(counts[i])), 100 * share, percent_text(share));
  }
  return table("How errors spread over utterances", rows);
}

std::string utterance_list(const EvaluationRecord& evaluation) {
  if (evaluation.utterances.empty()) return {};
  std::vector<const UtteranceResult*> sorted;
  for (const auto& u : evaluation.utterances) sorted.push_back(&u);
  const auto rate = [](const UtteranceResult* u) {
    return u->errors > 0 ? u->errors / u->words : 0;  // infinite without words
  };
  std::stable_sort(sorted.begin(), sorted.end(),
                   [&](const auto* a, const auto* b) { return rate(a) > rate(b); });
  std::string rows =
      "<thead><tr><th>id</th><th "
      "class=\"n\">errors</th><th>said</th><th>recognised</th></tr></thead>";
  // Evenly spaced from the worst to the best.
  const auto count = std::min(sorted.size(), kUtterancesListed);
  for (std::size_t i = 0; i < count; ++i) {
    const auto& u = *sorted[count < 2 ? 0 : i * (sorted.size() - 1) / (count - 1)];
    rows += fmt::format(
        "<tr><td class=\"mono long\">{}</td>{}<td class=\"long\">{}</td><td "
        "class=\"long\">{}</td></tr>\n",
        escaped(u.id, 120), number_cell(wer_text(rate(&u))), escaped(u.reference, 400),
        escaped(u.hypothesis, 400));
  }
  const auto title = sorted.size() > count
                         ? fmt::format("{} of {} utterances, from the worst to the best", count,
                                       count_text(evaluation.num_utterances))
                         : fmt::format("all {} utterances, from the worst to the best", count);
  return details(title, table(title, rows));
}

struct Colour {
  double red, green, blue;
};

/// Dark violet to yellow, equally well seen on light and dark pages (viridis at five places).
Colour heat(double value) {
  constexpr std::array<Colour, 5> kStops = {
      {{68, 1, 84}, {59, 82, 139}, {33, 145, 140}, {94, 201, 98}, {253, 231, 37}}};
  const double place = std::clamp(value, 0.0, 1.0) * (kStops.size() - 1);
  const auto below = std::min(static_cast<std::size_t>(place), kStops.size() - 2);
  const double share = place - static_cast<double>(below);
  const auto mix = [share](double a, double b) { return a + share * (b - a); };
  const auto &a = kStops[below], &b = kStops[below + 1];
  return {mix(a.red, b.red), mix(a.green, b.green), mix(a.blue, b.blue)};
}

std::string heat_map_png(const std::vector<std::vector<double>>& weights) {
  double most = 0;
  for (const auto& row : weights) {
    for (const double value : row) most = std::max(most, value);
  }
  std::vector<std::uint8_t> pixels;
  for (const auto& row : weights) {
    for (const double value : row) {
      const auto colour = heat(most > 0 ? value / most : 0);
      for (const double part : {colour.red, colour.green, colour.blue}) {
        pixels.push_back(static_cast<std::uint8_t>(std::lround(part)));
      }
    }
  }
  return media::encode_png(pixels, std::ssize(weights), std::ssize(weights[0]), 3);
}

std::string attention_table(const AttentionPicture& picture) {
  std::string rows =
      "<thead><tr><th>unit</th><th class=\"n\">looks most at</th><th class=\"n\">weight "
      "there</th></tr></thead>";
  for (std::size_t i = 0; i < picture.weights.size(); ++i) {
    const auto& row = picture.weights[i];
    const auto most = std::max_element(row.begin(), row.end());
    if (most == row.end()) continue;
    rows +=
        fmt::format("<tr><th scope=\"row\">{}</th>{}{}</tr>", escaped(picture.units[i], 40),
                    number_cell(fmt::format(
                        "{:.2f} s", static_cast<double>(most - row.begin()) / kFramesPerSecond)),
                    number_cell(number_text(*most)));
  }
  for (const auto& [frame, unit] : picture.ctc) {
    rows += fmt::format(
        "<tr><th scope=\"row\">{} (CTC)</th>{}{}</tr>", escaped(unit, 40),
        number_cell(fmt::format("{:.2f} s", static_cast<double>(frame) / kFramesPerSecond)),
        number_cell(""));
  }
  return details("numbers", table("Where units look", rows));
}

std::string time_axis(double left, double width, double y, std::int64_t frames) {
  std::string svg;
  const double seconds = static_cast<double>(frames) / kFramesPerSecond;
  const double step = seconds > 10 ? 2 : seconds > 4 ? 1 : seconds > 1.5 ? 0.5 : 0.2;
  for (int i = 0; i * step <= seconds; ++i) {
    const double x = left + width * i * step / seconds;
    svg += fmt::format(
        "<path class=\"tick\" d=\"M{0:.1f} {1:.1f}v4\"/><text x=\"{0:.1f}\" y=\"{2:.1f}\" "
        "text-anchor=\"middle\">{3:g} s</text>",
        x, y, y + 15, i * step);
  }
  return svg;
}

/// Units that CTC emits, below the picture, each at its frame; neighbours stand on other lines.
std::string ctc_track(const AttentionPicture& picture, double left, double width, double y,
                      std::int64_t frames) {
  constexpr int kLines = 3;
  constexpr double kLineHeight = 13;
  std::string svg = fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">CTC</text>",
                                left - 6, y + 11);
  for (std::size_t i = 0; i < picture.ctc.size(); ++i) {
    const auto& [frame, unit] = picture.ctc[i];
    const double x =
        left + width * (static_cast<double>(frame) + 0.5) / static_cast<double>(frames);
    const double line = y + 11 + kLineHeight * static_cast<double>(i % kLines);
    svg += fmt::format(
        "<path class=\"tick\" d=\"M{0:.1f} {1:.1f}V{2:.1f}\"/><text x=\"{0:.1f}\" y=\"{3:.1f}\" "
        "text-anchor=\"middle\">{4}</text>",
        x, y - 4, line - 9, line, escaped(unit, 12));
  }
  return svg;
}

}  // namespace

std::string aligned_words_list(const std::vector<AlignedWord>& words) {
  std::string items;
  for (const auto& word : words) items += word_item(word);
  return "<ol class=\"words\" aria-label=\"reference above, hypothesis below\">" + items + "</ol>";
}

std::string attention_figure(const AttentionPicture& picture) {
  std::int64_t frames = picture.weights.empty() ? 0 : std::ssize(picture.weights[0]);
  for (const auto& [frame, unit] : picture.ctc) frames = std::max(frames, frame + 1);
  if (frames == 0) return {};
  constexpr double kLeft = 90, kWidth = 800, kTop = 8;
  const double row = picture.weights.size() > 40 ? 8 : 14;
  const double height = row * static_cast<double>(picture.weights.size());
  std::string svg;
  if (height > 0) {
    const double shown =
        kWidth * static_cast<double>(picture.weights[0].size()) / static_cast<double>(frames);
    svg += fmt::format(
        "<image x=\"{:g}\" y=\"{:g}\" width=\"{:.1f}\" height=\"{:g}\" "
        "preserveAspectRatio=\"none\" "
        "href=\"{}\"/>",
        kLeft, kTop, shown, height, data_uri("image/png", heat_map_png(picture.weights)));
    for (std::size_t i = 0; row >= 10 && i < picture.units.size(); ++i) {
      svg +=
          fmt::format("<text x=\"{:g}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>", kLeft - 6,
                      kTop + row * (static_cast<double>(i) + 0.78), escaped(picture.units[i], 12));
    }
  }
  svg += time_axis(kLeft, kWidth, kTop + height, frames);
  const double below = kTop + height + 26;
  if (!picture.ctc.empty()) svg += ctc_track(picture, kLeft, kWidth, below, frames);
  return fmt::format(
      "<figure class=\"card attention\"><figcaption><b>Attention and CTC: {0}</b><small>Each row "
      "is a unit of the "
      "hypothesis, bright where the decoder looks. A falling diagonal is sound; a flat or "
      "scattered picture means that "
      "it guesses from the words before.</small></figcaption>"
      "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"attention of {0}\">"
      "<svg viewBox=\"0 0 900 {1:.0f}\" role=\"img\" aria-label=\"attention of {0}: {2} units over "
      "{3} frames\">{4}"
      "</svg></div>{5}</figure>\n",
      escaped(picture.id, 120), below + (picture.ctc.empty() ? 0 : 44), picture.weights.size(),
      frames, svg, attention_table(picture));
}

namespace {

/// The worst utterance's at once, the others folded.
std::string attention_figures(const std::vector<AttentionPicture>& pictures) {
  std::string first, others;
  for (const auto& picture : pictures)
    (first.empty() ? first : others) += attention_figure(picture);
  if (others.empty()) return first;
  return first + details(fmt::format("attention and CTC of {} more", pictures.size() - 1), others);
}

}  // namespace

std::string worst_section(const Runs& runs) {
  std::string first, others;
  for (const auto& run : runs) {
    for (const auto& evaluation : run.record.evaluations) {
      if (evaluation.worst.empty() && evaluation.utterances.empty() && evaluation.attention.empty())
        continue;
      auto name = escaped(evaluation.name, 120);
      if (runs.size() > 1) name += " \xC2\xB7 " + escaped(run.label, 120);
      std::string content;
      if (!evaluation.worst.empty()) content += worst_cards(evaluation);
      content += attention_figures(evaluation.attention);
      if (!evaluation.utterances.empty()) {
        content += "<div class=\"tables gap-above\"><div class=\"card\">" +
                   spread_of_errors(evaluation) + "</div></div>" + utterance_list(evaluation);
      }
      (first.empty() ? first : others) +=
          fmt::format("<details class=\"block\"{}><summary>{}</summary>{}</details>\n",
                      first.empty() ? " open" : "", name, content);
    }
  }
  if (first.empty()) return {};
  return "<section id=\"worst\"><h2>Worst utterances</h2>\n"
         "<p class=\"marks\">Above: what was said, below: what was recognised. "
         "<span class=\"S\">heard as another word</span><span class=\"D\">missing</span>"
         "<span class=\"I\">added</span></p>\n" +
         first + (others.empty() ? "" : details("the other results", others)) + "</section>\n";
}

}  // namespace raven::report

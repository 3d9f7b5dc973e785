#include <spdlog/fmt/fmt.h>

#include "report/chart.h"
#include "report/html.h"
#include "report/sections.h"

namespace raven::report {
namespace {

constexpr std::size_t kFindingsShown = 6;

const char* mood_class(Mood mood) {
  return mood == Mood::kGood ? "good" : mood == Mood::kBad ? "bad" : "unclear";
}

/// A mark beside the colour, for those who do not see it.
const char* mood_mark(Mood mood) {
  return mood == Mood::kGood ? "\xE2\x9C\x93" : mood == Mood::kBad ? "\xE2\x9C\x97" : "?";
}

std::string finding_item(const Finding& finding) {
  const auto more = finding.anchor.empty()
                        ? ""
                        : fmt::format(" <a href=\"#{}\">see</a>", escaped(finding.anchor));
  return fmt::format("<li class=\"{}\">{}{}</li>", finding.mood == Mood::kBad ? "bad" : "",
                     escaped(finding.text, 400), more);
}

std::string findings_list(const std::vector<Finding>& findings, Mood verdict) {
  // A tick below a verdict that is not good would deny it.
  if (findings.empty() && verdict != Mood::kGood) return "";
  if (findings.empty()) return "<p class=\"good\">\xE2\x9C\x93 Nothing looks suspicious.</p>";
  std::string shown, rest;
  for (std::size_t i = 0; i < findings.size(); ++i) {
    (i < kFindingsShown ? shown : rest) += finding_item(findings[i]);
  }
  auto out = fmt::format("<ul class=\"found\">{}</ul>", shown);
  if (!rest.empty()) {
    out += details(fmt::format("{} more", findings.size() - kFindingsShown),
                   "<ul class=\"found\">" + rest + "</ul>");
  }
  return out;
}

std::string figure(const std::string& name, const std::string& value) {
  return fmt::format("<div><dt>{}</dt><dd>{}</dd></div>", name, value);
}

std::string best_rate(const BestRate& best) {
  auto text = percent_text(best.wer);
  if (best.confidence) {
    text += fmt::format(" <small>{} to {}</small>", percent_text(best.confidence->first),
                        percent_text(best.confidence->second));
  }
  return figure("best WER, " + escaped(best.set, 80), text);
}

/// A link to the utterance with the most errors, where there is one.
std::string worst_link(const LabelledRun& run) {
  for (const auto& evaluation : run.record.evaluations) {
    if (evaluation.worst.empty()) continue;
    const auto& worst = evaluation.worst.front();
    const auto why = reasons(worst, evaluation);
    return figure("worst utterance", fmt::format("<a href=\"#worst\">{}</a> <small>{}: {}</small>",
                                                 escaped(worst.id, 60), wer_text(worst.wer),
                                                 escaped(why.size() > 1 ? why[1] : why[0], 160)));
  }
  return {};
}

/// How the recognizer, a mean of checkpoints, reads held-out clips beside the last of them.
std::string mean_of_checkpoints(const RunRecord& run) {
  if (!run.recognizer || !run.recognizer->wer_mean || !run.recognizer->wer_last) return {};
  return figure(
      fmt::format("mean of {} checkpoints, held-out WER", run.recognizer->steps.size()),
      fmt::format("{} <small>the last alone {}</small>", percent_text(*run.recognizer->wer_mean),
                  percent_text(*run.recognizer->wer_last)));
}

std::string key_figures(const LabelledRun& run) {
  std::string figures;
  const auto& metrics = run.record.metrics;
  if (run.assessment.best) figures += best_rate(*run.assessment.best);
  figures += worst_link(run);
  figures += mean_of_checkpoints(run.record);
  if (const auto* loss = metrics.find("loss")) {
    figures +=
        figure("loss", fmt::format("{} <small>from {}</small>", number_text(loss->last().value),
                                   number_text(loss->first().value)));
  }
  if (const auto* speed = metrics.find("frames_per_s")) {
    figures += figure("frames/s", number_text(speed->mean(0.1, 1)));
  }
  if (const auto* wait = metrics.find("wait_share")) {
    figures += figure("waiting for data", percent_text(wait->mean(0.1, 1)));
  }
  return figures.empty() ? "" : "<dl class=\"key\">" + figures + "</dl>";
}

}  // namespace

std::string summary_section(const Runs& runs) {
  std::string out = "<section id=\"summary\" class=\"runs\" aria-label=\"Summary\">\n";
  for (const auto& run : runs) {
    const auto& assessment = run.assessment;
    const auto heading =
        runs.size() > 1
            ? fmt::format(
                  "<h4><span class=\"c{}\" aria-hidden=\"true\">\xE2\x96\xAC</span> {}</h4>",
                  run.colour % kNumColours, escaped(run.label, 120))
            : "";
    out += fmt::format(
        "<article class=\"card\">{}<p class=\"soft\">{}<br>{}</p>"
        "<p class=\"verdict\"><span class=\"mood {}\">{}</span> {}</p>{}{}</article>\n",
        heading, escaped(assessment.what, 400), escaped(assessment.progress),
        mood_class(assessment.mood), mood_mark(assessment.mood), escaped(assessment.verdict, 600),
        key_figures(run), findings_list(assessment.suspicious, assessment.mood));
  }
  return out + "</section>\n";
}

}  // namespace raven::report

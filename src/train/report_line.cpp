#include "train/report_line.h"

#include <spdlog/fmt/fmt.h>

#include <optional>

#include "raven/config/loss_terms.h"
#include "raven/core/progress.h"
#include "raven/report/metric_names.h"

namespace raven::train {
namespace {

using report::metric;
using report::MetricFamily;
using report::MetricName;

constexpr double kGiga = 1e9;

std::optional<double> value_of(const Numbers& numbers, const std::string& name) {
  const auto found = numbers.find(name);
  return found == numbers.end() ? std::nullopt : std::optional(found->second);
}

std::optional<double> find(const Numbers& numbers, MetricName name) {
  return value_of(numbers, metric(name));
}

std::optional<double> find(const Numbers& numbers, MetricFamily family, std::string_view member) {
  return value_of(numbers, metric(family, member));
}

std::string labelled(std::string_view label, const std::optional<double>& value, int digits) {
  return value ? fmt::format("  {} {:.{}f}", label, *value, digits) : "";
}

std::string percent(std::string_view label, const std::optional<double>& value) {
  return value ? fmt::format("  {} {:.1f} %", label, 100 * *value) : "";
}

/// Each loss with its gain in brackets.
std::string losses(const Numbers& numbers, MetricFamily loss, MetricFamily gain) {
  std::string text;
  for (const auto& term : config::kLossTerms) {
    const auto name = term.name;
    text += labelled(name, find(numbers, loss, name), 3);
    if (const auto value = find(numbers, gain, name)) text += fmt::format(" ({:+.3f})", *value);
  }
  return text;
}

}  // namespace

std::string report_line(std::int64_t step, std::int64_t steps, const Numbers& numbers) {
  auto line = fmt::format("step {}/{}", step, steps);
  line += labelled("loss", find(numbers, "loss"), 4);
  line += losses(numbers, "<loss>", "gain_<loss>");
  line += labelled("ctc", find(numbers, "ctc"), 2);
  line += labelled("attention", find(numbers, "attention"), 2);
  line += labelled("accuracy", find(numbers, "accuracy"), 3);
  line += labelled("grad norm", find(numbers, "grad_norm"), 2);
  if (const auto lr = find(numbers, "lr")) line += fmt::format("  lr {:.2e}", *lr);
  if (const auto speed = find(numbers, "frames_per_s"))
    line += fmt::format("  {:.0f} frames/s", *speed);
  if (const auto share = find(numbers, "wait_share"))
    line += fmt::format("  waits {:.0f} %", 100 * *share);
  if (const auto ranks = find(numbers, "ranks")) {
    line += fmt::format("  {:.0f} ranks, wait {:.0f} %", *ranks,
                        100 * find(numbers, "ranks_wait_share").value_or(0));
    constexpr double kStraggles = 0.2;
    const auto share = find(numbers, "slowest_rank_share").value_or(0);
    if (share > kStraggles)
      line += fmt::format(", rank {:.0f} is {:.0f} % slower",
                          find(numbers, "slowest_rank").value_or(0), 100 * share);
  }
  if (const auto bytes = find(numbers, "rss_bytes"))
    line += fmt::format("  {:.1f} GB", *bytes / kGiga);
  if (const auto bytes = find(numbers, "device_bytes")) {
    line += fmt::format("  GPU {:.1f} GB", *bytes / kGiga);
  }
  if (const auto skipped = find(numbers, "skipped"); skipped && *skipped > 0) {
    line += fmt::format("  skipped {:.0f}", *skipped);
  }
  if (const auto step_s = find(numbers, "step_s"); step_s && step < steps) {
    line += "  left " + duration_text(*step_s * static_cast<double>(steps - step));
  }
  return line;
}

std::string held_out_line(std::int64_t step, const Numbers& numbers) {
  auto line = fmt::format("step {}  held out", step);
  line += labelled("loss", find(numbers, "valid_loss"), 4);
  line += labelled("perplexity", find(numbers, "valid_perplexity"), 1);
  line += labelled("bigram", find(numbers, "valid_perplexity_bigram"), 1);
  line += losses(numbers, "valid_<loss>", "valid_gain_<loss>");
  line += labelled("accuracy", find(numbers, "valid_accuracy"), 3);
  line += percent("WER ctc", find(numbers, "valid_wer_ctc"));
  line += percent("attention", find(numbers, "valid_wer_attention"));
  line += labelled("probe R2 video", find(numbers, "probe_r2_<modality>", "video"), 3);
  line += labelled("audio", find(numbers, "probe_r2_<modality>", "audio"), 3);
  return line;
}

}  // namespace raven::train

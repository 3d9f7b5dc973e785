#include "train/report_line.h"

#include <spdlog/fmt/fmt.h>

#include <array>
#include <optional>

#include "raven/core/progress.h"

namespace raven::train {
namespace {

constexpr std::array<const char*, 4> kTerms = {"v2v", "v2a", "a2a", "a2v"};
constexpr double kGiga = 1e9;

std::optional<double> find(const Numbers& numbers, const std::string& name) {
  const auto found = numbers.find(name);
  return found == numbers.end() ? std::nullopt : std::optional(found->second);
}

void append(std::string& line, const Numbers& numbers, const std::string& name,
            const std::string& label, int digits) {
  if (const auto value = find(numbers, name)) {
    line += fmt::format("  {} {:.{}f}", label, *value, digits);
  }
}

void append_percent(std::string& line, const Numbers& numbers, const std::string& name,
                    const std::string& label) {
  if (const auto value = find(numbers, name))
    line += fmt::format("  {} {:.1f} %", label, 100 * *value);
}

void append_terms(std::string& line, const Numbers& numbers, const std::string& prefix) {
  for (const std::string term : kTerms) {
    append(line, numbers, prefix + term, term, 3);
    if (const auto gain = find(numbers, prefix + "gain_" + term))
      line += fmt::format(" ({:+.3f})", *gain);
  }
}

}  // namespace

std::string report_line(std::int64_t step, std::int64_t steps, const Numbers& numbers) {
  auto line = fmt::format("step {}/{}", step, steps);
  append(line, numbers, "loss", "loss", 4);
  append_terms(line, numbers, "");
  append(line, numbers, "ctc", "ctc", 2);
  append(line, numbers, "attention", "attention", 2);
  append(line, numbers, "accuracy", "accuracy", 3);
  append(line, numbers, "grad_norm", "grad norm", 2);
  if (const auto lr = find(numbers, "lr")) line += fmt::format("  lr {:.2e}", *lr);
  if (const auto speed = find(numbers, "frames_per_s"))
    line += fmt::format("  {:.0f} frames/s", *speed);
  if (const auto share = find(numbers, "wait_share"))
    line += fmt::format("  waits {:.0f} %", 100 * *share);
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
  append(line, numbers, "valid_loss", "loss", 4);
  append_terms(line, numbers, "valid_");
  append(line, numbers, "valid_accuracy", "accuracy", 3);
  append_percent(line, numbers, "valid_wer_ctc", "WER ctc");
  append_percent(line, numbers, "valid_wer_attention", "attention");
  append(line, numbers, "probe_r2_video", "probe R2 video", 3);
  append(line, numbers, "probe_r2_audio", "audio", 3);
  return line;
}

}  // namespace raven::train

#include "raven/train/metrics.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <utility>
#include <vector>

#include "core/parse_json.h"
#include "raven/core/error.h"
#include "raven/core/files.h"

namespace raven::train {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr const char* kTrain = "train";
constexpr const char* kHeldOut = "held_out";

struct Line {
  std::string text;  // without its end
  std::int64_t step = 0;
  Json content;

  /// The group that Metrics::write was given: every report of training tells the epoch.
  [[nodiscard]] std::string group() const { return content.contains("epoch") ? kTrain : kHeldOut; }
};

/// Nothing for a line that is no whole object with a step.
std::optional<Line> parse(const std::string& text) {
  Line line{.text = text, .content = parse_json<Json>(text)};
  if (!line.content.is_object()) return std::nullopt;
  const auto step = line.content.find("step");
  if (step == line.content.end() || !step->is_number_integer()) return std::nullopt;
  line.step = step->get<std::int64_t>();
  return line;
}

std::vector<Line> lines_of(const std::string& content) {
  std::vector<Line> lines;
  std::istringstream in(content);
  for (std::string text; std::getline(in, text);) {
    if (auto line = parse(text)) lines.push_back(std::move(*line));
  }
  return lines;
}

/// Keeps the lines for which `keep` says so, and the last of those of one group and step.
void drop_lines(const fs::path& file, const std::function<bool(const Line&)>& keep) {
  if (!fs::exists(file)) return;
  const auto content = read_file(file);
  auto lines = lines_of(content);
  std::map<std::pair<std::int64_t, std::string>, const Line*> last;
  for (const auto& line : lines) last[{line.step, line.group()}] = &line;
  std::string kept;
  for (const auto& line : lines) {
    if (keep(line) && last.at({line.step, line.group()}) == &line) kept += line.text + "\n";
  }
  if (kept != content) write_file_atomically(file, kept);
}

/// The step from which on event files are to be forgotten.
std::int64_t forgotten_from(std::int64_t step, bool evaluation_due) {
  if (step == 0) return 0;  // a run that starts again evaluates at step 0 anew
  return evaluation_due ? step : step + 1;
}

void append(const fs::path& file, const std::string& line) {
  const int out = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (out < 0)
    throw SystemError(fmt::format("cannot open {}: {}", file.string(), std::strerror(errno)));
  const auto written = ::write(out, line.data(), line.size());
  const int code = errno;
  ::close(out);
  if (written != static_cast<ssize_t>(line.size())) {
    throw SystemError(fmt::format("cannot write {}: {}", file.string(),
                                  written < 0 ? std::strerror(code) : "the disk is full"));
  }
}

}  // namespace

void count_skipped(const std::map<std::string, std::int64_t>& by_reason, const std::string& prefix,
                   Numbers& numbers) {
  double total = 0;
  for (const auto& [reason, count] : by_reason) {
    numbers[prefix + "skipped_" + reason] = static_cast<double>(count);
    total += static_cast<double>(count);
  }
  numbers[prefix + "skipped"] = total;
}

Metrics::Metrics(const fs::path& run, std::int64_t step, bool evaluation_due)
    : file_(run / "metrics.jsonl"),
      events_(run / "tensorboard", forgotten_from(step, evaluation_due)) {
  drop_lines(file_, [&](const Line& line) {
    if (step == 0) return false;  // a new run's first lines are those of step 0
    return line.step < step || (line.step == step && !(evaluation_due && line.group() == kHeldOut));
  });
  if (step > 0 && evaluation_due) repeat_events(step);
}

/// An event file forgets whole steps, but what training reported at this one stands.
void Metrics::repeat_events(std::int64_t step) {
  if (!fs::exists(file_)) return;
  for (const auto& line : lines_of(read_file(file_))) {
    if (line.step != step) continue;
    std::map<std::string, double> scalars;
    for (const auto& [name, value] : line.content.items()) {
      if (name == "step" || !(value.is_number() || value.is_null())) continue;
      scalars[line.group() + "/" + name] =
          value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
    }
    events_.write(step, scalars);
  }
}

void Metrics::flush() {
  if (fs::exists(file_)) {
    flush_to_disk(file_);
    if (!std::exchange(is_named_on_disk_, true)) flush_to_disk(file_.parent_path());
  }
  events_.flush();
}

void Metrics::write(std::int64_t step, const std::string& tag, const Numbers& numbers) {
  nlohmann::ordered_json line{{"step", step}};
  std::map<std::string, double> scalars;
  for (const auto& [name, value] : numbers) {
    line[name] = std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json();
    scalars[tag + "/" + name] = value;
  }
  append(file_, line.dump() + "\n");
  events_.write(step, scalars);
}

}  // namespace raven::train

#include "raven/train/metrics.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <sstream>

#include "raven/core/error.h"
#include "raven/core/files.h"

namespace raven::train {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

/// The line's step; nothing for a line that is no whole object with a step.
std::optional<std::int64_t> step_of(const std::string& line) {
  const auto content = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!content.is_object()) return std::nullopt;
  const auto step = content.find("step");
  if (step == content.end() || !step->is_number_integer()) return std::nullopt;
  return step->get<std::int64_t>();
}

void drop_lines_beyond(const fs::path& file, std::int64_t last_step) {
  if (!fs::exists(file)) return;
  std::istringstream lines(read_file(file));
  std::string kept;
  for (std::string line; std::getline(lines, line);) {
    const auto step = step_of(line);
    if (step && *step <= last_step) kept += line + "\n";
  }
  write_file_atomically(file, kept);
}

void append(const fs::path& file, const std::string& line) {
  const int out = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
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

Metrics::Metrics(const fs::path& run, std::int64_t step)
    : file_(run / "metrics.jsonl"), events_(run / "tensorboard", step) {
  // A new run keeps nothing: its first lines are those of step 0.
  drop_lines_beyond(file_, step > 0 ? step : -1);
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

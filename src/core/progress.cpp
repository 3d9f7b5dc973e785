#include "raven/core/progress.h"

#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <utility>

#include "raven/core/utf8.h"

namespace raven {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

std::string duration_text(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::llround(seconds < 0 ? 0 : seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  if (whole < 48 * 3600) return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
  return fmt::format("{} d {:02} h", whole / 86400, whole / 3600 % 24);
}

Progress::Progress(std::string title, std::int64_t total, std::string unit)
    : title_(std::move(title)),
      unit_(std::move(unit)),
      total_(total),
      terminal_(::isatty(STDERR_FILENO) == 1),
      start_(Clock::now()),
      last_(start_) {}

Progress::~Progress() {
  if (open_line_) std::fputc('\n', stderr);
}

void Progress::update(std::int64_t done, const std::string& note) {
  done_ = done;
  const bool last = done >= total_;
  if (!last && seconds_since(last_) < (terminal_ ? 0.1 : 10.0)) return;
  last_ = Clock::now();
  print(note);
}

void Progress::print(const std::string& note) {
  const double elapsed = seconds_since(start_);
  const double rate = elapsed > 0 ? static_cast<double>(done_) / elapsed : 0;
  std::string line =
      fmt::format("{}  {}/{}{}", title_, done_, total_, unit_.empty() ? "" : " " + unit_);
  if (total_ > 0)
    line +=
        fmt::format("  {:.0f} %", 100.0 * static_cast<double>(done_) / static_cast<double>(total_));
  if (rate > 0) {
    line += fmt::format(
        "  {:.1f}/s  {} {}", rate, done_ < total_ ? "left" : "took",
        duration_text(done_ < total_ ? static_cast<double>(total_ - done_) / rate : elapsed));
  }
  if (!note.empty()) line += "  " + note;
  line = for_terminal(line);
  if (terminal_) {
    fmt::print(stderr, "\r{}\x1b[K", line);
    open_line_ = true;
  } else {
    fmt::print(stderr, "{}\n", line);
  }
  std::fflush(stderr);
}

}  // namespace raven

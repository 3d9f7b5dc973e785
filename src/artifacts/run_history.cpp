#include "raven/artifacts/run_history.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "core/descriptor.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/log.h"

namespace raven::artifacts {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMostBytes = 64ULL << 20;

std::string now_utc() {
  const auto now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text.data();
}

/// A line that was cut short is no beginning of the next one.
void remove_torn_line(const fs::path& file) {
  if (!fs::exists(file)) return;
  const auto text = read_file(file, kMostBytes);
  const auto whole = text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1;
  if (whole < text.size()) fs::resize_file(file, whole);
}

}  // namespace

RunHistory::RunHistory(const fs::path& run) : file_(run / report::kHistoryFile) {
  if (fs::exists(file_)) earlier_ = report::parse_history(read_file(file_, kMostBytes));
}

void RunHistory::start(report::RunStart start) {
  start.time = now_utc();
  append(report::line_of(start));
  is_running_ = true;
  began_ = std::chrono::steady_clock::now();
}

void RunHistory::stop(std::int64_t step, const std::string& reason) {
  if (!is_running_) return;
  try {
    append(report::line_of(report::RunStop{
        .time = now_utc(), .step = step, .reason = reason, .seconds = seconds_of_this()}));
  } catch (const std::exception& error) {
    log::warn("how the run ended is not kept: {}", error.what());
  }
}

double RunHistory::seconds() const { return report::seconds_of(earlier_) + seconds_of_this(); }

double RunHistory::seconds_of_this() const {
  if (!is_running_) return 0;
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
}

void RunHistory::append(const std::string& line) const {
  remove_torn_line(file_);
  const Descriptor out(file_, O_WRONLY | O_CREAT | O_APPEND);
  if (out.value() < 0)
    throw SystemError(fmt::format("cannot open {}: {}", file_.string(), std::strerror(errno)));
  const auto written = ::write(out.value(), line.data(), line.size());
  if (written == static_cast<ssize_t>(line.size())) return;
  throw SystemError(fmt::format("cannot write {}: {}", file_.string(),
                                written < 0 ? std::strerror(errno) : "the disk is full"));
}

}  // namespace raven::artifacts

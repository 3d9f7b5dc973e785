#include "raven/core/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>

#include <map>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>

#include "raven/core/utf8.h"

namespace raven::log {
namespace {

std::mutex warnings_mutex;
struct Warning {
  std::string message;  // as first given
  int times = 0;
};

std::map<std::string, Warning> warnings;  // by key

/// A message as it may be shown. What follows a line's end is set in, so that no name and no
/// transcript can pass for a message of its own.
std::string shown(std::string_view message) {
  std::string out;
  for (const char c : for_terminal(message)) {
    if (!out.empty() && out.back() == '\n' && c != ' ' && c != '\n') out += "  ";
    out += c;
  }
  return out;
}

/// spdlog's own patterns over messages that are fit to be shown.
class Formatter : public spdlog::formatter {
 public:
  explicit Formatter(std::string pattern) : pattern_(std::move(pattern)), formatter_(pattern_) {}

  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    const auto text = shown({message.payload.data(), message.payload.size()});
    auto copy = message;
    copy.payload = text;
    formatter_.format(copy, out);
    message.color_range_start = copy.color_range_start;
    message.color_range_end = copy.color_range_end;
  }

  [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<Formatter>(pattern_);
  }

 private:
  std::string pattern_;
  spdlog::pattern_formatter formatter_;
};

}  // namespace

void start(const std::string& level) {
  auto logger = std::make_shared<spdlog::logger>(
      "raven", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  logger->set_formatter(std::make_unique<Formatter>("%^%H:%M:%S %L%$ %v"));
  logger->set_level(spdlog::level::from_str(level));
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

void start_rank(int rank) {
  if (rank == 0) return;
  auto* logger = spdlog::default_logger_raw();
  logger->set_formatter(
      std::make_unique<Formatter>(fmt::format("%^%H:%M:%S %L%$ [rank {}] %v", rank)));
  if (logger->level() < spdlog::level::warn) logger->set_level(spdlog::level::warn);
}

AlsoTo::AlsoTo(const std::filesystem::path& file)
    : sink_(std::make_shared<spdlog::sinks::basic_file_sink_mt>(file.string())) {
  sink_->set_formatter(std::make_unique<Formatter>("%Y-%m-%d %H:%M:%S %L %v"));
  spdlog::default_logger()->sinks().push_back(sink_);
}

AlsoTo::~AlsoTo() { std::erase(spdlog::default_logger()->sinks(), sink_); }

void warn_once(const std::string& message) { warn_once(message, message); }

void warn_once(const std::string& key, const std::string& message) {
  bool first = false;
  {
    const std::lock_guard lock(warnings_mutex);
    auto& warning = warnings[key];
    first = ++warning.times == 1;
    if (first) warning.message = message;
  }
  if (first) spdlog::warn("{}", message);
}

void repeated() {
  std::map<std::string, Warning> seen;
  {
    const std::lock_guard lock(warnings_mutex);
    seen.swap(warnings);
  }
  for (const auto& [key, warning] : seen) {
    if (warning.times > 1) spdlog::warn("{} times: {}", warning.times, warning.message);
  }
}

}  // namespace raven::log

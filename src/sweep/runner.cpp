#include "raven/sweep/runner.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <memory>
#include <string_view>
#include <thread>

#include "raven/core/child.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/interrupt.h"
#include "raven/core/lines.h"
#include "raven/core/log.h"

namespace raven::sweep {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPollEvery{50};
constexpr std::chrono::seconds kTellEvery{10};
constexpr std::ptrdiff_t kMostReasonLines = 4;
constexpr std::size_t kMostReasonBytes = 500;

/// "12:34:56 I text"
bool is_log_line(std::string_view line) {
  return line.size() > 8 && line[2] == ':' && line[5] == ':' && line[8] == ' ';
}

/// What a program says last is mostly why it ended: its message, which may have several lines, or
/// the last line of its log.
std::string last_words(const fs::path& log) {
  std::vector<std::string> message;
  std::string logged;
  try {
    const auto content = read_file(log);
    Lines lines(content);
    while (const auto line = lines.next()) {
      if (line->find_first_not_of(" \t\r") == std::string_view::npos) continue;
      if (is_log_line(*line)) {
        message.clear();
        logged = *line;
      } else {
        message.emplace_back(*line);
      }
    }
  } catch (const Error&) {
    return {};  // there is none; the exit code is told all the same
  }
  if (message.empty()) return logged.substr(0, kMostReasonBytes);
  if (std::ssize(message) > kMostReasonLines)
    message.erase(message.begin(), message.end() - kMostReasonLines);
  return fmt::format("{}", fmt::join(message, "; ")).substr(0, kMostReasonBytes);
}

Outcome outcome_of(int code, bool was_asked, const fs::path& log) {
  if (code == static_cast<int>(ExitCode::kDone)) return {.state = State::kDone, .reason = ""};
  // One that had only just started does not watch signals yet.
  if (code == static_cast<int>(ExitCode::kStopped) || (was_asked && code == -SIGTERM))
    return {.state = State::kStopped, .reason = "stopped by a signal"};
  auto reason =
      code < 0 ? fmt::format("ended by signal {}", -code) : fmt::format("exit code {}", code);
  if (const auto words = last_words(log); !words.empty()) reason += ": " + words;
  return {.state = State::kFailed, .reason = std::move(reason)};
}

class Runner {
 public:
  Runner(const std::vector<Run>& runs, const std::vector<bool>& todo, const RunnerOptions& options)
      : runs_(runs), options_(options), outcomes_(runs.size()), children_(runs.size()) {
    for (std::size_t i = 0; i < runs.size(); ++i) {
      if (!todo[i]) outcomes_[i].state = State::kDone;
    }
  }

  std::vector<Outcome> run() {
    make_folders(options_.logs);
    while (true) {
      const bool stop = options_.stop.stop_requested();
      if (stop) {
        for (const auto& child : children_) {
          if (child) child->ask_to_stop();
        }
      } else {
        begin_next();
      }
      if (num_running() == 0) break;
      tell(/*changed=*/false);
      std::this_thread::sleep_for(kPollEvery);
      take_ended();
    }
    return std::move(outcomes_);
  }

 private:
  [[nodiscard]] std::int64_t num_running() const {
    return std::count_if(children_.begin(), children_.end(),
                         [](const auto& child) { return child != nullptr; });
  }

  [[nodiscard]] fs::path log_of(std::size_t i) const {
    return options_.logs / (runs_[i].name + ".txt");
  }

  void begin_next() {
    while (next_ < runs_.size() && num_running() < options_.jobs) {
      const auto i = next_++;
      if (outcomes_[i].state == State::kDone) continue;
      try {
        children_[i] = std::make_unique<Child>(options_.program, runs_[i].arguments,
                                               Child::Settings{.log = log_of(i)});
        outcomes_[i].state = State::kRunning;
      } catch (const SystemError& error) {
        outcomes_[i] = {.state = State::kFailed, .reason = error.what()};
      }
      tell(/*changed=*/true);
    }
  }

  void take_ended() {
    for (std::size_t i = 0; i < children_.size(); ++i) {
      if (!children_[i]) continue;
      const auto code = children_[i]->poll();
      if (!code) continue;
      outcomes_[i] = outcome_of(*code, children_[i]->was_asked(), log_of(i));
      children_[i].reset();
      if (outcomes_[i].state == State::kFailed)
        log::warn("{} failed: {}", runs_[i].name, outcomes_[i].reason);
      if (outcomes_[i].state == State::kDone && options_.done) options_.done(i);
      tell(/*changed=*/true);
    }
  }

  void tell(bool changed) {
    if (!options_.tell || (!changed && Clock::now() - told_ < kTellEvery)) return;
    told_ = Clock::now();
    options_.tell(outcomes_);
  }

  const std::vector<Run>& runs_;
  const RunnerOptions& options_;
  std::vector<Outcome> outcomes_;
  std::vector<std::unique_ptr<Child>> children_;  // those that run
  std::size_t next_ = 0;
  Clock::time_point told_;
};

}  // namespace

std::string state_name(State state) {
  switch (state) {
    case State::kNotBegun:
      return "not begun";
    case State::kRunning:
      return "running";
    case State::kDone:
      return "done";
    case State::kStopped:
      return "stopped";
    case State::kFailed:
      return "failed";
  }
  return {};
}

std::vector<Outcome> run_all(const std::vector<Run>& runs, const std::vector<bool>& todo,
                             const RunnerOptions& options) {
  return Runner(runs, todo, options).run();
}

}  // namespace raven::sweep

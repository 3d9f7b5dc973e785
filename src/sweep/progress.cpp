#include "raven/sweep/progress.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <numeric>

#include "core/parse_json.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/progress.h"
#include "raven/report/final_numbers.h"

namespace raven::sweep {
namespace {

/// Less is no ground for a time.
constexpr double kLeastProgress = 0.002;

/// Steps of the whole run, as it has written them down at its start; 0: not yet.
double num_steps(const Run& run) {
  const auto file = run.folder / "environment.json";
  if (!std::filesystem::exists(file)) return 0;
  const auto json = parse_json(read_file(file));
  if (!json.is_object() || !json.contains("steps") || !json["steps"].is_string()) return 0;
  const auto text = json["steps"].get<std::string>();
  double steps = 0;
  std::from_chars(text.data(), text.data() + text.size(), steps);
  return steps;
}

double mean(const std::vector<double>& shares) {
  return std::accumulate(shares.begin(), shares.end(), 0.0) / static_cast<double>(shares.size());
}

}  // namespace

double share_done(const Run& run) {
  try {
    const auto steps = num_steps(run);
    return steps > 0 ? std::clamp(report::final_numbers(run.folder).step / steps, 0.0, 1.0) : 0;
  } catch (const Error&) {
    return 0;  // a file that is being replaced, or damaged: the run itself says so
  }
}

std::string progress_line(const std::vector<Run>& runs, const std::vector<Outcome>& outcomes,
                          const std::vector<double>& shares, double at_start, double seconds) {
  std::vector<std::string> running;
  std::int64_t done = 0, failed = 0;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    done += outcomes[i].state == State::kDone ? 1 : 0;
    failed += outcomes[i].state == State::kFailed ? 1 : 0;
    if (outcomes[i].state == State::kRunning)
      running.push_back(fmt::format("{} {:.0f} %", runs[i].name, 100 * shares[i]));
  }
  auto line = fmt::format("{} of {} runs done", done, runs.size());
  if (failed > 0) line += fmt::format(", {} failed", failed);
  if (!running.empty())
    line += fmt::format(", {} running ({})", running.size(), fmt::join(running, ", "));
  const double share = mean(shares), gained = share - at_start;
  line += fmt::format(", {:.0f} % of all", 100 * share);
  if (gained >= kLeastProgress && share < 1)
    line += ", left " + duration_text(seconds * (1 - share) / gained);
  return line;
}

SweepProgress::SweepProgress(const std::vector<Run>& runs, const std::vector<bool>& todo)
    : runs_(runs) {
  std::vector<double> shares;
  for (std::size_t i = 0; i < runs.size(); ++i) shares.push_back(todo[i] ? share_done(runs[i]) : 1);
  at_start_ = mean(shares);
}

std::string SweepProgress::line(const std::vector<Outcome>& outcomes) const {
  std::vector<double> shares;
  for (std::size_t i = 0; i < runs_.size(); ++i) {
    const auto state = outcomes[i].state;
    // A failed run takes no more time.
    shares.push_back(state == State::kDone || state == State::kFailed ? 1 : share_done(runs_[i]));
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start_;
  return progress_line(runs_, outcomes, shares, at_start_, seconds.count());
}

}  // namespace raven::sweep

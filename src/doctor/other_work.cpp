#include "raven/doctor/other_work.h"

#include <sched.h>
#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "core/text_file.h"

namespace raven::doctor {
namespace {

constexpr double kLeastSeconds = 0.2;  // /proc/stat counts in hundredths of a second
constexpr double kSpareCores = 0.25;   // what a quiet system does beside a program

double seconds_of(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

std::set<std::int64_t> own_cores() {
  std::set<std::int64_t> cores;
  cpu_set_t mine;
  CPU_ZERO(&mine);
  if (::sched_getaffinity(0, sizeof(mine), &mine) != 0) return cores;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &mine)) cores.insert(core);
  }
  return cores;
}

}  // namespace

double parse_busy_seconds(std::string_view stat, const std::set<std::int64_t>& cores,
                          double ticks_per_s) {
  double ticks = 0;
  for (const auto line : split(stat, '\n')) {
    const auto parts = split(line, ' ');  // cpu3 user nice system idle iowait irq softirq steal ...
    if (parts.size() < 9 || !parts[0].starts_with("cpu")) continue;
    const auto core = whole_number(parts[0].substr(3));
    if (!core || !cores.contains(*core)) continue;
    for (const std::size_t part : {1, 2, 3, 6, 7, 8}) {
      ticks += static_cast<double>(whole_number(parts[part]).value_or(0));
    }
  }
  return ticks / ticks_per_s;
}

OtherWork::OtherWork() : cores_(own_cores()), begin_(take()) {}

std::optional<OtherWork::Sample> OtherWork::take() const {
  const auto stat = read_text("/proc/stat");
  if (!stat || cores_.empty()) return std::nullopt;
  return Sample{
      .wall_s = seconds_of(CLOCK_MONOTONIC),
      .busy_s = parse_busy_seconds(*stat, cores_, static_cast<double>(::sysconf(_SC_CLK_TCK))),
      .own_s = seconds_of(CLOCK_PROCESS_CPUTIME_ID)};
}

std::optional<double> OtherWork::cores_taken() const {
  const auto end = take();
  if (!begin_ || !end) return std::nullopt;
  const double wall_s = end->wall_s - begin_->wall_s;
  if (wall_s < kLeastSeconds) return std::nullopt;
  const double others_s = (end->busy_s - begin_->busy_s) - (end->own_s - begin_->own_s);
  return std::clamp(others_s / wall_s, 0.0, static_cast<double>(cores_.size()));
}

std::string other_work_text(double taken, std::int64_t cores, std::int64_t threads) {
  const double left = static_cast<double>(cores) - taken;
  if (left >= static_cast<double>(std::min(threads, cores)) - kSpareCores) return "";
  return fmt::format("other programs keep {:.1f} of {} core{} busy", taken, cores,
                     cores == 1 ? "" : "s");
}

Findings check_other_work(std::optional<double> taken, std::int64_t cores, std::int64_t threads) {
  if (!taken) return {};
  const auto busy = other_work_text(*taken, cores, threads);
  if (!busy.empty()) {
    return {{.id = "cpu.other_work",
             .level = Level::kWarning,
             .what = fmt::format("{}, LibTorch uses {} threads", busy, threads),
             .means = "steps take about twice as long: threads wait for the one that was displaced",
             .remedy = "end the other programs (top shows them), or give threads= as many cores as "
                       "they leave"}};
  }
  return {{.id = "cpu.other_work",
           .what = fmt::format("other programs use {:.1f} of {} core{}", *taken, cores,
                               cores == 1 ? "" : "s")}};
}

}  // namespace raven::doctor

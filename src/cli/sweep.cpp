// `raven sweep`
#include "raven/config/sweep_config.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "cli/commands.h"
#include "cli/find_program.h"
#include "cli/print.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/folder_lock.h"
#include "raven/core/log.h"
#include "raven/report/page.h"
#include "raven/sweep/progress.h"
#include "raven/sweep/runner.h"
#include "raven/sweep/runs.h"
#include "raven/sweep/shell.h"
#include "raven/sweep/table.h"

namespace raven::cli {
namespace {

namespace fs = std::filesystem;
using sweep::Outcome;
using sweep::Run;
using sweep::State;

constexpr const char* kDescription =
    "Trains the runs of an ablation: a configuration with a grid or a list of overrides, each with "
    "every seed, one after another or --jobs at a time. FILE says which (docs/sweeps.md); a bare "
    "name is also looked up in the installed configs. Each run has a folder of its own in the "
    "sweep's dir. At the end sweep.tsv, sweep.json and report.html there compare them: mean and "
    "standard deviation over seeds of what they have reached.\n"
    "The same command goes on after a stop: finished runs are left alone, begun ones go on from "
    "their checkpoints, failed ones are tried again. Runs may be added to FILE, not changed. A "
    "signal (SIGINT, SIGTERM, SIGHUP, SIGUSR1) ends the runs with checkpoints, exit code 75; a run "
    "that fails is told and does not keep the others, exit code 1 at the end.";

fs::path own_program() {
  auto program = find_program("raven");
  if (program.empty()) {
    throw SystemError("raven sweep: the program raven is neither beside this one nor on PATH");
  }
  return program;
}

/// Runs at a time that take every core each only slow each other down.
void warn_of_threads(const std::vector<Run>& runs, std::int64_t jobs) {
  const auto takes_all = [](const Run& run) { return run.config.at("threads") == "0"; };
  if (jobs > 1 && std::any_of(runs.begin(), runs.end(), takes_all)) {
    log::warn(
        "--jobs {}: runs with threads=0 take a thread for each core; give each its share in the "
        "sweep's overrides: threads=N",
        jobs);
  }
}

void write_results(const sweep::Table& table, const std::vector<Run>& runs,
                   const std::vector<Outcome>& outcomes, const fs::path& dir) {
  write_file_atomically(dir / "sweep.tsv", to_tsv(table));
  write_file_atomically(dir / "sweep.json", to_json(table));
  std::vector<fs::path> folders;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (outcomes[i].state == State::kDone) folders.push_back(runs[i].folder);
  }
  if (folders.empty()) return;
  report::write_page(folders, dir / "report.html");
  print(to_text(table));
  print(fmt::format("{}\n", (dir / "report.html").string()));
}

std::int64_t count(const std::vector<Outcome>& outcomes, State state) {
  return std::count_if(outcomes.begin(), outcomes.end(),
                       [&](const Outcome& outcome) { return outcome.state == state; });
}

/// What has become of the runs, for the log and the exit code.
ExitCode conclude(const std::vector<Run>& runs, const std::vector<Outcome>& outcomes, bool stop) {
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (outcomes[i].state == State::kFailed)
      log::error("{} failed, {}", runs[i].name, outcomes[i].reason);
  }
  const auto done = count(outcomes, State::kDone);
  if (done == std::ssize(runs)) return ExitCode::kDone;
  const auto failed = count(outcomes, State::kFailed);
  log::warn("{}{} of {} runs are done, {} failed; the same command goes on from there",
            stop ? fmt::format("stopped by signal {}: ", received_signal()) : "", done, runs.size(),
            failed);
  return failed > 0 && !stop ? ExitCode::kFailed : ExitCode::kStopped;
}

ExitCode train(const config::SweepConfig& config, const std::vector<Run>& runs, std::int64_t jobs) {
  const auto stop = watch_signals();
  const auto dir = sweep::folder_of(config);
  make_folders(dir);
  const FolderLock lock(dir);
  check_begun_runs(config, runs);
  warn_of_threads(runs, jobs);
  sweep::FinishedRuns finished(dir);
  std::vector<bool> todo;
  for (const auto& run : runs) todo.push_back(!finished.has(run));
  const sweep::SweepProgress progress(runs, todo);
  const auto outcomes =
      run_all(runs, todo,
              {.program = own_program(),
               .logs = dir / "logs",
               .jobs = jobs,
               .stop = stop,
               .tell = [&](const auto& now) { log::info("{}", progress.line(now)); },
               .done = [&](std::size_t i) { finished.add(runs[i]); }});
  if (!stop.stop_requested() || count(outcomes, State::kDone) == std::ssize(runs))
    write_results(make_table(config.name, runs, outcomes), runs, outcomes, dir);
  return conclude(runs, outcomes, stop.stop_requested());
}

ExitCode write_slurm_script(const config::SweepConfig& config, const std::vector<Run>& runs,
                            const Arguments& arguments) {
  check_begun_runs(config, runs);
  const auto file = arguments.path("--slurm");
  sweep::SlurmOptions options{.job_name = config.name,
                              .program = own_program(),
                              .working_folder = fs::current_path(),
                              .at_once = std::nullopt};
  if (arguments.given("--jobs")) options.at_once = arguments.integer("--jobs");
  write_file_atomically(file, slurm_script(runs, options));
  print(fmt::format("{}\n", file.string()));
  return ExitCode::kDone;
}

ExitCode run_sweep(const Arguments& arguments) {
  if (arguments.flag("--print") && arguments.given("--slurm")) {
    throw ConfigError("--print and --slurm are two things; give one of them");
  }
  const auto config = config::read_sweep(arguments.path("FILE"));
  const auto runs = sweep::runs_of(config);
  if (arguments.flag("--print")) {
    const auto program = own_program();
    for (const auto& run : runs) print_content(command_line(program, run) + "\n");
    return ExitCode::kDone;
  }
  if (arguments.given("--slurm")) return write_slurm_script(config, runs, arguments);
  return train(config, runs, arguments.integer("--jobs"));
}

}  // namespace

Command make_sweep_command() {
  return {
      .name = "sweep",
      .summary = "trains the runs of an ablation and compares them in one table",
      .description = kDescription,
      .positionals = {{.name = "FILE", .meaning = "the sweep: which runs there are"}},
      .options = {{.name = "--jobs",
                   .value = "N",
                   .meaning = "runs at a time",
                   .kind = ValueKind::kInteger,
                   .default_value = "1",
                   .range = config::between(1, 256)},
                  {.name = "--print",
                   .value = "",
                   .meaning = "only prints the command of each run, quoted for a shell"},
                  {.name = "--slurm",
                   .value = "SCRIPT",
                   .meaning = "only writes a script for sbatch: an array with a task for each run, "
                              "--jobs of them at a time if given; afterwards the command without "
                              "--slurm makes the table",
                   .kind = ValueKind::kFile}},
      .examples = {{"sweep sweeps/quickstart_masks.yaml",
                    "three masks with two seeds each on the quickstart's corpus: six runs"},
                   {"sweep masks.yaml --jobs 4",
                    "four runs at a time; again, to go on after a stop"},
                   {"sweep masks.yaml --slurm masks.sh", "then: sbatch --gpus=1 masks.sh"}},
      .run = run_sweep};
}

}  // namespace raven::cli

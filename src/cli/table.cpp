// `raven table`
#include <spdlog/fmt/fmt.h>

#include <cstdio>

#include "cli/commands.h"
#include "cli/print.h"
#include "raven/core/error.h"
#include "raven/core/log.h"
#include "raven/report/run_table.h"

namespace raven::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDescription =
    "Compares runs by what they have reached: a row for each set of settings, its runs over seeds "
    "as mean, standard deviation and number. Columns are the settings that differ, the error rates "
    "of each set that `raven evaluate` has scored, and what the runs tell of held-out clips: word "
    "error rates, losses, gains, probes. Rates are in percent. RUN is a run's folder, or one that "
    "holds runs (a sweep's dir).\n"
    "--base adds tests against the row of one run: over seeds (paired t-test of runs with the same "
    "seed) and, for error rates, over utterances (matched pairs, errors summed over the seeds). "
    "Notes tell which runs lack a number and why, and what may not be compared "
    "(docs/comparing.md).";

/// Throws ConfigError when two forms are asked for.
void check_form(const Arguments& arguments) {
  int forms = 0;
  for (const char* form : {"--csv", "--markdown", "--latex"}) forms += arguments.flag(form) ? 1 : 0;
  if (forms > 1) throw ConfigError("--csv, --markdown and --latex are three forms; give one");
}

ExitCode run_table_command(const Arguments& arguments) {
  check_form(arguments);
  const auto names = arguments.list("RUN");
  report::RunTableOptions options;
  options.by.clear();
  for (const auto& key : split_at_commas(arguments.text("--by"))) {
    if (key != "none") options.by.push_back(key);
  }
  if (arguments.given("--base")) options.base = arguments.path("--base");
  options.so_far = arguments.flag("--so-far");
  const auto table = report::run_table(report::runs_in({names.begin(), names.end()}), options);
  if (arguments.flag("--csv")) {
    print_content(to_csv(table));
    for (const auto& remark : table.remarks) log::warn("{}", remark);
  } else if (arguments.flag("--markdown")) {
    print_content(to_markdown(table));
  } else if (arguments.flag("--latex")) {
    print_content(to_latex(table));
  } else {
    print(to_text(table));
  }
  return ExitCode::kDone;
}

}  // namespace

Command make_table_command() {
  return {
      .name = "table",
      .summary = "many runs as one table, over their seeds",
      .description = kDescription,
      .positionals = {{.name = "RUN",
                       .meaning = "folder of a run (run.dir), or of several",
                       .kind = ValueKind::kFolder,
                       .repeated = true}},
      .options = {{.name = "--by",
                   .value = "KEYS",
                   .meaning =
                       "runs that differ in these keys alone share a row, as many as there are; "
                       "with the base they are paired by the first; none: each has its own",
                   .default_value = "run.seed"},
                  {.name = "--base",
                   .value = "RUN",
                   .meaning = "one of the runs: what the other rows are tested against",
                   .kind = ValueKind::kFolder},
                  {.name = "--so-far",
                   .value = "",
                   .meaning = "unfinished runs count as well, with the numbers that they have"},
                  {.name = "--csv",
                   .value = "",
                   .meaning =
                       "for programs: mean, deviation, n and p in columns of their own, rates as "
                       "fractions; notes go to the log"},
                  {.name = "--markdown", .value = "", .meaning = "for a page or an issue"},
                  {.name = "--latex", .value = "", .meaning = "a tabular of the package booktabs"}},
      .examples = {{"table runs/masks", "all runs of a sweep's folder"},
                   {"table runs/a-seed_* runs/b-seed_* --base runs/a-seed_1",
                    "is b more than chance away from a?"},
                   {"table runs/vsr_* --by run.seed,model.init --latex",
                    "fine-tunings of encoders that differ in their seed as well"}},
      .run = run_table_command};
}

}  // namespace raven::cli

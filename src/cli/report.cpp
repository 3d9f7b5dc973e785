// `raven report`
#include <spdlog/fmt/fmt.h>

#include <cstdio>

#include "cli/commands.h"
#include "cli/print.h"
#include "raven/core/error.h"
#include "raven/report/page.h"
#include "raven/report/run_table.h"

namespace raven::cli {
namespace {

namespace fs = std::filesystem;

ExitCode report(const Arguments& arguments) {
  const auto names = arguments.list("RUN");
  const auto folders = report::runs_in({names.begin(), names.end()});
  if (folders.size() > 1 && !arguments.given("--out")) {
    throw ConfigError("a report of several runs needs a place of its own: give --out FILE");
  }
  const auto file = arguments.given("--out") ? arguments.path("--out") : folders[0] / "report.html";
  if (fs::is_directory(file)) {
    throw ConfigError(fmt::format("--out {} is a folder, expected a file to write, such as {}",
                                  file.string(), (file / "report.html").string()));
  }
  report::write_page(folders, file);
  print(file.string() + "\n");
  return ExitCode::kDone;
}

}  // namespace

Command make_report_command() {
  return {
      .name = "report",
      .summary = "a run, or several side by side, as one HTML page",
      .description =
          "Reads what runs have written so far, finished or not: curves, speed, error rates, worst "
          "utterances with their mouth crops, rounds of self-training, transcripts, skipped files, "
          "configuration and environment, and "
          "what looks suspicious among them. The page is one file that loads nothing from "
          "elsewhere. What is missing or damaged is said in it. Prints the page's name.",
      .positionals = {{.name = "RUN",
                       .meaning =
                           "folder of a run (run.dir) or of several, of self-training, or of "
                           "transcripts",
                       .kind = ValueKind::kFolder,
                       .repeated = true}},
      .options = {{.name = "--out",
                   .value = "FILE",
                   .meaning = "the page; of a single run: RUN/report.html when not given",
                   .kind = ValueKind::kFile}},
      .examples = {{"report runs/lrs3", "writes runs/lrs3/report.html"},
                   {"report runs/pretrained runs/scratch --out comparison.html",
                    "two runs in the same diagrams and tables"}},
      .run = report};
}

}  // namespace raven::cli

// raven-synth: makes a corpus of talking faces.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <map>
#include <type_traits>

#include "raven/core/error.h"
#include "raven/core/home.h"
#include "raven/core/interrupt.h"
#include "raven/core/log.h"
#include "raven/core/utf8.h"
#include "synth/workers.h"

namespace {

using raven::ExitCode;
using raven::synth::Kind;
using raven::synth::ProgramOptions;

constexpr const char* kDescription =
    "Makes a corpus of talking faces in LRS3's layout: spoken by espeak-ng, drawn from its phoneme "
    "times, real .mp4 files with transcripts and landmarks. The same options give the same bytes.";

constexpr const char* kFooter = R"(
Examples:
  raven-synth --out corpus --utterances 200 --speakers 10
      200 clips of 2 to 4 seconds: 120 in pretrain, 60 in trainval, 20 in test, those by 2 speakers of their own.
  raven-synth --out grid --kind grid --utterances 2200 --speakers 50 --test-speakers 10 --workers 16
      sentences of six words, as the GRID corpus has them, made by 16 processes.

A run that was stopped goes on when the same command is given again; complete utterances are kept.
Set ESPEAK_DATA_PATH to the folder that holds espeak-ng-data where it is not installed.
Exit codes: 0 done, 1 failed, 2 wrong usage, 75 stopped by a signal.)";

void declare(CLI::App& app, ProgramOptions& options) {
  static const std::map<std::string, Kind> kinds(raven::synth::kKinds.begin(),
                                                 raven::synth::kKinds.end());
  const auto to_number = [](std::string& name) {
    const auto found = kinds.find(name);
    if (found == kinds.end())
      return fmt::format("there is no kind '{}', expected mix, grid, digits or open", name);
    name = std::to_string(static_cast<int>(found->second));
    return std::string();
  };
  app.footer(kFooter);
  app.set_version_flag("--version", "raven-synth " RAVEN_VERSION);
  app.option_defaults()->always_capture_default();
  raven::synth::list_options(options,
                             [&]<class Field>(const char* name, Field& field, const char* meaning) {
                               auto* option = app.add_option(name, field, meaning);
                               if constexpr (std::is_same_v<Field, Kind>) {
                                 option->transform(CLI::Validator(to_number, "", "kind"))
                                     ->type_name("mix|grid|digits|open")
                                     ->default_str(raven::synth::kind_name(field));
                               }
                             });
  app.get_option("--out")->required();
  app.get_option("--workers")->check(CLI::Range(0, 4096));
}

ExitCode run(const ProgramOptions& options) {
  auto corpus = raven::synth::resolved(options.corpus);
  corpus.out = raven::expand_home(corpus.out.native());
  const auto report = raven::synth::make_corpus(corpus, options.workers);
  const double rate = static_cast<double>(report.frames) / std::max(report.seconds, 1e-9);
  std::cout << raven::for_terminal(fmt::format(
      "{}: {} utterances made, {} kept; {} frames in {:.2f} s, {:.0f} frames/s\n",
      corpus.out.string(), report.made, report.kept, report.frames, report.seconds, rate));
  if (!report.stopped) return ExitCode::kDone;
  raven::log::warn("stopped; run the same command again to go on");
  return ExitCode::kStopped;
}

}  // namespace

int main(int argc, char** argv) {
  raven::prepare_process();
  CLI::App app(kDescription, "raven-synth");
  ProgramOptions options;
  declare(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(ExitCode::kUsage);
  }
  raven::log::start("info");
  try {
    return static_cast<int>(run(options));
  } catch (const raven::ConfigError& error) {
    raven::log::error("{}", raven::full_message(error));
    return static_cast<int>(ExitCode::kUsage);
  } catch (const std::exception& error) {
    raven::log::error("{}", raven::full_message(error));
    return static_cast<int>(ExitCode::kFailed);
  }
}

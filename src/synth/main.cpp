// raven-synth: makes a corpus of talking faces.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <map>

#include "raven/core/error.h"
#include "raven/core/interrupt.h"
#include "raven/core/log.h"
#include "synth/workers.h"

namespace {

using raven::ExitCode;
using raven::synth::CorpusOptions;
using raven::synth::Kind;

constexpr const char* kDescription =
    "Makes a corpus of talking faces in LRS3's layout: spoken by espeak-ng, drawn from its phoneme "
    "times, real .mp4 "
    "files with transcripts and landmarks. The same options give the same bytes.";

constexpr const char* kFooter = R"(
Examples:
  raven-synth --out corpus --utterances 200 --speakers 10
      200 clips of 2 to 4 seconds: 120 in pretrain, 60 in trainval, 20 in test, those by 2 speakers of their own.
  raven-synth --out grid --kind grid --utterances 2200 --speakers 50 --test-speakers 10 --workers 16
      sentences of six words, as the GRID corpus has them, made by 16 processes.

A run that was stopped goes on when the same command is given again; complete utterances are kept.
Set ESPEAK_DATA_PATH to the folder that holds espeak-ng-data where it is not installed.
Exit codes: 0 done, 1 failed, 2 wrong usage, 75 stopped by a signal.)";

struct CommandLine {
  CorpusOptions corpus;
  int workers = 0;
};

void declare(CLI::App& app, CommandLine& line) {
  static const std::map<std::string, Kind> kinds = {
      {"mix", Kind::kMix}, {"grid", Kind::kGrid}, {"digits", Kind::kDigits}, {"open", Kind::kOpen}};
  auto& corpus = line.corpus;
  app.footer(kFooter);
  app.set_version_flag("--version", "raven-synth " RAVEN_VERSION);
  app.option_defaults()->always_capture_default();
  app.add_option("--out", corpus.out, "Folder of the corpus")->required();
  app.add_option("--utterances", corpus.utterances,
                 "Number of clips: 6/10 pretrain, 3/10 trainval, 1/10 test");
  app.add_option("--speakers", corpus.speakers, "Number of faces and voices");
  app.add_option(
      "--test-speakers", corpus.test_speakers,
      "How many of the speakers, the last ones, are in the test set and nowhere else; -1: a fifth");
  app.add_option("--speaker-offset", corpus.speaker_offset,
                 "Number of the first speaker; another one gives another set of speakers");
  app.add_option("--seed", corpus.seed, "Of everything that is drawn at random");
  app.add_option("--kind", corpus.kind, "Sentences: grid, digits, open, or mix of these")
      ->transform(CLI::CheckedTransformer(kinds))
      ->type_name("mix|grid|digits|open")
      ->default_str("mix");
  app.add_option("--crf", corpus.crf, "H.264 quality, 0 (lossless) to 51");
  app.add_option("--workers", line.workers, "Processes; 0: one per core")
      ->check(CLI::Range(0, 4096));
}

ExitCode run(const CommandLine& line) {
  const auto report = raven::synth::make_corpus(raven::synth::resolved(line.corpus), line.workers);
  const double rate = static_cast<double>(report.frames) / std::max(report.seconds, 1e-9);
  std::cout << fmt::format(
      "{}: {} utterances made, {} kept; {} frames in {:.2f} s, {:.0f} frames/s\n",
      line.corpus.out.string(), report.made, report.kept, report.frames, report.seconds, rate);
  if (!report.stopped) return ExitCode::kDone;
  raven::log::warn("stopped; run the same command again to go on");
  return ExitCode::kStopped;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(kDescription, "raven-synth");
  CommandLine line;
  declare(app, line);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(ExitCode::kUsage);
  }
  raven::log::start("info");
  try {
    return static_cast<int>(run(line));
  } catch (const raven::ConfigError& error) {
    raven::log::error("{}", raven::full_message(error));
    return static_cast<int>(ExitCode::kUsage);
  } catch (const std::exception& error) {
    raven::log::error("{}", raven::full_message(error));
    return static_cast<int>(ExitCode::kFailed);
  }
}

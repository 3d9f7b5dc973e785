// `raven score`: error rates of transcripts that any program made, and two results compared.
#include <spdlog/fmt/fmt.h>

#include <cstdio>
#include <map>

#include "cli/commands.h"
#include "cli/print.h"
#include "raven/core/error.h"
#include "raven/core/log.h"
#include "raven/evaluation/comparison.h"
#include "raven/evaluation/nbest_list.h"
#include "raven/evaluation/results_table.h"
#include "raven/evaluation/scoring.h"
#include "raven/evaluation/transcript_file.h"

namespace raven::cli {
namespace {

namespace fs = std::filesystem;

text::BootstrapOptions bootstrap_of(const Arguments& arguments) {
  text::BootstrapOptions options;
  options.seed = static_cast<std::uint64_t>(arguments.integer("--seed"));
  options.resamples = std::max<std::int64_t>(arguments.integer("--bootstrap"), 1);
  return options;
}

ExitCode compare(const Arguments& arguments, const fs::path& a, const fs::path& b) {
  const auto comparison = evaluation::compare_folders(a, b, bootstrap_of(arguments));
  print(arguments.flag("--json") ? evaluation::to_json(comparison)
                                 : evaluation::to_text(comparison, a.string(), b.string()));
  return ExitCode::kDone;
}

/// The first folder against each of the others.
ExitCode compare_several(const Arguments& arguments, const std::vector<std::string>& folders) {
  std::vector<evaluation::Comparison> comparisons;
  for (std::size_t i = 1; i < folders.size(); ++i)
    comparisons.push_back(
        evaluation::compare_folders(folders.front(), folders[i], bootstrap_of(arguments)));
  if (arguments.flag("--json")) {
    for (const auto& comparison : comparisons) print(evaluation::to_json(comparison));
  } else {
    print(evaluation::to_text(comparisons, folders));
  }
  return ExitCode::kDone;
}

/// Of a list of several for each utterance the best, and all of them by id.
std::vector<evaluation::TranscriptLine> read_hypotheses(
    const fs::path& file, std::map<std::string, std::vector<std::string>>& alternatives) {
  if (file.extension() != ".jsonl") return evaluation::read_transcripts(file);
  std::vector<evaluation::TranscriptLine> lines;
  for (const auto& list : evaluation::read_nbest(file)) {
    auto& texts = alternatives[list.id];
    for (const auto& one : list.alternatives) texts.push_back(one.text);
    if (texts.empty()) texts.emplace_back();  // nothing was recognised
    lines.push_back({.id = list.id, .speaker = {}, .text = texts.front()});
  }
  return lines;
}

evaluation::Scores scores_of(const Arguments& arguments, const fs::path& reference,
                             const fs::path& hypothesis) {
  std::int64_t extra = 0;
  std::map<std::string, std::vector<std::string>> alternatives;  // by id
  auto results = evaluation::pair_transcripts(evaluation::read_transcripts(reference),
                                              read_hypotheses(hypothesis, alternatives), extra);
  for (auto& result : results) {
    if (const auto found = alternatives.find(result.id); found != alternatives.end())
      result.alternatives = found->second;
  }
  if (extra > 0)
    log::warn("{}: {} hypotheses without a reference are left out", hypothesis.string(), extra);
  auto scores =
      evaluation::score(std::move(results), {.normalise = !arguments.flag("--as-is"),
                                             .bootstrap = bootstrap_of(arguments),
                                             .confidence = arguments.integer("--bootstrap") > 0});
  if (scores.totals.words.reference_tokens() == 0) {
    throw DataError(
        fmt::format("{}: holds no reference with words in it, so there is no error rate",
                    reference.string()),
        "no-text");
  }
  return scores;
}

ExitCode run_score(const Arguments& arguments) {
  const auto reference = arguments.path("REF");
  const auto hypotheses = arguments.list("HYP");
  const bool several = hypotheses.size() > 1;
  if (several && arguments.given("--out"))
    throw ConfigError("--out is for one HYP; it holds the results of one");
  if (fs::is_directory(reference) && fs::is_directory(hypotheses.front())) {
    if (arguments.given("--out"))
      throw ConfigError("--out is for two files; two folders are only compared");
    if (!several) return compare(arguments, reference, hypotheses.front());
    auto folders = hypotheses;
    folders.insert(folders.begin(), reference.string());
    return compare_several(arguments, folders);
  }
  std::vector<evaluation::NamedTotals> all;
  for (const auto& hypothesis : hypotheses) {
    const auto scores = scores_of(arguments, reference, hypothesis);
    if (arguments.given("--out")) evaluation::write_scores(arguments.path("--out"), scores);
    if (arguments.flag("--json")) print(evaluation::wer_json(scores));
    if (!several && !arguments.flag("--json")) print(evaluation::to_text(scores));
    all.push_back({.names = {hypothesis}, .totals = scores.totals});
  }
  if (several && !arguments.flag("--json")) print(evaluation::results_table({"hypotheses"}, all));
  return ExitCode::kDone;
}

}  // namespace

Command make_score_command() {
  return {
      .name = "score",
      .summary = "word error rates of transcripts, or two results compared",
      .description =
          "Two files: scores HYP against REF, with counts equal to sclite's. Read are .trn files, "
          ".tsv tables with columns id and text (and speaker, frames, snr_db), files with one 'id "
          "text' a line, and as HYP an nbest.jsonl of `raven evaluate`: its first hypotheses are "
          "scored, and the best of each list tells the oracle error rate. Two folders written by "
          "`raven evaluate` or `raven score --out`: tells whether the second system is better than "
          "the first on the utterances both have, with paired tests. docs/scoring.md says what is "
          "counted. Several HYP: a line each, of folders each against the first.",
      .positionals = {{.name = "REF", .meaning = "references, or the first folder"},
                      {.name = "HYP",
                       .meaning = "hypotheses, or the second folder; several make a table",
                       .repeated = true}},
      .options = {{.name = "--out",
                   .value = "DIR",
                   .meaning = "also write hyp.trn, ref.trn (and hyp_scored.trn where not all "
                              "are scored), alignments.txt, utterances.jsonl, "
                              "wer.json and worst.json here",
                   .kind = ValueKind::kFolder},
                  {.name = "--as-is",
                   .value = "",
                   .meaning = "compare the texts as they are, without upper case and apostrophes "
                              "made alike"},
                  {.name = "--bootstrap",
                   .value = "N",
                   .meaning = "resamples behind the confidence interval; 0: no interval",
                   .kind = ValueKind::kInteger,
                   .default_value = "1000",
                   .range = config::between(0, 1e6)},
                  {.name = "--seed",
                   .value = "N",
                   .meaning = "of the resamples",
                   .kind = ValueKind::kInteger,
                   .default_value = "1",
                   .range = config::between(0, 1e9)},
                  {.name = "--json",
                   .value = "",
                   .meaning = "print a JSON object for each HYP: wer.json, or the comparison"}},
      .examples = {{"score ref.trn hyp.trn --out scores", "files of sclite's form"},
                   {"score ref.trn nbest.jsonl", "and the least error rate that the lists allow"},
                   {"score scores_a scores_b scores_c", "are b and c better than a?"}},
      .run = run_score};
}

}  // namespace raven::cli

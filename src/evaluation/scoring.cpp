#include "raven/evaluation/scoring.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/utf8.h"
#include "raven/media/media.h"
#include "raven/text/normalise.h"
#include "raven/text/trn.h"

namespace raven::evaluation {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kLengthBounds_s[] = {0, 1, 2, 3, 4, 6, 8, 12, 16, 24};
constexpr const char* kScoredHypotheses = "hyp_scored.trn";
constexpr const char* kEmptyReference = "empty-reference";

std::string dump(const Json& json, int indent) { return json.dump(indent) + "\n"; }

/// Of an utterance with errors; infinite without words.
double share(const text::EditCounts& counts) {
  return counts.reference_tokens() == 0 ? std::numeric_limits<double>::infinity()
                                        : static_cast<double>(counts.errors()) /
                                              static_cast<double>(counts.reference_tokens());
}

text::UtteranceErrors errors_of(const ScoredUtterance& utterance) {
  text::UtteranceErrors errors;
  errors.words = utterance.words;
  errors.characters = utterance.characters;
  errors.least_word_errors = utterance.least_word_errors;
  return errors;
}

/// Of the alternative with the least word errors, the first of several.
std::optional<text::UtteranceErrors> oracle_of(const UtteranceResult& result) {
  std::optional<text::UtteranceErrors> best;
  for (const auto& text : result.alternatives) {
    auto errors = text::compare(result.reference, text);
    if (best && errors.words.errors() >= best->words.errors()) continue;
    best = std::move(errors);
  }
  if (best) best->alignment.clear();  // views into texts that move
  return best;
}

ScoredUtterance scored(UtteranceResult result, const ScoringOptions& options) {
  if (options.normalise) {
    result.reference = text::normalise(result.reference);
    result.hypothesis = text::normalise(result.hypothesis);
    for (auto& text : result.alternatives) text = text::normalise(text);
  }
  try {
    const auto errors = text::compare(result.reference, result.hypothesis);
    const bool is_empty = errors.words.reference_tokens() == 0;
    auto oracle = oracle_of(result);
    return {.result = std::move(result),
            .words = errors.words,
            .characters = errors.characters,
            .least_word_errors = is_empty ? 0 : errors.least_word_errors,
            .oracle = std::move(oracle)};
  } catch (const DataError& error) {
    throw DataError(fmt::format("'{}': {}", printable(result.id), error.what()), error.reason());
  }
}

std::vector<Group> lengths(const std::vector<ScoredUtterance>& utterances) {
  std::map<std::size_t, Group> groups;
  for (const auto& utterance : utterances) {
    if (utterance.result.frames <= 0) continue;
    const double seconds = media::seconds(utterance.result.frames);
    const auto* const above = std::ranges::upper_bound(kLengthBounds_s, seconds);
    auto& group = groups[static_cast<std::size_t>(above - std::begin(kLengthBounds_s))];
    group.from = *(above - 1);
    if (above != std::end(kLengthBounds_s)) group.to = *above;
    group.name = group.to ? fmt::format("{} to {} s", *group.from, *group.to)
                          : fmt::format("{} s and more", *group.from);
    group.totals.add(errors_of(utterance));
  }
  std::vector<Group> rows;
  for (auto& [position, group] : groups) rows.push_back(std::move(group));
  return rows;
}

std::vector<Group> speakers(const std::vector<ScoredUtterance>& utterances) {
  std::map<std::string, Group> groups;
  for (const auto& utterance : utterances) {
    auto& group = groups[utterance.result.speaker];
    group.name = utterance.result.speaker;
    group.totals.add(errors_of(utterance));
  }
  std::vector<Group> rows;
  if (groups.size() == 1 && groups.begin()->first.empty()) return rows;
  for (auto& [name, group] : groups) rows.push_back(std::move(group));
  return rows;
}

std::vector<Group> noise_levels(const std::vector<ScoredUtterance>& utterances) {
  std::map<double, Group, std::greater<>> groups;  // clean as infinite
  for (const auto& utterance : utterances) {
    const auto& snr_db = utterance.result.snr_db;
    auto& group = groups[snr_db.value_or(std::numeric_limits<double>::infinity())];
    group.from = snr_db;
    group.name = snr_db ? fmt::format("{} dB", *snr_db) : "clean";
    group.totals.add(errors_of(utterance));
  }
  std::vector<Group> rows;
  for (auto& [level, group] : groups) rows.push_back(std::move(group));
  return rows;
}

void add_totals(Json& json, const text::ErrorTotals& totals) {
  json["wer"] = totals.wer();
  json["cer"] = totals.cer();
  json["substitutions"] = totals.words.substitutions;
  json["deletions"] = totals.words.deletions;
  json["insertions"] = totals.words.insertions;
  json["words"] = totals.words.reference_tokens();
  json["utterances"] = totals.utterances;
  json["sentence_errors"] = totals.sentence_errors;
  json["characters"] = totals.characters.reference_tokens();
  json["character_errors"] = totals.characters.errors();
}

Json model_json(const DecodedWith& with) {
  Json json = {{"weights", as_utf8(with.weights)}, {"xxh3", with.checksum}};
  if (with.step) json["step"] = *with.step;
  if (with.steps) json["steps"] = *with.steps;
  if (const auto finished = with.is_finished()) json["finished"] = *finished;
  if (with.averaged) json["averaged_checkpoints"] = *with.averaged;
  if (!with.best_by.empty()) json["best_by"] = with.best_by;
  return json;
}

Json utterance_json(const ScoredUtterance& utterance) {
  const auto& result = utterance.result;
  Json json = {
      {"id", as_utf8(result.id)}, {"speaker", as_utf8(result.speaker)}, {"frames", result.frames}};
  json["snr_db"] = result.snr_db ? Json(*result.snr_db) : Json(nullptr);
  json["ref"] = as_utf8(result.reference);
  json["hyp"] = as_utf8(result.hypothesis);
  json["words"] = utterance.words.reference_tokens();
  json["substitutions"] = utterance.words.substitutions;
  json["deletions"] = utterance.words.deletions;
  json["insertions"] = utterance.words.insertions;
  json["chars"] = utterance.characters.reference_tokens();
  json["char_errors"] = utterance.characters.errors();
  json["score"] = result.score;
  return json;
}

std::string alignment_of(const ScoredUtterance& utterance) {
  const auto& result = utterance.result;
  const auto& words = utterance.words;
  auto head = printable(result.id);
  if (!result.speaker.empty()) head += " (" + printable(result.speaker) + ")";
  const auto errors = text::compare(result.reference, result.hypothesis);
  auto lines = printable(text::alignment_text(errors.alignment));
  for (std::size_t at = 0; (at = lines.find("%0A", at)) != std::string::npos;)
    lines.replace(at, 3, "\n");
  const auto rate = words.reference_tokens() == 0 ? "empty reference"
                                                  : fmt::format("{:.1f} %", 100 * share(words));
  return fmt::format("{}: {} words, {} substitutions, {} deletions, {} insertions, {}\n{}\n", head,
                     words.reference_tokens(), words.substitutions, words.deletions,
                     words.insertions, rate, lines);
}

Json ops_of(const ScoredUtterance& utterance) {
  auto ops = Json::array();
  const auto errors = text::compare(utterance.result.reference, utterance.result.hypothesis);
  for (const auto& [edit, reference, hypothesis] : errors.alignment) {
    ops.push_back(
        {std::string(1, static_cast<char>(edit)), as_utf8(reference), as_utf8(hypothesis)});
  }
  return ops;
}

/// hyp.trn has every hypothesis, ref.trn those that have a transcript. sclite wants the same
/// utterances in both: hyp_scored.trn has ref.trn's, where hyp.trn has more.
void write_transcripts(const std::filesystem::path& folder, const Scores& scores) {
  std::vector<text::TrnUtterance> references, hypotheses;
  for (const auto& utterance : scores.utterances) {
    const auto& result = utterance.result;
    references.push_back({result.speaker, result.id, result.reference});
    hypotheses.push_back({result.speaker, result.id, result.hypothesis});
  }
  const bool all = scores.unscored.empty();
  std::filesystem::remove(folder / kScoredHypotheses);
  if (!references.empty()) write_file_atomically(folder / "ref.trn", text::write_trn(references));
  if (!references.empty() && !all)
    write_file_atomically(folder / kScoredHypotheses, text::write_trn(hypotheses));
  for (const auto& result : scores.unscored)
    hypotheses.push_back({result.speaker, result.id, result.hypothesis});
  write_file_atomically(folder / "hyp.trn", text::write_trn(hypotheses));
}

std::string percent(double fraction) {
  return std::isnan(fraction) ? "-" : fmt::format("{:.1f} %", 100 * fraction);
}

constexpr double kNoBetter = 0.03;    // of a rate: closer to the constant answer's is as good
constexpr double kMostlyOne = 0.25;   // of the utterances, and twice as often as any reference
constexpr std::int64_t kEnough = 10;  // utterances, for a warning

void compare_with_one_answer(Scores& scores) {
  std::vector<std::string_view> references, hypotheses;
  for (const auto& utterance : scores.utterances) {
    references.push_back(utterance.result.reference);
    hypotheses.push_back(utterance.result.hypothesis);
  }
  scores.variety = variety_of(hypotheses);
  scores.most_often_said = variety_of(references).most_often;
  if (scores.totals.words.reference_tokens() > 0) scores.constant = constant_answer(references);
}

constexpr std::size_t kNameWidth = 24;

std::string row_text(const std::string& name, const text::ErrorTotals& totals) {
  auto shown = printable(name.empty() ? "unknown" : name);
  if (shown.size() > kNameWidth && is_utf8(shown.substr(0, kNameWidth - 3)))
    shown = shown.substr(0, kNameWidth - 3) + "...";
  return fmt::format("{:<{}} {:>10} {:>8} {:>9} {:>9} {:>7} {:>7} {:>7} {:>9}\n", shown, kNameWidth,
                     totals.utterances, totals.words.reference_tokens(), percent(totals.wer()),
                     percent(totals.cer()), totals.words.substitutions, totals.words.deletions,
                     totals.words.insertions, totals.sentence_errors);
}

std::string head_text(const std::string& title) {
  return fmt::format("{:<{}} {:>10} {:>8} {:>9} {:>9} {:>7} {:>7} {:>7} {:>9}\n", title, kNameWidth,
                     "utterances", "words", "WER", "CER", "S", "D", "I", "sentences");
}

}  // namespace

Scores score(std::vector<UtteranceResult> results, const ScoringOptions& options,
             std::map<std::string, std::int64_t> skipped) {
  std::ranges::sort(results, {}, &UtteranceResult::id);
  const auto twice = std::ranges::adjacent_find(results, {}, &UtteranceResult::id);
  if (twice != results.end()) {
    throw DataError(fmt::format("utterance '{}' comes twice in the results", printable(twice->id)),
                    "duplicate");
  }
  Scores scores;
  scores.skipped = std::move(skipped);
  std::vector<text::UtteranceCount> counts;
  for (auto& result : results) {
    auto utterance = scored(std::move(result), options);
    if (utterance.words.reference_tokens() == 0 && !utterance.result.may_be_empty) {
      ++scores.skipped[kEmptyReference];
      scores.unscored.push_back(std::move(utterance.result));
      continue;
    }
    scores.totals.add(errors_of(utterance));
    counts.push_back({utterance.words.reference_tokens(), utterance.words.errors()});
    scores.utterances.push_back(std::move(utterance));
  }
  if (!scores.utterances.empty()) compare_with_one_answer(scores);
  const auto has_list = [](const auto& utterance) { return utterance.oracle.has_value(); };
  if (!scores.utterances.empty() && std::ranges::all_of(scores.utterances, has_list)) {
    scores.oracle.emplace();
    for (const auto& utterance : scores.utterances) scores.oracle->add(*utterance.oracle);
  }
  constexpr auto kNone = std::numeric_limits<double>::quiet_NaN();
  scores.confidence = options.confidence ? text::bootstrap_interval(counts, options.bootstrap)
                                         : text::Interval{.low = kNone, .high = kNone};
  scores.by_length = lengths(scores.utterances);
  scores.by_speaker = speakers(scores.utterances);
  scores.by_snr = noise_levels(scores.utterances);
  return scores;
}

std::string warning_of(const Scores& scores) {
  const auto count = std::ssize(scores.utterances);
  if (!scores.constant || count < kEnough) return "";
  const auto least = static_cast<double>(scores.totals.least_word_errors) /
                     static_cast<double>(scores.totals.words.reference_tokens());
  if (least > (1 - kNoBetter) * scores.constant->wer()) {
    return fmt::format("one answer for all utterances makes {} WER, as good as these hypotheses",
                       percent(scores.constant->wer()));
  }
  const auto most_often = scores.variety.most_often;
  if (most_often > 2 * scores.most_often_said &&
      static_cast<double>(most_often) > kMostlyOne * static_cast<double>(count)) {
    return fmt::format("{} of {} hypotheses are \"{}\"", most_often, count,
                       printable(scores.variety.commonest));
  }
  return "";
}

std::string wer_json(const Scores& scores) {
  Json json;
  add_totals(json, scores.totals);
  json["least_errors"] = scores.totals.least_word_errors;
  json["least_wer"] = static_cast<double>(scores.totals.least_word_errors) /
                      static_cast<double>(scores.totals.words.reference_tokens());
  json["confidence"] = {scores.confidence.low, scores.confidence.high};
  if (scores.oracle) {
    json["oracle"] = {{"wer", scores.oracle->wer()},
                      {"errors", scores.oracle->words.errors()},
                      {"cer", scores.oracle->cer()},
                      {"character_errors", scores.oracle->characters.errors()}};
  }
  if (scores.constant) {
    json["constant_answer"] = {{"text", as_utf8(scores.constant->text)},
                               {"wer", scores.constant->wer()}};
    json["distinct_hypotheses"] = scores.variety.distinct;
    json["commonest_hypothesis"] = {{"text", as_utf8(scores.variety.commonest)},
                                    {"utterances", scores.variety.most_often}};
    if (const auto warning = warning_of(scores); !warning.empty())
      json["warning"] = as_utf8(warning);
  }
  if (scores.with) {
    json["model"] = model_json(*scores.with);
    json["search"] = Json::object();
    for (const auto& [key, value] : scores.with->search) json["search"][key] = as_utf8(value);
  }
  json["skipped"] = Json::object();
  for (const auto& [reason, count] : scores.skipped) json["skipped"][reason] = count;
  const auto table = [&json](const char* name, const std::vector<Group>& groups, auto add_key) {
    json[name] = Json::array();
    for (const auto& group : groups) {
      Json row;
      add_key(row, group);
      add_totals(row, group.totals);
      json[name].push_back(std::move(row));
    }
  };
  const auto number = [](std::optional<double> value) {
    return value ? Json(*value) : Json(nullptr);
  };
  table("by_length", scores.by_length, [&](Json& row, const Group& group) {
    row["from_s"] = number(group.from);
    row["to_s"] = number(group.to);
  });
  table("by_speaker", scores.by_speaker,
        [](Json& row, const Group& group) { row["speaker"] = as_utf8(group.name); });
  table("by_snr", scores.by_snr,
        [&](Json& row, const Group& group) { row["snr_db"] = number(group.from); });
  return dump(json, 2);
}

std::vector<std::size_t> worst_utterances(const Scores& scores, std::int64_t count) {
  std::vector<std::size_t> worst;
  for (std::size_t i = 0; i < scores.utterances.size(); ++i) {
    if (scores.utterances[i].words.errors() > 0) worst.push_back(i);
  }
  std::ranges::stable_sort(worst, [&](std::size_t a, std::size_t b) {
    const auto &x = scores.utterances[a].words, &y = scores.utterances[b].words;
    return std::pair(share(x), x.errors()) > std::pair(share(y), y.errors());
  });
  worst.resize(std::min(worst.size(), static_cast<std::size_t>(std::max<std::int64_t>(count, 0))));
  return worst;
}

void write_worst(const std::filesystem::path& folder, const Scores& scores,
                 const std::vector<std::size_t>& worst, const std::vector<std::string>& crops) {
  RAVEN_CHECK(crops.empty() || crops.size() == worst.size(), "{} pictures for {} utterances",
              crops.size(), worst.size());
  auto list = Json::array();
  for (std::size_t i = 0; i < worst.size(); ++i) {
    const auto& utterance = scores.utterances.at(worst[i]);
    const auto wer = share(utterance.words);  // JSON has no infinity
    Json json = {{"id", as_utf8(utterance.result.id)},
                 {"speaker", as_utf8(utterance.result.speaker)},
                 {"ref", as_utf8(utterance.result.reference)},
                 {"hyp", as_utf8(utterance.result.hypothesis)},
                 {"ops", ops_of(utterance)},
                 {"wer", std::isfinite(wer) ? Json(wer) : Json(nullptr)},
                 {"frames", utterance.result.frames}};
    if (!crops.empty() && !crops[i].empty()) json["crops"] = crops[i];
    list.push_back(std::move(json));
  }
  write_file_atomically(folder / "worst.json", dump(list, 1));
}

void write_scores(const std::filesystem::path& folder, const Scores& scores) {
  make_folders(folder);
  write_transcripts(folder, scores);
  if (scores.utterances.empty()) {
    for (const char* of_scores :
         {"wer.json", "ref.trn", "utterances.jsonl", "alignments.txt", "worst.json"})
      std::filesystem::remove(folder / of_scores);
    return;
  }
  std::string lines, alignments;
  for (const auto& utterance : scores.utterances) {
    lines += dump(utterance_json(utterance), -1);
    alignments += alignment_of(utterance);
  }
  write_file_atomically(folder / "utterances.jsonl", lines);
  write_file_atomically(folder / "alignments.txt", alignments);
  write_worst(folder, scores, worst_utterances(scores, kWorst));
  write_file_atomically(folder / "wer.json", wer_json(scores));  // last: its presence says "whole"
}

std::string to_text(const std::string& title, const std::vector<Group>& groups) {
  if (groups.size() < 2) return "";
  auto out = "\n" + head_text(title);
  for (const auto& group : groups) out += row_text(group.name, group.totals);
  return out;
}

std::string to_text(const Scores& scores) {
  if (scores.utterances.empty()) {
    auto out = fmt::format("{} utterances; none has a transcript, so there is no error rate\n",
                           scores.unscored.size());
    for (const auto& [reason, count] : scores.skipped) {
      if (reason != kEmptyReference)
        out += fmt::format("{} utterances skipped: {}\n", count, reason);
    }
    return out;
  }
  auto out = head_text("") + row_text("all", scores.totals);
  if (!std::isnan(scores.confidence.low)) {
    out += fmt::format("WER {} (95 % interval {:.1f} to {:.1f} %)\n", percent(scores.totals.wer()),
                       100 * scores.confidence.low, 100 * scores.confidence.high);
  }
  if (scores.totals.least_word_errors != scores.totals.words.errors()) {
    out += fmt::format("{} word errors in sclite's alignments, {} at least\n",
                       scores.totals.words.errors(), scores.totals.least_word_errors);
  }
  if (scores.oracle) {
    out += fmt::format("WER {} with the best hypothesis of each list (oracle)\n",
                       percent(scores.oracle->wer()));
  }
  if (scores.constant) {
    out += fmt::format("WER {} with one answer for all, \"{}\"; {} distinct hypotheses\n",
                       percent(scores.constant->wer()), printable(scores.constant->text),
                       scores.variety.distinct);
  }
  for (const auto& [reason, count] : scores.skipped)
    out += fmt::format("{} utterances skipped: {}\n", count, reason);
  if (const auto warning = warning_of(scores); !warning.empty())
    out += "warning: " + warning + "\n";
  out += to_text("length", scores.by_length);
  out += to_text("speaker", scores.by_speaker);
  out += to_text("noise", scores.by_snr);
  return out;
}

}  // namespace raven::evaluation

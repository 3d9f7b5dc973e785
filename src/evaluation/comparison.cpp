#include "raven/evaluation/comparison.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/parse_json.h"
#include "raven/core/aligned.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/utf8.h"

namespace raven::evaluation {
namespace {

struct Row {
  std::string reference;
  text::EditCounts words;
};

Row row_of(const nlohmann::json& json) {
  Row row{.reference = json.at("ref").get<std::string>(), .words = {}};
  row.words.substitutions = json.at("substitutions").get<std::int64_t>();
  row.words.deletions = json.at("deletions").get<std::int64_t>();
  row.words.insertions = json.at("insertions").get<std::int64_t>();
  row.words.matches =
      json.at("words").get<std::int64_t>() - row.words.substitutions - row.words.deletions;
  return row;
}

std::map<std::string, Row> read_rows(const std::filesystem::path& folder) {
  const auto file = folder / "utterances.jsonl";
  if (!std::filesystem::exists(file)) {
    throw ConfigError(
        fmt::format("{} has no utterances.jsonl: name a folder written by `raven evaluate` or "
                    "`raven score --out`, of utterances that have transcripts",
                    folder.string()));
  }
  const auto content = read_file(file);
  std::map<std::string, Row> rows;
  std::int64_t number = 0;
  for (std::string_view rest = content; !rest.empty();) {
    const auto end = rest.find('\n');
    const auto line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    ++number;
    try {
      const auto json = parse_json(line);
      if (json.is_discarded()) throw DataError("is no JSON");
      const auto id = json.at("id").get<std::string>();
      if (!rows.emplace(id, row_of(json)).second)
        throw DataError(fmt::format("utterance '{}' comes twice", printable(id)));
    } catch (const std::exception& error) {
      throw DataError(fmt::format("{}:{}: {}", file.string(), number, error.what()));
    }
  }
  return rows;
}

/// Never "0.0000": no test says that chance is ruled out.
std::string p_text(double p) { return p < 0.0001 ? "< 0.0001" : fmt::format("{:.4f}", p); }

double wer(const text::EditCounts& counts) {
  return static_cast<double>(counts.errors()) / static_cast<double>(counts.reference_tokens());
}

}  // namespace

Comparison compare_folders(const std::filesystem::path& a, const std::filesystem::path& b,
                           const text::BootstrapOptions& options) {
  const auto rows_a = read_rows(a), rows_b = read_rows(b);
  Comparison result;
  std::vector<text::UtterancePair> pairs;
  for (const auto& [id, row] : rows_a) {
    const auto other = rows_b.find(id);
    if (other == rows_b.end()) {
      ++result.only_a;
      continue;
    }
    if (row.reference != other->second.reference) {
      throw DataError(
          fmt::format("utterance '{}' has the reference '{}' in {} and '{}' in {}; only "
                      "results on the same set can be compared",
                      printable(id), printable(row.reference), a.string(),
                      printable(other->second.reference), b.string()),
          "reference");
    }
    result.words_a += row.words;
    result.words_b += other->second.words;
    pairs.push_back({.words = row.words.reference_tokens(),
                     .errors_a = row.words.errors(),
                     .errors_b = other->second.words.errors()});
  }
  if (pairs.empty()) {
    throw DataError(fmt::format("{} and {} have no utterance in common", a.string(), b.string()),
                    "reference");
  }
  result.only_b = std::ssize(rows_b) - std::ssize(pairs);
  result.paired = text::compare_systems(pairs, options);
  return result;
}

std::string to_text(const Comparison& comparison, const std::string& name_a,
                    const std::string& name_b) {
  const auto& paired = comparison.paired;
  constexpr double kSure = 0.05;
  const bool real = paired.p_bootstrap < kSure && paired.p_matched_pairs < kSure;
  auto out = fmt::format("WER {:>6.2f} %  {}\nWER {:>6.2f} %  {}\n", 100 * wer(comparison.words_a),
                         name_a, 100 * wer(comparison.words_b), name_b);
  out += fmt::format("difference {:+.2f} points (95 % interval {:+.2f} to {:+.2f}): {}\n",
                     100 * paired.difference, 100 * paired.interval.low, 100 * paired.interval.high,
                     !real                   ? "not more than chance would give"
                     : paired.difference < 0 ? "the second is better"
                                             : "the first is better");
  out += fmt::format("p: paired bootstrap {}, matched pairs {}, sign test {}\n",
                     p_text(paired.p_bootstrap), p_text(paired.p_matched_pairs),
                     p_text(paired.p_sign));
  out += fmt::format("{} utterances: fewer errors in {}, more in {}\n", paired.utterances,
                     paired.better, paired.worse);
  if (comparison.only_a + comparison.only_b > 0) {
    out += fmt::format("not compared: {} only in the first, {} only in the second\n",
                       comparison.only_a, comparison.only_b);
  }
  return out;
}

std::string to_text(const std::vector<Comparison>& comparisons,
                    const std::vector<std::string>& names) {
  RAVEN_CHECK(comparisons.size() + 1 == names.size(), "names of comparisons");
  std::vector<std::vector<std::string>> lines = {{"result", "WER %", "the first's", "difference",
                                                  "p bootstrap", "p matched pairs", "utterances"},
                                                 {names.front(), "", "", "", "", "", ""}};
  std::int64_t left_out = 0;
  for (std::size_t i = 0; i < comparisons.size(); ++i) {
    const auto& [words_a, words_b, paired, only_a, only_b] = comparisons[i];
    lines.push_back({names[i + 1], fmt::format("{:.2f}", 100 * wer(words_b)),
                     fmt::format("{:.2f}", 100 * wer(words_a)),
                     fmt::format("{:+.2f}", 100 * paired.difference), p_text(paired.p_bootstrap),
                     p_text(paired.p_matched_pairs), fmt::format("{}", paired.utterances)});
    left_out = std::max(left_out, only_a + only_b);
  }
  const bool alike = std::ranges::all_of(comparisons, [&](const auto& one) {
    return one.words_a.errors() == comparisons.front().words_a.errors() &&
           one.words_a.reference_tokens() == comparisons.front().words_a.reference_tokens();
  });
  if (alike) {
    for (auto& line : lines) line.erase(line.begin() + 2);
    lines[1][1] = fmt::format("{:.2f}", 100 * wer(comparisons.front().words_a));
  }
  auto text = aligned(lines);
  if (left_out > 0)
    text += fmt::format("not compared: up to {} utterances that one of two lacks\n", left_out);
  return text;
}

std::string to_json(const Comparison& comparison) {
  const auto& paired = comparison.paired;
  const nlohmann::ordered_json json = {{"wer_a", wer(comparison.words_a)},
                                       {"wer_b", wer(comparison.words_b)},
                                       {"difference", paired.difference},
                                       {"confidence", {paired.interval.low, paired.interval.high}},
                                       {"p_bootstrap", paired.p_bootstrap},
                                       {"p_matched_pairs", paired.p_matched_pairs},
                                       {"p_sign", paired.p_sign},
                                       {"utterances", paired.utterances},
                                       {"better", paired.better},
                                       {"worse", paired.worse},
                                       {"only_a", comparison.only_a},
                                       {"only_b", comparison.only_b}};
  return json.dump() + "\n";
}

}  // namespace raven::evaluation

// Segmentation by unigram counts: for published vocabularies, whose SentencePiece model is not
// public.
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "core/parse_json.h"
#include "raven/core/error.h"
#include "raven/core/lines.h"
#include "raven/core/utf8.h"
#include "raven/text/tokenizer.h"
#include "raven/text/words.h"

namespace raven::text {
namespace {

constexpr double kUnseen = 0.1;           // occurrences of a piece that was never met
constexpr double kUnknownPenalty = 10.0;  // below the rarest piece, as SentencePiece has it
constexpr double kTie = 1e-9;             // paths closer than this are equally good

class UnigramTokenizer : public Tokenizer {
 public:
  UnigramTokenizer(Units units, UnitCounts counts)
      : Tokenizer(std::move(units)), words_(std::move(counts.words)) {
    double total = 0;
    for (const auto count : counts.counts) total += static_cast<double>(count);
    double lowest = 0;
    for (auto id = Units::kUnknown + 1; id < this->units().eos(); ++id) {
      const auto& piece = this->units().piece(id);
      const auto count = static_cast<double>(counts.counts[static_cast<std::size_t>(id)]);
      const double score = std::log(std::max(count, kUnseen) / std::max(total, 1.0));
      lowest = std::min(lowest, score);
      longest_ = std::max(longest_, piece.size());
      pieces_.emplace(piece, Piece{.id = id, .score = score});
    }
    unknown_score_ = lowest - kUnknownPenalty;
  }

 private:
  [[nodiscard]] std::vector<std::int64_t> encode_cased(std::string_view text) const override {
    std::vector<std::int64_t> ids;
    for (const auto word : split_words(text)) {
      if (const auto known = words_.find(std::string(word)); known != words_.end()) {
        ids.insert(ids.end(), known->second.begin(), known->second.end());
      } else {
        add_best_path(std::string(kWordStart).append(word), ids);
      }
    }
    return ids;
  }

  struct Piece {
    std::int64_t id;
    double score;
  };
  struct Cell {  // the best way to the end of a character
    double score = -std::numeric_limits<double>::infinity();
    std::size_t from = 0;
    std::int64_t id = Units::kUnknown;
  };

  void add_best_path(std::string_view text, std::vector<std::int64_t>& ids) const {
    std::vector<std::size_t> ends = {0};  // bytes up to each character
    for (const auto character : split_characters(text))
      ends.push_back(ends.back() + character.size());
    std::vector<Cell> cells(ends.size());
    cells[0].score = 0;
    for (std::size_t j = 1; j < ends.size(); ++j) {
      for (std::size_t i = j;
           i-- > 0 && ends[j] - ends[i] <= std::max(longest_, ends[j] - ends[j - 1]);) {
        const auto piece = pieces_.find(text.substr(ends[i], ends[j] - ends[i]));
        const bool is_piece = piece != pieces_.end();
        if (!is_piece && i + 1 != j) continue;  // single characters may be unknown
        const double score = cells[i].score + (is_piece ? piece->second.score : unknown_score_);
        if (score > cells[j].score + kTie || i + 1 == j) {
          cells[j] = {
              .score = score, .from = i, .id = is_piece ? piece->second.id : Units::kUnknown};
        }
      }
    }
    const auto first = ids.size();
    for (auto j = cells.size() - 1; j > 0; j = cells[j].from) {
      const bool repeated_unknown =
          cells[j].id == Units::kUnknown && ids.size() > first && ids.back() == Units::kUnknown;
      if (!repeated_unknown) ids.push_back(cells[j].id);
    }
    std::reverse(ids.begin() + static_cast<std::ptrdiff_t>(first), ids.end());
  }

  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  std::unordered_map<std::string, Piece, Hash, std::equal_to<>> pieces_;
  std::unordered_map<std::string, std::vector<std::int64_t>> words_;
  std::size_t longest_ = 0;  // bytes
  double unknown_score_ = 0;
};

/// Reads the label lists of a published list, line by line.
class LabelCounter {
 public:
  LabelCounter(const Units& units, const std::string& name) : units_(units), name_(name) {
    counts_.counts.assign(static_cast<std::size_t>(units.size()), 0);
  }

  void add(std::string_view line) {
    ++line_;
    if (line.empty()) return;
    auto labels = line;
    for (int field = 0; field < 3; ++field) {
      const auto comma = labels.find(',');
      if (comma == std::string_view::npos) fail("expected 'tag,path,frames,label ids'");
      labels.remove_prefix(comma + 1);
    }
    std::vector<std::int64_t> word;
    for (const auto text : split_words(labels)) {
      const auto id = read_id(text);
      ++counts_.counts[static_cast<std::size_t>(id)];
      if (units_.piece(id).starts_with(kWordStart)) end_word(word);
      word.push_back(id);
    }
    end_word(word);
  }

  UnitCounts finish() {
    for (auto& [word, segmentations] : words_) {
      const auto best = std::ranges::max_element(
          segmentations, [](const auto& a, const auto& b) { return a.second < b.second; });
      counts_.words.emplace(word, best->first);
    }
    return std::move(counts_);
  }

 private:
  std::int64_t read_id(std::string_view text) const {
    std::int64_t id = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
    if (error != std::errc() || end != text.data() + text.size())
      fail(fmt::format("label '{}' is not a unit id", printable(text.substr(0, 40))));
    if (id <= Units::kBlank || id >= units_.eos()) {
      fail(fmt::format("unit id {} is outside the vocabulary, expected 1 to {}", id,
                       units_.eos() - 1));
    }
    return id;
  }

  void end_word(std::vector<std::int64_t>& ids) {
    const auto text = units_.detokenise(ids);
    const bool is_word = !ids.empty() && units_.piece(ids[0]).starts_with(kWordStart) &&
                         !text.empty() && std::ranges::find(ids, Units::kUnknown) == ids.end();
    if (is_word) ++words_[text][ids];
    ids.clear();
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw DataError(fmt::format("{}:{}: {}", name_, line_, what), "vocabulary");
  }

  const Units& units_;
  const std::string& name_;
  std::int64_t line_ = 0;
  UnitCounts counts_;
  std::map<std::string, std::map<std::vector<std::int64_t>, std::int64_t>> words_;
};

}  // namespace

UnitCounts parse_unit_counts(std::string_view json, const Units& units, const std::string& name) {
  const auto fail = [&name](const std::string& what) {
    throw DataError(
        fmt::format("{}: {}, expected {{\"counts\": [occurrences of each unit id]}}", name, what),
        "counts");
  };
  const auto content = parse_json(json);
  if (content.is_discarded()) fail("is not JSON");
  if (!content.is_object() || !content.contains("counts") || !content["counts"].is_array())
    fail("has no list 'counts'");
  UnitCounts result;
  for (const auto& count : content["counts"]) {
    if (!count.is_number_integer() || count.get<double>() < 0 || count.get<double>() > 1e15)
      fail(fmt::format("count {} is not a number of occurrences", result.counts.size()));
    result.counts.push_back(count.get<std::int64_t>());
  }
  if (std::ssize(result.counts) != units.size()) {
    fail(fmt::format("counts {} units, the units file has {} (with blank and eos)",
                     result.counts.size(), units.size()));
  }
  return result;
}

UnitCounts count_labels(std::string_view csv, const Units& units, const std::string& name) {
  LabelCounter counter(units, name);
  for (Lines lines(csv, name); const auto line = lines.next();) counter.add(*line);
  return counter.finish();
}

std::unique_ptr<Tokenizer> make_unigram_tokenizer(Units units, UnitCounts counts) {
  RAVEN_CHECK(std::ssize(counts.counts) == units.size(), "{} counts for {} units",
              counts.counts.size(), units.size());
  return std::make_unique<UnigramTokenizer>(std::move(units), std::move(counts));
}

}  // namespace raven::text

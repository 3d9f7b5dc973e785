#include "raven/evaluation/constant_answer.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <vector>

#include "raven/text/edit_distance.h"
#include "raven/text/words.h"

namespace raven::evaluation {
namespace {

constexpr std::size_t kLongestAnswer = 20;  // words
constexpr std::size_t kMostCompared = 2000;

using WordIds = std::vector<std::int32_t>;

/// Words by number.
class Numbers {
 public:
  WordIds of(std::string_view text) {
    WordIds ids;
    for (const auto word : text::split_words(text)) {
      const auto [known, is_new] = ids_.emplace(word, static_cast<std::int32_t>(ids_.size()));
      ids.push_back(known->second);
    }
    return ids;
  }

 private:
  std::unordered_map<std::string, std::int32_t> ids_;
};

/// The most frequent; of equal ones the first.
std::string most_frequent(const std::map<std::string, std::int64_t>& counts) {
  return std::ranges::max_element(counts, {}, [](const auto& one) { return one.second; })->first;
}

/// Of each position in turn, where there is a word.
std::vector<std::string> frequent_words(std::span<const std::string_view> references) {
  std::vector<std::map<std::string, std::int64_t>> counts(kLongestAnswer);
  for (const auto reference : references) {
    std::size_t position = 0;
    for (const auto word : text::split_words(reference)) {
      if (position == kLongestAnswer) break;
      ++counts[position++][std::string(word)];
    }
  }
  std::vector<std::string> words;
  for (const auto& of_position : counts) {
    if (of_position.empty()) break;
    words.push_back(most_frequent(of_position));
  }
  return words;
}

std::vector<std::string> candidates(std::span<const std::string_view> references) {
  std::vector<std::string> texts{""};
  for (const auto& word : frequent_words(references))
    texts.push_back(texts.back().empty() ? word : texts.back() + " " + word);
  return texts;
}

}  // namespace

ConstantAnswer constant_answer(std::span<const std::string_view> references) {
  Numbers numbers;
  std::vector<WordIds> said;
  const auto step = (references.size() + kMostCompared - 1) / kMostCompared;
  for (std::size_t i = 0; i < references.size(); i += step)
    said.push_back(numbers.of(references[i]));
  ConstantAnswer best;
  for (const auto& ids : said) best.words += std::ssize(ids);
  best.errors = best.words + 1;
  for (const auto& text : candidates(references)) {
    const auto answer = numbers.of(text);
    std::int64_t errors = 0;
    for (const auto& ids : said) {
      errors += text::edit_distance(ids, answer);
      if (errors >= best.errors) break;
    }
    if (errors >= best.errors) continue;
    best.text = text;
    best.errors = errors;
  }
  return best;
}

Variety variety_of(std::span<const std::string_view> hypotheses) {
  std::map<std::string, std::int64_t> counts;
  for (const auto hypothesis : hypotheses) ++counts[std::string(hypothesis)];
  Variety variety{.distinct = std::ssize(counts), .most_often = 0, .commonest = {}};
  if (counts.empty()) return variety;
  variety.commonest = most_frequent(counts);
  variety.most_often = counts.at(variety.commonest);
  return variety;
}

}  // namespace raven::evaluation

#include "raven/text/error_rate.h"

#include <algorithm>
#include <limits>
#include <unordered_map>

#include "raven/text/words.h"

namespace raven::text {
namespace {

/// Numbers texts so that equal ones have equal numbers.
class Numbering {
 public:
  std::vector<std::int32_t> operator()(const std::vector<std::string_view>& texts) {
    std::vector<std::int32_t> numbers;
    numbers.reserve(texts.size());
    for (const auto text : texts)
      numbers.push_back(
          numbers_.emplace(text, static_cast<std::int32_t>(numbers_.size())).first->second);
    return numbers;
  }

 private:
  std::unordered_map<std::string_view, std::int32_t> numbers_;
};

std::vector<std::string_view> characters_of(const std::vector<std::string_view>& words) {
  std::vector<std::string_view> characters;
  for (const auto word : words) {
    const auto more = split_characters(word);
    characters.insert(characters.end(), more.begin(), more.end());
  }
  return characters;
}

double rate(const EditCounts& counts) {
  if (counts.reference_tokens() == 0) return std::numeric_limits<double>::quiet_NaN();
  return static_cast<double>(counts.errors()) / static_cast<double>(counts.reference_tokens());
}

}  // namespace

UtteranceErrors compare(std::string_view reference, std::string_view hypothesis) {
  UtteranceErrors errors;
  const auto reference_words = split_words(reference), hypothesis_words = split_words(hypothesis);
  Numbering number_words, number_characters;
  const auto from = number_words(reference_words), to = number_words(hypothesis_words);
  const auto steps = align(from, to);
  errors.words = count_edits(steps);
  errors.least_word_errors = errors.words.errors() == 0 ? 0 : edit_distance(from, to);
  for (const auto& [edit, r, h] : steps) {
    errors.alignment.push_back(
        {.edit = edit,
         .reference = r < 0 ? std::string_view() : reference_words[static_cast<std::size_t>(r)],
         .hypothesis = h < 0 ? std::string_view() : hypothesis_words[static_cast<std::size_t>(h)]});
  }
  errors.characters = count_edits(align(number_characters(characters_of(reference_words)),
                                        number_characters(characters_of(hypothesis_words))));
  return errors;
}

std::int64_t word_distance(std::string_view reference, std::string_view hypothesis) {
  Numbering number;
  const auto from = number(split_words(reference)), to = number(split_words(hypothesis));
  return edit_distance(from, to);
}

void ErrorTotals::add(const UtteranceErrors& errors) {
  ++utterances;
  sentence_errors += errors.words.errors() > 0 ? 1 : 0;
  words += errors.words;
  characters += errors.characters;
  least_word_errors += errors.least_word_errors;
}

double ErrorTotals::wer() const { return rate(words); }
double ErrorTotals::cer() const { return rate(characters); }

std::string alignment_text(std::span<const AlignedWord> alignment) {
  std::string reference = "REF: ", hypothesis = "HYP: ", marks = "EVAL:";
  for (const auto& [edit, r, h] : alignment) {
    const auto r_width = split_characters(r).size(), h_width = split_characters(h).size();
    const auto width = std::max(r_width, h_width);
    const auto add = [width](std::string& line, std::string_view text, std::size_t text_width) {
      line += ' ';
      line += text.empty() ? std::string(width, '*') : std::string(text);
      line.append(text.empty() ? 0 : width - text_width, ' ');
    };
    add(reference, r, r_width);
    add(hypothesis, h, h_width);
    marks += ' ';
    marks += edit == Edit::kMatch ? ' ' : static_cast<char>(edit);
    marks.append(width - 1, ' ');
  }
  std::string text;
  for (auto* line : {&reference, &hypothesis, &marks}) {
    line->erase(line->find_last_not_of(' ') + 1);
    text += *line + "\n";
  }
  return text;
}

}  // namespace raven::text

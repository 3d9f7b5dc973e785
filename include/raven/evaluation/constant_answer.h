// What a recognizer is worth that hears nothing: one answer for every utterance.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace raven::evaluation {

/// The best of these: the first n of the most frequent words of each position, n from 0 to 20.
struct ConstantAnswer {
  std::string text;
  std::int64_t errors = 0, words = 0;  // least word errors, of the references' words

  [[nodiscard]] double wer() const {
    return static_cast<double>(errors) / static_cast<double>(words);
  }
};

/// `references`: as they are compared, words with single spaces; errors are those of all, and of
/// every k-th where there are more than 2,000. Not without words. Ties go to the word that is
/// alphabetically first, and to the shorter answer.
ConstantAnswer constant_answer(std::span<const std::string_view> references);

/// How much hypotheses differ.
struct Variety {
  std::int64_t distinct = 0, most_often = 0;  // texts, and how often the commonest of them comes
  std::string commonest;
};
Variety variety_of(std::span<const std::string_view> hypotheses);

}  // namespace raven::evaluation

// Back-off n-gram language models: ARPA files, and a Kneser-Ney bigram as a yardstick for others.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "raven/text/sentences.h"

namespace raven::text {

/// A word that the model lists; words are numbered from 0.
using NgramWord = std::int32_t;

/// ln p(word | the words before) = ln p(longest n-gram that is listed) + back-off weights of the
/// longer contexts, as ARPA files define it. Safe to read from several threads.
class NgramModel {
 public:
  static constexpr const char* kBegin = "<s>";
  static constexpr const char* kEnd = "</s>";
  static constexpr const char* kUnknown = "<unk>";

  /// An ARPA file's content (of any order); `name` stands for the file in messages. Throws
  /// DataError ("arpa") with file:line for lines that are not n-grams, counts that do not hold,
  /// n-grams that come twice or whose first words are not listed one order below, and files without
  /// `<s>` and `</s>`.
  static NgramModel parse_arpa(std::string_view content, const std::string& name);

  /// The file's content: logarithms to base 10 with 7 decimals.
  [[nodiscard]] std::string arpa() const;

  [[nodiscard]] std::int64_t order() const { return std::ssize(levels_); }
  [[nodiscard]] std::int64_t num_words() const { return std::ssize(words_); }
  [[nodiscard]] const std::string& word(NgramWord word) const {
    return words_[static_cast<std::size_t>(word)];
  }
  [[nodiscard]] std::optional<NgramWord> find(std::string_view word) const;
  /// The same, but `<unk>` for a word that is not listed; -1 where that is not listed either.
  [[nodiscard]] NgramWord find_or_unknown(std::string_view word) const;
  [[nodiscard]] NgramWord begin() const { return begin_; }
  [[nodiscard]] NgramWord end() const { return end_; }

  /// ln p(word | history), history oldest first; only its last order() - 1 words count. -1 for the
  /// word is one that the model lacks: as likely as its rarest one by itself.
  [[nodiscard]] double log_prob(std::span<const NgramWord> history, NgramWord word) const;
  /// The same of every word, and at the end that of one that the model lacks.
  [[nodiscard]] std::vector<float> log_probs(std::span<const NgramWord> history) const;

 private:
  friend class NgramBuilder;

  static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

  /// N-grams of one length, by (place of their context one level below, last word).
  struct Level {
    std::vector<std::uint64_t> keys;  // ascending
    std::vector<float> log10_probs;
    std::vector<float> log10_backoffs;  // of the n-gram as a context

    /// Its place, or kNone.
    [[nodiscard]] std::uint32_t place(std::uint32_t context, NgramWord word) const;
  };

  [[nodiscard]] std::uint32_t place_of(std::span<const NgramWord> ngram) const;
  void write_level(std::size_t level, std::vector<NgramWord>& ngram, std::uint32_t context,
                   std::string& text) const;

  std::vector<std::string> words_;
  std::unordered_map<std::string, NgramWord> ids_;
  std::vector<Level> levels_;  // n-grams of 1, 2, ... words
  NgramWord begin_ = -1, end_ = -1, unknown_ = -1;
  float rarest_ = 0;  // log10
};

/// Interpolated Kneser-Ney bigram (Chen and Goodman, 1998, section 2.7, with one discount an order,
/// n1 / (n1 + 2 n2)) of sentences of units: `<s>` before each, `</s>` after it. It lists the names
/// of all units given but the blank (0) and the end, which stand for none in a text; what no
/// sentence has shares the mass that the discount of single words sets free. `sentences` hold ids
/// below names.size(), without blank and end. Throws ConfigError when there is no sentence.
NgramModel kneser_ney_bigram(const Sentences& sentences, const std::vector<std::string>& names);

}  // namespace raven::text

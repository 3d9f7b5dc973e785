#include "synth/sentences.h"

#include <array>
#include <cctype>
#include <string_view>

#include "raven/core/error.h"

namespace raven::synth {
namespace {

constexpr std::array<const char*, 10> kDigitWords = {"ZERO", "ONE", "TWO",   "THREE", "FOUR",
                                                     "FIVE", "SIX", "SEVEN", "EIGHT", "NINE"};

template <class Words>
std::string draw(const Words& words, Random& random) {
  return std::string(words[static_cast<std::size_t>(random.below(std::ssize(words)))]);
}

void append(std::string& spoken, const std::string& token) {
  if (!spoken.empty()) spoken += ' ';
  spoken += token;
}

std::string lower(std::string word) {
  for (char& letter : word)
    letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  return word;
}

}  // namespace

std::string kind_name(Kind kind) {
  for (const auto& [name, known] : kKinds) {
    if (known == kind) return name;
  }
  RAVEN_CHECK(false, "unknown kind {}", static_cast<int>(kind));
}

Sentence grid_sentence(Random& random) {
  constexpr std::array<const char*, 4> kCommands = {"BIN", "LAY", "PLACE", "SET"};
  constexpr std::array<const char*, 4> kColours = {"BLUE", "GREEN", "RED", "WHITE"};
  constexpr std::array<const char*, 4> kPrepositions = {"AT", "BY", "IN", "WITH"};
  constexpr std::array<const char*, 4> kAdverbs = {"AGAIN", "NOW", "PLEASE", "SOON"};
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVXYZ";

  Sentence sentence;
  sentence.words.push_back(draw(kCommands, random));
  sentence.words.push_back(draw(kColours, random));
  sentence.words.push_back(draw(kPrepositions, random));
  sentence.words.push_back(
      std::string(1, kLetters[static_cast<std::size_t>(random.below(std::ssize(kLetters)))]));
  sentence.words.push_back(draw(kDigitWords, random));
  sentence.words.push_back(draw(kAdverbs, random));
  for (const auto& word : sentence.words) {
    append(sentence.spoken,
           word == "A" ? "[[eI]]" : lower(word));  // "a" would be read as the article
  }
  return sentence;
}

Sentence digits_sentence(Random& random) {
  Sentence sentence;
  const auto count = 4 + random.below(5);
  for (std::int64_t i = 0; i < count; ++i) {
    sentence.words.push_back(draw(kDigitWords, random));
    append(sentence.spoken, lower(sentence.words.back()));
  }
  return sentence;
}

std::vector<std::string> expand_grammar(Random& random);  // open_grammar.cpp

Sentence open_sentence(Random& random) {
  Sentence sentence{expand_grammar(random), ""};
  for (std::size_t i = 0; i + 1 < sentence.words.size(); ++i) {
    const auto& next = sentence.words[i + 1];
    const bool vowel = std::string_view("AEIOU").find(next[0]) != std::string_view::npos;
    if (sentence.words[i] == "A" && vowel && next != "USED") sentence.words[i] = "AN";
  }
  for (const auto& word : sentence.words) append(sentence.spoken, lower(word));
  return sentence;
}

Sentence make_sentence(Kind kind, Random& random) {
  if (kind == Kind::kMix) {
    constexpr std::array kinds = {Kind::kGrid, Kind::kDigits, Kind::kOpen};
    kind = kinds[static_cast<std::size_t>(random.below(std::ssize(kinds)))];
  }
  switch (kind) {
    case Kind::kGrid:
      return grid_sentence(random);
    case Kind::kDigits:
      return digits_sentence(random);
    default:
      return open_sentence(random);
  }
}

}  // namespace raven::synth

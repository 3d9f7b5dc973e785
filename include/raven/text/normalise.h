// How transcripts become words. References and hypotheses pass through the same function, before
// training as before scoring; docs/scoring.md states the rule.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace raven::text {

/// How often each character was met that is not white space, A-Z, a-z, 0-9 or apostrophe.
struct CharacterReport {
  std::map<char32_t, std::int64_t>
      replaced;  // by a blank: punctuation, symbols, control characters
  std::map<char32_t, std::int64_t>
      kept;  // other letters; U+FFFD stands for bytes that are not UTF-8
};

/// One line of upper-case words with single blanks between them:
/// 1. letters become upper case by Unicode's tables, whether their accents are composed or not (the
///    result is in normal form C): final and other sigma are Σ, ß and ẞ are SS, a ligature or
///    digraph is its letters. Languages are not told apart, so Turkish i, ı, I and İ are all I.
///    Accents stay (Έ is not Ε). Georgian stays small;
/// 2. U+2019, U+2018, U+02BC, U+00B4, U+FF07 and the grave accent become the apostrophe;
/// 3. punctuation, symbols and control characters become blanks ("TWENTY-ONE" is two words);
///    invisible characters (U+200B to U+200F, U+FEFF, U+00AD) vanish;
/// 4. white space becomes one blank, none at the ends.
/// What remains outside A-Z, 0-9 and apostrophe is kept; a byte that is not UTF-8 becomes U+FFFD.
/// `<unk>`, the unknown unit in a hypothesis, stays as it is. Idempotent; text of A-Z, 0-9 and
/// apostrophes is left alone. `report`, when given, is added to.
std::string normalise(std::string_view text, CharacterReport* report = nullptr);

/// "'é' (U+00E9) 3 times, ..." with the most frequent first, at most eight of them.
std::string describe(const std::map<char32_t, std::int64_t>& characters);

}  // namespace raven::text

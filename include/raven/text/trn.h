// sclite's transcript files: `WORDS (speaker-utterance)`, one utterance a line.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace raven::text {

struct TrnUtterance {
  std::string speaker;    // before the first '-' of the id; empty when it has none
  std::string utterance;  // the rest of the id
  std::string text;       // words; may be empty
  // Where the id begins in a file that was read: line and byte, both from 1.
  std::int64_t line = 0, column = 0;
};

/// The lines of a trn file that sclite reads as meant: one line each, ending in the id. In words,
/// the characters that sclite does not take as plain text ({ } / ( ) @ ; \ * and %), white space
/// other than blanks, control characters and bytes that are not UTF-8 are written as %XX; different
/// words stay different. In ids the same and blanks, in the speaker also '-'. sclite compares ids
/// without case: where two would be the same, the later ones have their capitals written as %XX. A
/// missing speaker is "unknown".
std::string write_trn(const std::vector<TrnUtterance>& utterances);

/// Reads a trn file (lines as Lines has them): comments (;;) and empty lines are skipped, %XX in
/// ids is undone, words are left as written but for sclite's backslash. Throws DataError ("trn")
/// with file:line for a line without id, alternations in braces (not supported) and ids that come
/// twice, or ("text") for UTF-16.
std::vector<TrnUtterance> parse_trn(std::string_view content, const std::string& name);

}  // namespace raven::text

// What is said in a clip, from the text file beside it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace raven::corpus {

struct TimedWord {
  std::string word;
  double start_s = 0, end_s = 0;
};

struct Transcript {
  std::string text;              // one line, single spaces
  std::vector<TimedWord> words;  // in time order; empty when the file has no times
};

/// Reads LRS3's files (`Text:` line; later a table headed `WORD START END ...`) and plain text,
/// which is taken as a whole. UTF-8, with or without byte-order mark and CRLF ends. Throws
/// DataError ("text") with the line when it is not UTF-8 or the table is damaged.
Transcript parse_transcript(std::string_view content, const std::string& name);

}  // namespace raven::corpus

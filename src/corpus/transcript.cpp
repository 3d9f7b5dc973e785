#include "raven/corpus/transcript.h"

#include <charconv>
#include <cmath>

#include "corpus/white_space.h"
#include "raven/core/error.h"
#include "raven/core/lines.h"
#include "raven/core/utf8.h"

namespace raven::corpus {
namespace {

constexpr std::string_view kTextMark = "Text:";
constexpr std::string_view kTableMark = "WORD START END";

bool starts_with(std::string_view text, std::string_view start) {
  return text.substr(0, start.size()) == start;
}

std::string single_spaced(std::string_view text) {
  std::string out;
  for (const auto part : split_at_spaces(text)) {
    if (!out.empty()) out += ' ';
    out += part;
  }
  return out;
}

bool parse_time(std::string_view text, double& seconds) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  return error == std::errc() && end == text.data() + text.size() && seconds >= 0 &&
         seconds < kMostSeconds;
}

class TranscriptParser {
 public:
  TranscriptParser(std::string_view content, const std::string& name)
      : content_(content), name_(name) {}

  Transcript parse() {
    bool is_marked = false, in_table = false;
    Lines lines(content_);
    while (const auto line = lines.next()) {
      line_number_ = lines.number();
      if (in_table) {
        read_word(*line);
      } else if (starts_with(*line, kTableMark)) {
        in_table = true;
      } else if (!is_marked && starts_with(*line, kTextMark)) {
        is_marked = true;
        transcript_.text = single_spaced(line->substr(kTextMark.size()));
      }
    }
    if (!is_marked && in_table) fail("a table of words, but no line 'Text:'");
    if (!is_marked) transcript_.text = single_spaced(Lines(content_).rest());
    return std::move(transcript_);
  }

 private:
  void read_word(std::string_view line) {
    const auto parts = split_at_spaces(line);
    if (parts.empty()) return;
    TimedWord word;
    if (parts.size() < 3 || !parse_time(parts[1], word.start_s) ||
        !parse_time(parts[2], word.end_s)) {
      fail("expected a word, its start and its end in seconds");
    }
    const auto earliest = transcript_.words.empty() ? 0 : transcript_.words.back().start_s;
    if (word.end_s < word.start_s || word.start_s < earliest)
      fail("the words are not in time order");
    word.word = std::string(parts[0]);
    transcript_.words.push_back(std::move(word));
  }

  [[noreturn]] void fail(const char* what) const {
    throw DataError(fmt::format("{}:{}: {}", name_, line_number_, what), "text");
  }

  std::string_view content_;
  const std::string& name_;
  std::size_t line_number_ = 1;
  Transcript transcript_;
};

}  // namespace

Transcript parse_transcript(std::string_view content, const std::string& name) {
  if (!is_utf8(content)) throw DataError(fmt::format("{}: is not UTF-8 text", name), "text");
  return TranscriptParser(content, name).parse();
}

}  // namespace raven::corpus

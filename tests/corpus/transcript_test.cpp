#include "raven/corpus/transcript.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "raven/core/error.h"

namespace raven::corpus {
namespace {

using testing::HasSubstr;

std::string message_of(const std::string& content) {
  try {
    parse_transcript(content, "a.txt");
  } catch (const DataError& error) {
    EXPECT_EQ(error.reason(), "text");
    return error.what();
  }
  return "accepted";
}

TEST(Transcript, ReadsLrs3Files) {
  const auto transcript = parse_transcript(
      "Text:  HELLO  BRAVE WORLD\nConf:  5\n\nWORD START END ASDSCORE\n"
      "HELLO 0.10 0.50 9.5\nBRAVE 0.60 0.9 8\nWORLD 1 1.25\n",
      "a.txt");
  EXPECT_EQ(transcript.text, "HELLO BRAVE WORLD");
  ASSERT_EQ(transcript.words.size(), 3U);
  EXPECT_EQ(transcript.words[1].word, "BRAVE");
  EXPECT_DOUBLE_EQ(transcript.words[1].start_s, 0.6);
  EXPECT_DOUBLE_EQ(transcript.words[2].end_s, 1.25);
}

TEST(Transcript, ReadsWindowsFilesAndOnesWithoutTable) {
  const auto transcript =
      parse_transcript("\xEF\xBB\xBFText:  HELLO WORLD\r\nConf: 3\r\n", "a.txt");
  EXPECT_EQ(transcript.text, "HELLO WORLD");
  EXPECT_TRUE(transcript.words.empty());
}

TEST(Transcript, TakesPlainTextAsAWhole) {
  EXPECT_EQ(parse_transcript("  hello\tbrave\r\n\n w\xC3\xB6rld \n", "a.txt").text,
            "hello brave w\xC3\xB6rld");
  EXPECT_EQ(parse_transcript("", "a.txt").text, "");
}

TEST(Transcript, RefusesDamagedFiles) {
  EXPECT_THAT(message_of("Text: A\nWORD START END ASDSCORE\nA 0.1\n"),
              HasSubstr("a.txt:3: expected a word"));
  EXPECT_THAT(message_of("Text: A\nWORD START END ASDSCORE\nA x 1\n"), HasSubstr("a.txt:3"));
  EXPECT_THAT(message_of("Text: A\nWORD START END\nA -1 1\n"), HasSubstr("a.txt:3"));
  EXPECT_THAT(message_of("Text: A\nWORD START END\nA nan 1\n"), HasSubstr("a.txt:3"));
  EXPECT_THAT(message_of("Text: A\nWORD START END\nA 2 1\n"), HasSubstr("time order"));
  EXPECT_THAT(message_of("Text: A B\nWORD START END\nA 2 3\nB 1 4\n"), HasSubstr("a.txt:4"));
  EXPECT_THAT(message_of("WORD START END\nA 2 3\n"), HasSubstr("no line 'Text:'"));
  EXPECT_THAT(message_of("Text: caf\xE9\n"), HasSubstr("UTF-8"));
}

}  // namespace
}  // namespace raven::corpus

#include "raven/text/trn.h"

#include <gmock/gmock.h>

#include "raven/core/error.h"

namespace raven::text {
namespace {

using testing::HasSubstr;

std::string line_of(const std::string& speaker, const std::string& utterance,
                    const std::string& text) {
  return write_trn({{.speaker = speaker, .utterance = utterance, .text = text}});
}

std::string error_of(const std::string& content) {
  try {
    parse_trn(content, "hyp.trn");
  } catch (const DataError& error) {
    EXPECT_EQ(error.reason(), "trn");
    return error.what();
  }
  return "no error";
}

TEST(Trn, IsWrittenAsScliteReadsIt) {
  EXPECT_EQ(line_of("s1", "test/s1/00001", "IT'S <unk> RED"),
            "IT'S <unk> RED (s1-test/s1/00001)\n");
  EXPECT_EQ(line_of("", "a", ""), "(unknown-a)\n");
}

TEST(Trn, NothingIsTakenForMoreThanText) {
  EXPECT_EQ(line_of("s", "u", "A {B / C} (D) @ ;; \\ * 100% \xC3\x89"),
            "A %7BB %2F C%7D %28D%29 %40 %3B%3B %5C %2A 100%25 \xC3\x89 (s-u)\n");
  EXPECT_EQ(line_of("s", "u",
                    "A\tB\nC\xC2\xA0"
                    "D \xFF\x01"),
            "A B C D %FF%01 (s-u)\n");
  EXPECT_EQ(line_of("a-b c", "u (1)-2\n", "X"), "X (a%2Db%20c-u%20%281%29-2%0A)\n");
  EXPECT_EQ(line_of("s", "u", "<script>alert(1)</script>"),
            "<script>alert%281%29<%2Fscript> (s-u)\n");
}

TEST(Trn, IdsDifferWithoutCase) {
  EXPECT_EQ(write_trn({{"s", "Ab", "X"}, {"s", "aB", "Y"}, {"s", "ab", "Z"}}),
            "X (s-Ab)\nY (s-a%42)\nZ (s-ab)\n");
}

TEST(Trn, GoesThereAndBack) {
  const std::vector<TrnUtterance> utterances = {{"a-b c", "u (1)", "IT'S RED"},
                                                {"100%41", "x/\\y", ""},
                                                {"\xC3\x89", "\xFF", "\xC3\x89T\xC3\x89 <unk>"},
                                                {"s", "v", "A(B)C ; {x} 100% %41 <script>"}};
  const auto read = parse_trn(write_trn(utterances), "x");
  ASSERT_EQ(read.size(), utterances.size());
  for (std::size_t i = 0; i < read.size(); ++i) {
    EXPECT_EQ(read[i].speaker, utterances[i].speaker);
    EXPECT_EQ(read[i].utterance, utterances[i].utterance);
    EXPECT_EQ(read[i].text, utterances[i].text);
  }
}

TEST(Trn, ReadsWhatOthersWrote) {
  const auto read =
      parse_trn(";; made by hand\n\nhello  (big) world (spk_1-utt-2)\r\n(utt3)\n A\\{B (x-4)", "x");
  ASSERT_EQ(read.size(), 3U);
  EXPECT_EQ(read[0].speaker, "spk_1");
  EXPECT_EQ(read[0].utterance, "utt-2");
  EXPECT_EQ(read[0].text, "hello (big) world");
  EXPECT_EQ(read[1].speaker, "");
  EXPECT_EQ(read[1].utterance, "utt3");
  EXPECT_EQ(read[1].text, "");
  EXPECT_EQ(read[2].text, "A{B");
}

TEST(Trn, LinesMayEndInCarriageReturns) {
  const auto read = parse_trn(
      "\xEF\xBB\xBF"
      "A B (s-1)\r;; x\rC (s-2)\r",
      "x");
  ASSERT_EQ(read.size(), 2U);
  EXPECT_EQ(read[0].text, "A B");
  EXPECT_EQ(read[1].text, "C");
  EXPECT_EQ(read[1].line, 3);
}

TEST(Trn, AnEscapeMakesNoWordsOfOne) {
  EXPECT_EQ(parse_trn("A%20B C%0AD %FF %2 %zz 100% (s-u)\n", "x")[0].text,
            "A%20B C%0AD %FF %2 %zz 100%");
}

TEST(Trn, RefusesDamagedLines) {
  EXPECT_THAT(error_of("A (s-1)\nB C\n"),
              HasSubstr("hyp.trn:2: expected 'WORDS (speaker-utterance)'"));
  EXPECT_THAT(error_of("A (s-1) B\n"), HasSubstr("hyp.trn:1: expected"));
  EXPECT_THAT(error_of("A )\n"), HasSubstr("expected"));
  EXPECT_THAT(error_of("A ()\n"), HasSubstr("hyp.trn:1: the id is empty"));
  EXPECT_THAT(error_of("A (s 1)\n"), HasSubstr("holds white space"));
  EXPECT_THAT(error_of("{A / B} (s-1)\n"), HasSubstr("alternations in braces are not supported"));
  EXPECT_EQ(error_of("A (s-1)\nB (s-1)\n"), "hyp.trn:2: id 's-1' stands already in line 1");
  EXPECT_TRUE(parse_trn("", "x").empty());
}

}  // namespace
}  // namespace raven::text

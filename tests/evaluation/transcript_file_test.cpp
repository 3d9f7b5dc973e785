#include "raven/evaluation/transcript_file.h"

#include <gmock/gmock.h>

#include "raven/core/error.h"

namespace raven::evaluation {
namespace {

using testing::HasSubstr;

std::string error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const DataError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Transcripts, ReadEachForm) {
  const auto trn = parse_transcripts("IT IS (s1-a)\n(s2-b)\n", "x.trn");
  ASSERT_EQ(trn.size(), 2U);
  EXPECT_EQ(trn[0].id, "a");
  EXPECT_EQ(trn[0].speaker, "s1");
  EXPECT_EQ(trn[0].text, "IT IS");
  EXPECT_EQ(trn[1].text, "");
  const auto table = parse_transcripts(
      "\xEF\xBB\xBFtext\tframes\tid\tspeaker\tsnr_db\r\nIT IS\t30\ta\ts1\t-5\r\n\t\tb\t\t\n",
      "x.tsv");
  ASSERT_EQ(table.size(), 2U);
  EXPECT_EQ(table[0].id, "a");
  EXPECT_EQ(table[0].frames, 30);
  EXPECT_EQ(table[0].snr_db, -5);
  EXPECT_EQ(table[1].snr_db, std::nullopt);
  const auto plain = parse_transcripts("a IT IS\nb\tRED\n\nc\n", "text");
  ASSERT_EQ(plain.size(), 3U);
  EXPECT_EQ(plain[0].text, "IT IS");
  EXPECT_EQ(plain[1].text, "RED");
  EXPECT_EQ(plain[2].text, "");
}

TEST(Transcripts, AnEmptyTextIsAReferenceButInAManifest) {
  const auto may_be_empty = [](const std::string& content, const std::string& file) {
    return parse_transcripts(content, file).at(0).may_be_empty;
  };
  EXPECT_TRUE(may_be_empty("(s-a)\n", "x.trn"));
  EXPECT_TRUE(may_be_empty("a\n", "x"));
  EXPECT_TRUE(may_be_empty("id\ttext\na\t\n", "x.tsv"));
  EXPECT_FALSE(may_be_empty("id\tvideo\ttext\na\ta.mp4\t\n", "manifest.tsv"));
  EXPECT_FALSE(may_be_empty("id\taudio\ttext\na\ta.wav\t\n", "manifest.tsv"));
}

TEST(Transcripts, LinesMayEndInCarriageReturns) {
  for (const auto& [content, file] :
       std::vector<std::pair<const char*, const char*>>{{"a IT IS\rb RED\r", "x"},
                                                        {"id\ttext\ra\tIT IS\rb\tRED\r", "x.tsv"},
                                                        {"IT IS (s-a)\rRED (s-b)\r", "x.trn"}}) {
    const auto lines = parse_transcripts(content, file);
    ASSERT_EQ(lines.size(), 2U) << file;
    EXPECT_EQ(lines[0].text, "IT IS") << file;
    EXPECT_EQ(lines[1].id, "b") << file;
  }
}

TEST(Transcripts, RefuseIdsThatAreNoUtf8) {
  EXPECT_THAT(error_of([] { parse_transcripts("a A\ncaf\xE9 B\n", "x"); }),
              HasSubstr("x:2:1: the id 'caf%E9' is not UTF-8"));
  EXPECT_THAT(error_of([] { parse_transcripts("text\tid\nA\tcaf\xE9\n", "x.tsv"); }),
              HasSubstr("x.tsv:2:3: the id 'caf%E9' is not UTF-8"));
  EXPECT_THAT(error_of([] { parse_transcripts("A (s-a)\nB (s-caf%E9)\n", "x.trn"); }),
              HasSubstr("x.trn:2:4: the id 'caf%E9' is not UTF-8"));
  // The text before the id may hold the same bytes.
  EXPECT_THAT(error_of([] { parse_transcripts("text\tid\n\xE9\t\xE9\n", "x.tsv"); }),
              HasSubstr("x.tsv:2:3: the id '%E9' is not UTF-8"));
  EXPECT_EQ(parse_transcripts("caf\xC3\xA9 A\n", "x").at(0).id, "caf\xC3\xA9");
}

TEST(Transcripts, RefuseIdsWhoseSpeakerIsNoUtf8WhereTheyHoldIt) {
  EXPECT_THAT(error_of([] { parse_transcripts("A (s-1)\nB (caf%E9-1)\n", "x.trn"); }),
              HasSubstr("x.trn:2:4: the id 'caf%E9-1' is not UTF-8"));
  EXPECT_EQ(parse_transcripts("A (s-1)\nB (caf%E9-2)\n", "x.trn").at(1).id, "2");
}

TEST(Transcripts, RefuseUtf16) {
  using namespace std::string_view_literals;
  for (const auto* file : {"x", "x.tsv", "x.trn"}) {
    EXPECT_THAT(error_of([&] { parse_transcripts("a\0 \0A\0\n\0"sv, file); }),
                HasSubstr(std::string(file) + ":1: holds a NUL byte"));
    EXPECT_THAT(error_of([&] {
                  parse_transcripts(
                      "\xFF\xFE"
                      "a\0 \0A\0\n\0"sv,
                      file);
                }),
                HasSubstr(std::string(file) + ": is UTF-16"));
  }
}

TEST(Transcripts, NamesUnderTwoSpeakersStayApart) {
  const auto lines = parse_transcripts("A (s1-1)\nB (s2-1)\n", "x.trn");
  EXPECT_EQ(lines[0].id, "s1-1");
  EXPECT_EQ(lines[1].id, "s2-1");
}

TEST(Transcripts, RefuseDamage) {
  const auto refused = [](const std::string& content, const std::string& file) {
    return error_of([&] { parse_transcripts(content, file); });
  };
  EXPECT_THAT(refused("id\twords\n", "x.tsv"), HasSubstr("x.tsv:1: expected a header"));
  EXPECT_THAT(refused("id\ttext\na\n", "x.tsv"), HasSubstr("x.tsv:2: found 1 columns, expected"));
  EXPECT_THAT(refused("id\ttext\tframes\na\tA\tten\n", "x.tsv"), HasSubstr("frames is 'ten'"));
  EXPECT_THAT(refused("a X\na Y\n", "x"), HasSubstr("x:2: id 'a' stands already in line 1"));
  EXPECT_THAT(refused(" X\n", "x"), HasSubstr("x:1: the id is empty"));
  EXPECT_THROW(read_transcripts("/nowhere"), ConfigError);
}

TEST(Transcripts, ArePairedById) {
  std::int64_t extra = 0;
  const auto references =
      parse_transcripts("id\ttext\tspeaker\tframes\na\tA\ts1\t9\nb\tB\ts2\t8\n", "r.tsv");
  const auto results =
      pair_transcripts(references, parse_transcripts("c C\nb X\na Y\n", "h"), extra);
  EXPECT_EQ(extra, 1);
  ASSERT_EQ(results.size(), 2U);
  EXPECT_EQ(results[0].hypothesis, "Y");
  EXPECT_EQ(results[0].speaker, "s1");
  EXPECT_EQ(results[1].frames, 8);
  EXPECT_THAT(
      error_of([&] { pair_transcripts(references, parse_transcripts("a A\n", "h"), extra); }),
      HasSubstr("1 of 2 references have no hypothesis, the first is 'b'"));
}

}  // namespace
}  // namespace raven::evaluation

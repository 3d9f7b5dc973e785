#include "raven/transcription/subtitles.h"

#include <gtest/gtest.h>

#include "raven/core/random.h"

namespace raven::transcription {
namespace {

Transcript of(const std::vector<Word>& words) {
  return {.passages = {{.begin_s = 0, .end_s = 100, .words = words}}};
}

TEST(Subtitles, FillTwoLinesAndBeginAnewInAPause) {
  std::vector<Word> words;
  for (int i = 0; i < 12; ++i)
    words.push_back({.text = "ELEVENCHARS", .begin_s = 0.3 * i, .end_s = 0.3 * i + 0.2});
  words.push_back({.text = "LATER", .begin_s = 5, .end_s = 5.5});
  const auto all = subtitles(of(words), 20);
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].lines, (std::vector<std::string>(2, "ELEVENCHARS ELEVENCHARS ELEVENCHARS")));
  EXPECT_EQ(all[0].begin_ms, 0);
  EXPECT_EQ(all[0].end_ms, 1700);
  EXPECT_EQ(all[1].begin_ms, 1800);
  EXPECT_EQ(all[2].lines, (std::vector<std::string>{"LATER"}));
  EXPECT_EQ(all[2].begin_ms, 5000);
  EXPECT_EQ(all[2].end_ms, 6000);  // half a second cannot be read
}

TEST(Subtitles, KeepToTheirRulesWhateverTheWords) {
  Random random(5);
  for (int round = 0; round < 200; ++round) {
    std::vector<Word> words;
    double time_s = 0;
    for (int i = 0; i < 80; ++i) {
      const auto length = static_cast<std::size_t>(1 + random.below(i % 10 == 0 ? 100 : 12));
      std::string text;
      for (std::size_t k = 0; k < length; ++k) text += "\xC3\x89";  // É: two bytes, one character
      const double begin_s = time_s + random.uniform(0, i % 7 == 0 ? 2 : 0.1);
      const double end_s = begin_s + random.uniform(0, i % 13 == 0 ? 9 : 0.5);
      words.push_back({.text = text, .begin_s = begin_s, .end_s = end_s});
      time_s = random.chance(0.1) ? begin_s : end_s;
    }
    const double duration_s = time_s - random.uniform(0, 0.5);
    std::int64_t before_ms = 0;
    for (const auto& one : subtitles(of(words), duration_s)) {
      EXPECT_GE(one.begin_ms, before_ms);
      EXPECT_GT(one.end_ms, one.begin_ms);
      EXPECT_LE(one.end_ms - one.begin_ms, kMostShown_ms);
      EXPECT_LE(one.lines.size(), kMostLines);
      for (const auto& line : one.lines) {
        std::size_t characters = 0;
        for (const char c : line) characters += (c & 0xC0) != 0x80 ? 1 : 0;
        EXPECT_LE(characters, kMostCharacters);
        EXPECT_GT(characters, 0U);
      }
      before_ms = one.end_ms;
    }
    EXPECT_LE(before_ms, std::llround(duration_s * 1000));
  }
}

TEST(Subtitles, AreWrittenAsTheirFormatsWant) {
  const std::vector<Subtitle> all = {
      {.begin_ms = 0, .end_ms = 1234, .lines = {"A <unk> & --> B", "C"}},
      {.begin_ms = 3'723'004, .end_ms = 3'724'000, .lines = {"D"}}};
  EXPECT_EQ(srt(all),
            "1\n00:00:00,000 --> 00:00:01,234\nA <unk> & --> B\nC\n\n"
            "2\n01:02:03,004 --> 01:02:04,000\nD\n\n");
  EXPECT_EQ(vtt(all),
            "WEBVTT\n\n00:00:00.000 --> 00:00:01.234\nA &lt;unk&gt; &amp; --&gt; B\nC\n\n"
            "01:02:03.004 --> 01:02:04.000\nD\n\n");
  EXPECT_EQ(vtt({}), "WEBVTT\n\n");
}

}  // namespace
}  // namespace raven::transcription

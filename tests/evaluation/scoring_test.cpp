#include "raven/evaluation/scoring.h"

#include <gmock/gmock.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/random.h"
#include "raven/core/utf8.h"
#include "raven/report/page.h"
#include "support/sclite.h"
#include "support/temporary_folder.h"

namespace raven::evaluation {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

const std::vector<std::string> kFiles = {"alignments.txt",   "hyp.trn",  "ref.trn",
                                         "utterances.jsonl", "wer.json", "worst.json"};

UtteranceResult result(const std::string& id, const std::string& reference,
                       const std::string& hypothesis, std::int64_t frames = 40) {
  return {.id = id,
          .speaker = id.substr(0, 2),
          .frames = frames,
          .snr_db = std::nullopt,
          .reference = reference,
          .hypothesis = hypothesis,
          .score = -1.5};
}

std::vector<UtteranceResult> small_set() {
  return {result("s2/b", "IT IS RED", "IT BLUE RED NOW", 60), result("s1/a", "A B", "A B", 20),
          result("s1/c", "", "NOISE", 10), result("s1/d", "HELLO", "", 700)};
}

std::vector<UtteranceResult> random_set(std::uint64_t seed, std::int64_t utterances,
                                        std::optional<double> snr_db = std::nullopt) {
  Random random(seed);
  std::vector<UtteranceResult> results;
  for (std::int64_t i = 0; i < utterances; ++i) {
    auto one = result("s" + std::to_string(i % 5) + "/" + std::to_string(i), "", "",
                      10 + random.below(200));
    one.snr_db = snr_db;
    for (auto n = 1 + random.below(10); n > 0; --n) {
      const auto word = "W" + std::to_string(random.below(40));
      one.reference += word + " ";
      if (random.chance(0.9)) one.hypothesis += (random.chance(0.7) ? word : "W1") + " ";
      if (random.chance(0.05)) one.hypothesis += "X ";
    }
    results.push_back(one);
  }
  return results;
}

TEST(Score, AddsUpWhatWasHeard) {
  const auto scores = score(small_set());
  EXPECT_EQ(scores.totals.utterances, 3);
  EXPECT_EQ(scores.totals.words, (text::EditCounts{3 + 1, 1, 1, 1}));
  EXPECT_EQ(scores.totals.sentence_errors, 2);
  EXPECT_DOUBLE_EQ(scores.totals.wer(), 0.5);
  EXPECT_EQ(scores.skipped, (std::map<std::string, std::int64_t>{{"empty-reference", 1}}));
  ASSERT_EQ(scores.utterances.size(), 3U);
  EXPECT_EQ(scores.utterances[0].result.id, "s1/a");  // by id
  EXPECT_LE(scores.confidence.low, 0.5);
  EXPECT_GE(scores.confidence.high, 0.5);
}

TEST(Score, TellsTheLeastErrorsOfNbestLists) {
  auto results = small_set();
  results[0].alternatives = {"IT BLUE RED NOW", "it is red now", "IT IS"};
  results[1].alternatives = {"A B"};
  results[3].alternatives = {"", "HELLO"};
  const auto scores = score(results);
  ASSERT_TRUE(scores.oracle);
  EXPECT_EQ(scores.oracle->words.errors(), 1);
  EXPECT_DOUBLE_EQ(scores.oracle->wer(), 1.0 / 6);
  EXPECT_EQ(json::parse(wer_json(scores)).at("oracle").at("errors"), 1);
  EXPECT_THAT(to_text(scores), HasSubstr("WER 16.7 % with the best hypothesis of each list"));
  results[1].alternatives.clear();
  EXPECT_FALSE(score(results).oracle) << "not every utterance has a list";
}

TEST(Score, WritesHypothesesThatHaveNoReference) {
  const TemporaryFolder folder;
  write_scores(folder.path(), score(small_set()));
  EXPECT_THAT(read_file(folder.path() / "hyp.trn"), HasSubstr("NOISE (s1-s1/c)"));
  EXPECT_THAT(read_file(folder.path() / "ref.trn"), Not(HasSubstr("s1/c")));
  const auto scores = score({result("s1/c", "", "NOISE")});
  EXPECT_EQ(scores.unscored.size(), 1U);
  write_scores(folder.path(), scores);
  EXPECT_EQ(read_file(folder.path() / "hyp.trn"), "NOISE (s1-s1/c)\n");
  for (const auto& file : kFiles)
    EXPECT_EQ(std::filesystem::exists(folder.path() / file), file == "hyp.trn") << file;
  EXPECT_THAT(to_text(scores), HasSubstr("1 utterances; none has a transcript"));
}

TEST(Score, TellsWhatMadeTheHypotheses) {
  auto scores = score(small_set());
  EXPECT_FALSE(json::parse(wer_json(scores)).contains("model"));
  scores.with = {.weights = "runs/a/checkpoints/step_00000012",
                 .checksum = "0123",
                 .step = 12,
                 .steps = 24,
                 .averaged = {},
                 .search = {{"decode.beam_size", "40"}}};
  EXPECT_EQ(json::parse(wer_json(scores)).at("model"),
            json({{"weights", "runs/a/checkpoints/step_00000012"},
                  {"xxh3", "0123"},
                  {"step", 12},
                  {"steps", 24},
                  {"finished", false}}));
  EXPECT_EQ(json::parse(wer_json(scores)).at("search").at("decode.beam_size"), "40");
  EXPECT_EQ(to_text(*scores.with),
            "runs/a/checkpoints/step_00000012: step 12 of 24, the run is not finished");
  scores.with->step = 24;
  scores.with->averaged = 3;
  EXPECT_THAT(to_text(*scores.with), HasSubstr(": step 24 of 24, mean of 3 checkpoints"));
  EXPECT_EQ(json::parse(wer_json(scores)).at("model").at("finished"), true);
  scores.with->step.reset();
  EXPECT_THAT(to_text(*scores.with), HasSubstr("does not tell its step"));
  EXPECT_FALSE(json::parse(wer_json(scores)).at("model").contains("finished"));
}

TEST(Score, MakesTables) {
  auto results = small_set();
  results[0].snr_db = -5;
  results[3].snr_db = 10;
  const auto scores = score(results);
  ASSERT_EQ(scores.by_length.size(), 3U);
  EXPECT_EQ(scores.by_length[0].name, "0 to 1 s");
  EXPECT_EQ(scores.by_length[1].name, "2 to 3 s");
  EXPECT_EQ(scores.by_length[2].name, "24 s and more");
  EXPECT_EQ(scores.by_length[2].to, std::nullopt);
  ASSERT_EQ(scores.by_speaker.size(), 2U);
  EXPECT_EQ(scores.by_speaker[0].name, "s1");
  EXPECT_EQ(scores.by_speaker[0].totals.utterances, 2);
  ASSERT_EQ(scores.by_snr.size(), 3U);
  EXPECT_EQ(scores.by_snr[0].name, "clean");
  EXPECT_EQ(scores.by_snr[1].name, "10 dB");
  EXPECT_EQ(scores.by_snr[2].from, -5);
  const auto text = to_text(scores);
  for (const auto* part : {"length", "speaker", "noise", "-5 dB", "24 s and more", "50.0 %",
                           "1 utterances skipped: empty-reference"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
}

/// Twelve sentences of a grammar and what was heard of each.
std::vector<UtteranceResult> commands(const std::vector<std::string>& heard) {
  std::vector<UtteranceResult> results;
  for (std::size_t i = 0; i < 12; ++i) {
    const std::string said = i % 2 == 0 ? "SET BLUE " : "BIN BLUE ";
    results.push_back(result("s1/" + std::to_string(i), said + static_cast<char>('A' + i),
                             heard[i % heard.size()]));
  }
  return results;
}

TEST(Score, TellsWhatOneAnswerForAllWouldMake) {
  const auto scores = score(commands({"SET BLUE X", "BIN BLUE Y"}));
  ASSERT_TRUE(scores.constant.has_value());
  EXPECT_EQ(scores.constant->text, "BIN BLUE A");
  EXPECT_EQ(scores.constant->errors, 6 + 11);  // half of the first words, all letters but A
  EXPECT_EQ(warning_of(scores), "6 of 12 hypotheses are \"BIN BLUE Y\"");
  const auto parsed = json::parse(wer_json(scores));
  EXPECT_NEAR(parsed.at("constant_answer").at("wer"), 17. / 36, 1e-12);
  EXPECT_EQ(parsed.at("distinct_hypotheses"), 2);
  EXPECT_EQ(parsed.at("commonest_hypothesis").at("utterances"), 6);
  EXPECT_EQ(parsed.at("warning"), warning_of(scores));
  EXPECT_THAT(to_text(scores), HasSubstr("WER 47.2 % with one answer for all, \"BIN BLUE A\"; 2 "
                                         "distinct hypotheses\nwarning: 6 of 12"));
}

TEST(Score, WarnsOfAConstantAnswer) {
  EXPECT_EQ(warning_of(score(commands({"SET BLUE A"}))),
            "one answer for all utterances makes 47.2 % WER, as good as these hypotheses");
  std::vector<std::string> right;
  for (const auto& one : commands({""})) right.push_back(one.reference);
  EXPECT_EQ(warning_of(score(commands(right))), "");
  auto yes = commands({"YES"});  // said as often as heard
  for (auto& one : yes) one.reference = one.id == "s1/0" ? "NO" : "YES";
  yes[1].hypothesis = "NO", yes[0].hypothesis = "NO";
  EXPECT_EQ(warning_of(score(yes)),
            "one answer for all utterances makes 8.3 % WER, as good as these "
            "hypotheses");
  yes[1].hypothesis = "YES";
  EXPECT_EQ(warning_of(score(yes)), "");
  auto few = commands({"SET BLUE A"});
  few.resize(9);
  EXPECT_EQ(warning_of(score(few)), "") << "chance alone would do it";
}

TEST(Score, BoundsOfLengthsBelongAbove) {
  const auto scores =
      score({result("a", "A", "A", 25), result("b", "A", "A", 24), result("c", "A", "A", 0)});
  ASSERT_EQ(scores.by_length.size(), 2U);
  EXPECT_EQ(scores.by_length[0].totals.utterances, 1);
  EXPECT_EQ(scores.by_length[1].name, "1 to 2 s");
}

TEST(Score, NormalisesBothSidesAlike) {
  const std::vector<UtteranceResult> results = {
      result("a", "it\xE2\x80\x99s twenty-one", "IT'S TWENTY ONE.")};
  EXPECT_EQ(score(results).totals.words.errors(), 0);
  EXPECT_EQ(score(results, {.normalise = false}).totals.words.errors(), 3);
}

TEST(Score, RefusesWhatComesTwice) {
  try {
    score({result("a", "A", "A"), result("b", "A", "A"), result("a", "B", "B")});
    FAIL();
  } catch (const DataError& error) {
    EXPECT_EQ(error.reason(), "duplicate");
    EXPECT_THAT(error.what(), HasSubstr("'a' comes twice"));
  }
}

TEST(Score, NamesAnUtteranceThatIsTooLong) {
  std::string many;
  for (int i = 0; i < 40000; ++i) many += "A ";
  try {
    score({result("huge", many, many)});
    FAIL();
  } catch (const DataError& error) {
    EXPECT_EQ(error.reason(), "too-long");
    EXPECT_THAT(error.what(), HasSubstr("'huge'"));
  }
}

TEST(Score, NothingAtAllIsNoNumber) {
  const TemporaryFolder folder;
  const auto scores = score({result("a", "", "X")}, {}, {{"corrupt", 2}});
  EXPECT_TRUE(std::isnan(scores.totals.wer()));
  write_scores(folder.path(), scores);
  const auto wer = json::parse(wer_json(scores));
  EXPECT_TRUE(wer.at("wer").is_null() && wer.at("least_wer").is_null());
  EXPECT_EQ(wer.at("skipped"), (json{{"corrupt", 2}, {"empty-reference", 1}}));
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "wer.json"));
  EXPECT_THAT(to_text(scores), HasSubstr("2 utterances skipped: corrupt"));
}

/// The small set, with references that say that nothing was said.
std::vector<UtteranceResult> set_with_silence() {
  auto results = small_set();
  for (auto& one : results) one.may_be_empty = true;
  results.push_back(results[2]);
  results.back().id = "s1/quiet";
  results.back().hypothesis = "";
  return results;
}

TEST(Score, WhatIsHeardInSilenceIsInserted) {
  const auto scores = score(set_with_silence());
  EXPECT_EQ(scores.totals.utterances, 5);
  EXPECT_EQ(scores.totals.words, (text::EditCounts{3 + 1, 1, 1, 2}));
  EXPECT_EQ(scores.totals.characters.insertions,
            score(small_set()).totals.characters.insertions + 5);
  EXPECT_DOUBLE_EQ(scores.totals.wer(), 4.0 / 6);
  EXPECT_EQ(scores.totals.least_word_errors, 3);  // the published metric has no such pairs
  EXPECT_EQ(scores.totals.sentence_errors, 3);
  EXPECT_TRUE(scores.skipped.empty());
  const auto json = json::parse(wer_json(scores));
  EXPECT_DOUBLE_EQ(json.at("wer").get<double>(), 4.0 / 6);
  EXPECT_DOUBLE_EQ(json.at("least_wer").get<double>(), 0.5);
  EXPECT_FALSE(std::isnan(scores.confidence.low));
}

TEST(WriteScores, AnEmptyReferenceHasNoRate) {
  const TemporaryFolder folder;
  const auto scores = score(set_with_silence());
  write_scores(folder.path(), scores);
  EXPECT_THAT(read_file(folder.path() / "alignments.txt"),
              HasSubstr("s1/c (s1): 0 words, 0 substitutions, 0 deletions, 1 insertions, empty "
                        "reference\nREF:  *****\nHYP:  NOISE\n"));
  const auto worst = json::parse(read_file(folder.path() / "worst.json"));
  EXPECT_EQ(worst.at(0).at("id"), "s1/c");
  EXPECT_TRUE(worst.at(0).at("wer").is_null());
  const auto sclite = run_sclite(folder.path());
  EXPECT_EQ(sclite.total,
            (ScliteCounts{scores.totals.words.matches, scores.totals.words.substitutions,
                          scores.totals.words.deletions, scores.totals.words.insertions}));
  EXPECT_EQ(sclite.sentences, 5);
  EXPECT_EQ(sclite.words, 6);
  EXPECT_EQ(sclite.sentence_errors, scores.totals.sentence_errors);
}

TEST(WriteScores, AReportShowsWhatIsHeardInSilenceFirst) {
  const TemporaryFolder folder;
  write_scores(folder.path() / "run/evaluate/test", score(set_with_silence()));
  const auto html = report::page({folder.path() / "run"});
  EXPECT_THAT(html, Not(HasSubstr("without wer")));
  const auto worst =
      html.find("<span class=\"rate bad\">empty reference</span><h4 class=\"mono\">s1/c");
  EXPECT_LT(worst, html.find("<span class=\"rate bad\">WER "));
  EXPECT_THAT(html, HasSubstr("</a> <small>empty reference: "));  // at the top of the page
  const auto row =
      html.find("<td class=\"mono long\">s1/c</td><td class=\"n\">empty reference</td>");
  EXPECT_LT(row, html.find("</td><td class=\"n\">WER "));
}

TEST(WriteScores, TextsThatAreNoUtf8StayDifferent) {
  const TemporaryFolder folder;
  write_scores(folder.path(), score({result("a", "CAF\xE9", "CAF\xE8")}, {.normalise = false}));
  const auto line = json::parse(read_file(folder.path() / "utterances.jsonl"));
  EXPECT_EQ(line.at("ref"), "CAF%E9");
  EXPECT_EQ(line.at("hyp"), "CAF%E8");
}

TEST(WriteScores, WritesTheFilesThatWereAgreed) {
  const TemporaryFolder folder;
  write_scores(folder.path() / "new", score(small_set()));
  const auto read = [&](const std::string& name) {
    return read_file(folder.path() / "new" / name);
  };
  EXPECT_EQ(read("ref.trn"), "A B (s1-s1/a)\nHELLO (s1-s1/d)\nIT IS RED (s2-s2/b)\n");
  const std::string scored = "A B (s1-s1/a)\n(s1-s1/d)\nIT BLUE RED NOW (s2-s2/b)\n";
  EXPECT_EQ(read("hyp.trn"), scored + "NOISE (s1-s1/c)\n");
  EXPECT_EQ(read("hyp_scored.trn"), scored);
  EXPECT_THAT(read("alignments.txt"),
              HasSubstr("s2/b (s2): 3 words, 1 substitutions, 0 deletions, 1 insertions, 66.7 %\n"
                        "REF:  IT IS   RED ***\nHYP:  IT BLUE RED NOW\nEVAL:    S        I\n\n"));
  const auto lines = read("utterances.jsonl");
  EXPECT_EQ(std::ranges::count(lines, '\n'), 3);
  const auto last = json::parse(lines.substr(lines.find("{\"id\":\"s2/b\"")));
  EXPECT_EQ(last, (json{{"id", "s2/b"},
                        {"speaker", "s2"},
                        {"frames", 60},
                        {"snr_db", nullptr},
                        {"ref", "IT IS RED"},
                        {"hyp", "IT BLUE RED NOW"},
                        {"words", 3},
                        {"substitutions", 1},
                        {"deletions", 0},
                        {"insertions", 1},
                        {"chars", 7},
                        {"char_errors", 7},
                        {"score", -1.5}}));
  const auto wer = json::parse(read("wer.json"));
  EXPECT_EQ(wer.at("wer"), 0.5);
  EXPECT_EQ(wer.at("substitutions"), 1);
  EXPECT_EQ(wer.at("deletions"), 1);
  EXPECT_EQ(wer.at("insertions"), 1);
  EXPECT_EQ(wer.at("words"), 6);
  EXPECT_EQ(wer.at("utterances"), 3);
  EXPECT_EQ(wer.at("sentence_errors"), 2);
  EXPECT_EQ(wer.at("least_errors"), 3);
  EXPECT_EQ(wer.at("confidence").size(), 2U);
  EXPECT_EQ(wer.at("skipped"), (json{{"empty-reference", 1}}));
  EXPECT_EQ(wer.at("by_speaker").at(1).at("speaker"), "s2");
  EXPECT_EQ(wer.at("by_length").at(2).at("from_s"), 24);
  EXPECT_TRUE(wer.at("by_length").at(2).at("to_s").is_null());
  EXPECT_TRUE(wer.at("by_snr").at(0).at("snr_db").is_null());
  const auto worst = json::parse(read("worst.json"));
  ASSERT_EQ(worst.size(), 2U);
  EXPECT_EQ(worst[0].at("id"), "s1/d");
  EXPECT_EQ(worst[0].at("ops"), json::parse(R"([["D", "HELLO", ""]])"));
  EXPECT_EQ(
      worst[1].at("ops"),
      json::parse(
          R"([["=", "IT", "IT"], ["S", "IS", "BLUE"], ["=", "RED", "RED"], ["I", "", "NOW"]])"));
}

TEST(WriteScores, GivesTheSameBytesWhateverTheOrder) {
  const TemporaryFolder folder;
  auto results = random_set(3, 200);
  write_scores(folder.path() / "a", score(results));
  Random(5).shuffle(results);
  write_scores(folder.path() / "b", score(results));
  for (const auto& file : kFiles)
    EXPECT_EQ(read_file(folder.path() / "a" / file), read_file(folder.path() / "b" / file)) << file;
}

TEST(WriteScores, SurvivesWhatAModelOrAListMayHold) {
  const TemporaryFolder folder;
  const std::string huge(3000, 'x');  // sclite takes minutes for a hundred thousand
  std::vector<UtteranceResult> results = {
      result("<img src=x>", "SAY IT", "<script>alert('x')</script>"),
      result("tab\tnew\nline", "A\tB\nC", "A B C\r\n"),
      result("bad \xFF (id)", "CAF\xC3\x89 \xFE", "CAF\xC3\x89"),
      result("huge", "SHORT", huge),
      result("braces", "{A / B} @", "(A) ;; B"),
      result("unknown", "RED", "<unk> RED")};
  results[0].speaker = "a-b (c)";
  results[1].score = std::nan("");
  for (const bool normalise : {true, false}) {
    const auto scores = score(results, {.normalise = normalise});
    write_scores(folder.path(), scores);
    for (const auto& file : kFiles) EXPECT_TRUE(is_utf8(read_file(folder.path() / file))) << file;
    const auto lines = read_file(folder.path() / "utterances.jsonl");
    EXPECT_EQ(std::ranges::count(lines, '\n'), 6);
    std::istringstream stream(lines);
    for (std::string line; std::getline(stream, line);) EXPECT_NO_THROW((void)json::parse(line));
    EXPECT_EQ(std::ranges::count(read_file(folder.path() / "hyp.trn"), '\n'), 6);
    const auto sclite = run_sclite(folder.path(), "-s");
    EXPECT_EQ(sclite.total,
              (ScliteCounts{scores.totals.words.matches, scores.totals.words.substitutions,
                            scores.totals.words.deletions, scores.totals.words.insertions}));
  }
  EXPECT_THAT(read_file(folder.path() / "wer.json"), HasSubstr("\"utterances\": 6"));
}

TEST(WriteScores, TakesHugeHypotheses) {
  const TemporaryFolder folder;
  std::string words;
  for (int i = 0; i < 100000; ++i) words += "AGAIN ";
  write_scores(folder.path(), score({result("word", "SHORT", std::string(1000000, 'x')),
                                     result("words", "AGAIN AND AGAIN", words)}));
  EXPECT_EQ(json::parse(read_file(folder.path() / "wer.json")).at("insertions"), 99997);
}

// Three sets as `raven evaluate` writes them, one of them with noise.
TEST(WriteScores, EqualsScliteOnTheFilesWritten) {
  for (const auto& snr_db :
       {std::optional<double>(), std::optional<double>(0), std::optional<double>()}) {
    static std::uint64_t seed = 20;
    const TemporaryFolder folder;
    write_scores(folder.path(), score(random_set(++seed, 700, snr_db)));
    const auto sclite = run_sclite(folder.path());
    const auto wer = json::parse(read_file(folder.path() / "wer.json"));
    EXPECT_EQ(wer.at("substitutions"), sclite.total.substitutions);
    EXPECT_EQ(wer.at("deletions"), sclite.total.deletions);
    EXPECT_EQ(wer.at("insertions"), sclite.total.insertions);
    EXPECT_EQ(wer.at("words"), sclite.words);
    EXPECT_EQ(wer.at("utterances"), sclite.sentences);
    EXPECT_EQ(wer.at("sentence_errors"), sclite.sentence_errors);
  }
}

TEST(Worst, AreSortedByRateThenErrorsThenId) {
  const auto scores =
      score({result("a", "A B", "A C"), result("b", "A B", "C D"), result("c", "A", "B"),
             result("d", "A B", "C D"), result("e", "A", "A")});
  EXPECT_EQ(worst_utterances(scores, 10), (std::vector<std::size_t>{1, 3, 2, 0}));
  EXPECT_EQ(worst_utterances(scores, 2), (std::vector<std::size_t>{1, 3}));
  const TemporaryFolder folder;
  write_worst(folder.path(), scores, {1, 3}, {"worst/0.png", ""});
  const auto worst = json::parse(read_file(folder.path() / "worst.json"));
  EXPECT_EQ(worst[0].at("crops"), "worst/0.png");
  EXPECT_FALSE(worst[1].contains("crops"));
}

}  // namespace
}  // namespace raven::evaluation

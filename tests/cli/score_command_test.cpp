// `raven score` as a shell sees it.
#include <gmock/gmock.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "raven/core/files.h"
#include "support/shell.h"
#include "support/temporary_folder.h"

namespace raven {
namespace {

using testing::HasSubstr;

class ScoreCommand : public testing::Test {
 protected:
  void SetUp() override {
    write("ref.trn", "IT IS RED (s1-a)\nA B C D (s2-b)\n(s2-c)\n");
    write("hyp.trn", "IT IS RED (s1-a)\nA X C (s2-b)\nNOISE (s2-c)\n");
  }
  ShellResult run(const std::string& arguments) const {
    return shell("cd '" + folder_.path().string() + "' && " RAVEN_BINARY_DIR "/bin/raven score " +
                 arguments);
  }
  void write(const std::string& name, const std::string& content) const {
    write_file_atomically(folder_.path() / name, content);
  }

  TemporaryFolder folder_;
};

TEST_F(ScoreCommand, ScoresFiles) {
  const auto result = run("ref.trn hyp.trn --out scores");
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.output, HasSubstr("WER 42.9 % (95 % interval "));
  EXPECT_THAT(result.output, HasSubstr("3 word errors in sclite's alignments, 2 at least"));
  const auto json = nlohmann::json::parse(run("ref.trn hyp.trn --json").output);
  EXPECT_EQ(json, nlohmann::json::parse(read_file(folder_.path() / "scores/wer.json")));
  EXPECT_EQ(json.at("words"), 7);
  EXPECT_EQ(json.at("deletions"), 1);
  EXPECT_EQ(json.at("insertions"), 1);  // where nothing was said
  EXPECT_EQ(json.at("least_errors"), 2);
  const auto again = run("scores/ref.trn scores/hyp.trn --out again");
  EXPECT_EQ(again.code, 0);
  EXPECT_EQ(read_file(folder_.path() / "scores/utterances.jsonl"),
            read_file(folder_.path() / "again/utterances.jsonl"));
  EXPECT_TRUE(nlohmann::json::parse(run("ref.trn hyp.trn --json --bootstrap 0").output)
                  .at("confidence")
                  .at(0)
                  .is_null());
}

TEST_F(ScoreCommand, AManifestsEmptyTextsAreNoReferences) {
  write("list.tsv", "id\tvideo\ttext\na\ta.mp4\tIT IS RED\nb\tb.mp4\t\n");
  const auto result = run("list.tsv hyp.trn 2>&1");
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.output, HasSubstr("WER 0.0 %"));
  EXPECT_THAT(result.output, HasSubstr("1 utterances skipped: empty-reference"));
}

TEST_F(ScoreCommand, CapitalsAndSmallLettersAreTheSameWord) {
  write("a", "1 Έχω μια ΙΔΈΑ\n2 ȘTEFAN ȘI ȚARA\n3 TIẾNG VIỆT\n4 IŞIK İSTANBUL\n5 ҐАНОК ЇЖАК\n");
  write("b", "1 έχω μια ιδέα\n2 ștefan și țara\n3 tiếng việt\n4 ışık istanbul\n5 ґанок їжак\n");
  EXPECT_EQ(nlohmann::json::parse(run("a b --json").output).at("wer"), 0);
}

TEST_F(ScoreCommand, NormalisesUnlessToldNotTo) {
  write("a", "u It's red.\n");
  write("b", "u IT\xE2\x80\x99S RED\n");
  EXPECT_EQ(nlohmann::json::parse(run("a b --json").output).at("wer"), 0);
  EXPECT_EQ(nlohmann::json::parse(run("a b --json --as-is").output).at("wer"), 1);
}

TEST_F(ScoreCommand, SeveralMakeOneTable) {
  write("best.trn", "IT IS RED (s1-a)\nA B C D (s2-b)\n(s2-c)\n");
  EXPECT_EQ(run("ref.trn hyp.trn best.trn").output,
            "hypotheses  utterances  words  WER %  CER %\n"
            "hyp.trn              3      7  42.86  63.64\n"
            "best.trn             3      7   0.00   0.00\n");
  EXPECT_EQ(run("ref.trn hyp.trn best.trn --out x 2>&1").code, 2);
  for (const char* name : {"hyp", "best"})
    ASSERT_EQ(run("ref.trn " + std::string(name) + ".trn --out " + name).code, 0);
  const auto compared = run("hyp best hyp").output;
  EXPECT_THAT(compared, HasSubstr("result  WER %  difference  p bootstrap  p matched pairs"));
  EXPECT_THAT(compared, HasSubstr("\nhyp     42.86\nbest     0.00      -42.86  "));
  EXPECT_THAT(compared, HasSubstr("\nhyp     42.86       +0.00       1.0000           1.0000"));
}

TEST_F(ScoreCommand, ComparesFolders) {
  EXPECT_EQ(run("ref.trn hyp.trn --out a").code, 0);
  EXPECT_EQ(run("ref.trn ref.trn --out b").code, 0);
  EXPECT_THAT(run("a b").output, HasSubstr("difference -42.86 points"));
  // A word less is missing in one utterance, and one that was heard in silence in another.
  EXPECT_EQ(nlohmann::json::parse(run("a b --json").output).at("better"), 2);
  EXPECT_EQ(run("a b --out c 2> /dev/null").code, 2);
}

TEST_F(ScoreCommand, SaysWhatIsWrong) {
  write("short.trn", "IT IS RED (s1-a)\n");
  EXPECT_THAT(run("ref.trn short.trn 2>&1").output,
              HasSubstr("2 of 3 references have no hypothesis, the first is 'b'"));
  EXPECT_EQ(run("ref.trn none.trn 2> /dev/null").code, 2);
  write("bad.trn", "no id\n");
  EXPECT_EQ(run("ref.trn bad.trn 2> /dev/null").code, 1);
  EXPECT_THAT(run("ref.trn bad.trn 2>&1").output, HasSubstr("bad.trn:1: "));
  write("silent.trn", "(s-a)\n(s-b)\n");
  EXPECT_EQ(run("silent.trn silent.trn 2> /dev/null").code, 1);
  EXPECT_THAT(run("silent.trn silent.trn 2>&1").output, HasSubstr("no reference with words"));
}

}  // namespace
}  // namespace raven

#include "report/findings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace raven::report {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

template <class Value>
void add_track(RunRecord& run, const std::string& key, const Value& value) {
  for (int i = 0; i < 40; ++i) run.metrics.tracks[key].add(10 * (i + 1), value(i / 39.0));
  run.metrics.lines = 40;
  run.metrics.last_step = 400;
}

/// 40 reports; `value(share)` at a share of the way, 0 to 1.
template <class Value>
void add(RunRecord& run, MetricName name, const Value& value) {
  add_track(run, metric(name), value);
}
template <class Value>
void add(RunRecord& run, MetricFamily family, const char* member, const Value& value) {
  add_track(run, metric(family, member), value);
}

auto says(const std::string& text) { return Contains(Field(&Finding::text, HasSubstr(text))); }

RunRecord pretraining() {
  RunRecord run;
  run.config["teacher.momentum"] = "0.999";
  run.environment["steps"] = "400";
  add(run, "gain_<loss>", "v2a", [](double x) { return -0.8 + x; });
  add(run, "probe_r2_<modality>", "video", [](double x) { return 0.1 + 0.3 * x; });
  add(run, "target_spread_<modality>", "video", [](double x) { return 0.6 - 0.1 * x; });
  return run;
}

TEST(Assess, AHealthyPretrainingLearnt) {
  const auto result = assess(pretraining());
  EXPECT_EQ(result.stage, Stage::kPretraining);
  EXPECT_EQ(result.mood, Mood::kGood);
  EXPECT_THAT(result.verdict, AllOf(HasSubstr("It learnt"), HasSubstr("v2a +0.187"),
                                    HasSubstr("0.100 \xE2\x86\x92 0.400")));
  EXPECT_THAT(result.suspicious, IsEmpty());
  EXPECT_EQ(result.progress, "400 of 400 steps");
}

TEST(Assess, FeaturesThatTellMoreHaveLearntSomething) {
  auto run = pretraining();
  run.metrics.tracks.clear();
  add(run, "gain_<loss>", "v2a", [](double x) { return -0.3 * (1 - x); });
  add(run, "probe_r2_<modality>", "video", [](double) { return 0.1; });
  add(run, "probe_r2_<modality>", "audio", [](double x) { return 0.5 + 0.2 * x; });
  auto result = assess(run);
  EXPECT_EQ(result.mood, Mood::kUnclear);
  EXPECT_THAT(result.verdict, AllOf(HasSubstr("Its features tell more than before"),
                                    HasSubstr("probe R\xC2\xB2 of video 0.100 \xE2\x86\x92 0.100, "
                                              "of audio 0.500 \xE2\x86\x92 0.700")));
  run.metrics.tracks.erase(metric("probe_r2_<modality>", "audio"));
  add(run, "probe_r2_<modality>", "audio", [](double x) { return 0.5 + 0.01 * x; });
  result = assess(run);
  EXPECT_EQ(result.mood, Mood::kBad);
  EXPECT_THAT(result.verdict, HasSubstr("learnt nothing"));
}

TEST(Assess, WhatTheRunWasMadeOfIsTold) {
  RunRecord run;
  run.environment = {{"stage", "finetune"}, {"steps", "800"}};
  add(run, "valid_wer_ctc", [](double x) { return 0.9 - 0.5 * x; });
  run.metrics.last_step = 800;
  EvaluationRecord evaluation;
  evaluation.name = "test";
  evaluation.rates = ErrorRates{.wer = 0.4};
  evaluation.rates->by = DecodedBy{.weights = "recognizer.safetensors", .step = 800, .steps = 800};
  run.evaluations = {evaluation};
  run.history = {{.start = {.time = "t", .steps = 800}, .stop = {}},
                 {.start = {.time = "u", .from_step = 300, .steps = 800}, .stop = {}}};
  run.recognizer = RecognizerRecord{.steps = {700, 800}, .wer_mean = 0.4, .wer_last = 0.41};
  EXPECT_THAT(assess(run).suspicious, IsEmpty());
  run.history.push_back({.start = {.time = "v", .from_step = 400, .steps = 900}, .stop = {}});
  run.recognizer->warning = "the mean reads worse";
  run.evaluations[0].rates->by->step = run.evaluations[0].rates->by->steps = 400;
  auto found = assess(run).suspicious;
  EXPECT_EQ(found.front().text, "The mean reads worse.");
  EXPECT_EQ(found.front().mood, Mood::kBad);
  EXPECT_THAT(found, says("length was changed from 800 to 900 steps after step 400 (v)"));
  EXPECT_THAT(found, says("test: is of the weights of step 400; the run has gone on to step 800"));
  run.evaluations[0].rates->by->steps = 800;
  run.evaluations[0].rates->by->unfinished = true;
  found = assess(run).suspicious;
  EXPECT_THAT(found, says("test: The weights are those of step 400 of 800"));
  EXPECT_THAT(found, Not(says("the run has gone on")));
}

TEST(Assess, CollapseIsSeen) {
  auto run = pretraining();
  run.metrics.tracks.clear();
  add(run, "gain_<loss>", "v2a", [](double x) { return -0.3 * (1 - x); });
  add(run, "prediction_spread_<loss>", "v2a", [](double x) { return 0.6 * (1 - x); });
  add(run, "target_spread_<modality>", "audio", [](double x) { return 0.6 * (1 - x); });
  const auto result = assess(run);
  EXPECT_EQ(result.mood, Mood::kBad);
  EXPECT_THAT(result.verdict, HasSubstr("learnt nothing"));
  EXPECT_THAT(result.suspicious, says("Targets of audio fell to"));
  EXPECT_THAT(result.suspicious, says("v2a gives nearly the same prediction"));
}

TEST(Assess, OverfittingWaitingAndSlownessAreSeen) {
  RunRecord run;
  run.config["loss.ctc_weight"] = "0.1";
  run.environment["steps"] = "800";
  add(run, "valid_wer_attention", [](double x) { return 0.4 + (x - 0.5) * (x - 0.5); });
  add(run, "valid_wer_ctc", [](double x) { return 0.9 - 0.1 * x; });
  add(run, "valid_loss", [](double x) { return 5 + (x - 0.5) * (x - 0.5); });
  add(run, "wait_share", [](double) { return 0.3; });
  add(run, "frames_per_s", [](double x) { return x < 0.5 ? 900 : 300; });
  run.metrics.not_finite[metric("grad_norm")] = 2;
  run.metrics.not_finite[metric("valid_gain_<loss>", "v2a")] = 1;
  run.skipped_by_reason["corrupt"] = 3;
  run.num_warnings = 2;
  run.warnings = {"first: and more"};
  run.stopped_on_nan = true;
  const auto found = assess(run).suspicious;
  EXPECT_THAT(found, says("valid_wer_attention was best at step 200 and has risen by 25.0 points"));
  EXPECT_THAT(found, says("valid_loss was best at step 200 and has risen by 0.2"));
  EXPECT_THAT(found, Not(says("valid_wer_ctc")));
  EXPECT_THAT(found, Not(says("valid_gain")));  // undefined without frames, not wrong
  EXPECT_THAT(found, says("30 % of the time was spent waiting"));
  EXPECT_THAT(found, says("It became slower: 300 frames/s, 900 at first"));
  EXPECT_THAT(found, says("grad_norm was NaN or infinite in 2 reports"));
  EXPECT_THAT(found, says("Not finished: 400 of 800 steps (50 %)"));
  EXPECT_THAT(found, says("3 utterances skipped"));
  EXPECT_THAT(found, says("The log holds 2 warnings: first ..."));
  EXPECT_EQ(found.front().mood, Mood::kBad);
}

TEST(Assess, WithoutAnEvaluationHeldOutLooksTellTheRate) {
  RunRecord run;
  run.environment["stage"] = "finetune";
  add(run, "valid_wer_ctc", [](double x) { return 9 - 8.6 * x; });
  auto result = assess(run);
  EXPECT_EQ(result.stage, Stage::kFineTuning);
  ASSERT_TRUE(result.best.has_value());
  EXPECT_EQ(result.best->set, "held-out clips, CTC head, step 400");
  EXPECT_THAT(result.verdict, HasSubstr("It learnt: WER 40.0 % (held-out clips, CTC head, step "
                                        "400); held-out WER of the CTC head 900.0 % \xE2\x86\x92 "
                                        "40.0 %"));
  add(run, "valid_wer_attention", [](double x) { return 1 - 0.7 * x; });
  result = assess(run);
  EXPECT_NEAR(result.best->wer, 0.3, 1e-12);
  EXPECT_THAT(result.verdict, HasSubstr("held-out WER of the decoder 100.0 %"));
}

TEST(Assess, TheStageIsWhatTheRunSaysElseWhatItsSettingsOrNumbersTell) {
  RunRecord run;
  EXPECT_EQ(assess(run).stage, Stage::kUnknown);
  add(run, "loss", [](double) { return 1; });  // of either stage
  EXPECT_EQ(assess(run).stage, Stage::kUnknown);
  add(run, "lr_block_<number>", "3", [](double) { return 1e-3; });
  EXPECT_EQ(assess(run).stage, Stage::kFineTuning);
  run.config["teacher.momentum"] = "0.999";
  EXPECT_EQ(assess(run).stage, Stage::kPretraining);
  run.environment["stage"] = "finetune";
  EXPECT_EQ(assess(run).stage, Stage::kFineTuning);
  run.environment["stage"] = "a stage of the future";
  EXPECT_EQ(assess(run).stage, Stage::kPretraining);
}

TEST(Assess, TheBestRateIsThatOfACleanSet) {
  RunRecord run;
  run.config["loss.ctc_weight"] = "0.1";
  const auto set = [](const std::string& name, double wer) {
    EvaluationRecord evaluation;
    evaluation.name = name;
    evaluation.rates = ErrorRates{.wer = wer};
    return evaluation;
  };
  run.evaluations = {set("easy@white_20dB", 0.1), set("a", 0.5), set("b", 0.4)};
  const auto result = assess(run);
  EXPECT_EQ(result.best->set, "b");
  EXPECT_EQ(result.mood, Mood::kGood);
  run.evaluations = {set("a", 0.97)};
  EXPECT_THAT(assess(run).verdict, HasSubstr("next to nothing"));
  run.evaluations = {set("a", 0.8)};
  EXPECT_THAT(assess(run).verdict, HasSubstr("some words"));
  run.evaluations[0].rates->warning = "one answer for all makes as much";
  EXPECT_THAT(assess(run).verdict, HasSubstr("may have learnt nothing: one answer for all makes as "
                                             "much: WER 80.0 %"));
  EXPECT_EQ(assess(run).mood, Mood::kBad);
  run.evaluations.clear();
  EXPECT_THAT(assess(run).verdict, HasSubstr("Cannot be told"));
}

TEST(ResultFindings, NameTheKindOfError) {
  EvaluationRecord evaluation;
  evaluation.rates = ErrorRates{.wer = 0.5, .substitutions = 10, .deletions = 90, .insertions = 0};
  EXPECT_THAT(result_findings(evaluation), says("90 % of the errors are missing words"));
  EXPECT_THAT(result_findings(evaluation), says("a larger length bonus or a lower CTC weight"));
  // Another search mends neither a recognizer that recognises little, nor what it does not use.
  evaluation.rates->by = DecodedBy{.search = "greedy_ctc"};
  EXPECT_THAT(result_findings(evaluation), says("are missing words."));
  evaluation.rates->by->search = "hybrid";
  EXPECT_THAT(result_findings(evaluation), says("length bonus"));
  evaluation.rates->wer = 0.9;
  EXPECT_THAT(result_findings(evaluation), says("are missing words."));
  evaluation.rates->wer = 0.5;
  evaluation.rates->warning = "one answer for all";
  EXPECT_THAT(result_findings(evaluation), says("are missing words."));
  evaluation.rates = ErrorRates{.wer = 0.5, .substitutions = 10, .deletions = 0, .insertions = 90};
  EXPECT_THAT(result_findings(evaluation), says("90 % of the errors are added words: hypotheses"));
  evaluation.rates->skipped["corrupt"] = 2;
  UtteranceResult silent;
  silent.words = 4;
  evaluation.utterances = {silent};
  EXPECT_THAT(result_findings(evaluation), says("2 utterances skipped"));
  EXPECT_THAT(result_findings(evaluation), says("1 of 1 hypotheses are empty"));
}

class Reasons : public testing::Test {
 protected:
  Reasons() {
    for (int i = 0; i < 40; ++i) {
      UtteranceResult u;
      u.id = std::to_string(i);
      u.speaker = i % 4 == 0 ? "hard" : "easy";
      u.words = 5;
      u.errors = i % 4 == 0 ? 4 : 1;
      u.frames = 50 + i % 10;
      u.score = -2;
      u.hypothesis = "a b c d e";
      u.chars = 20;
      u.char_errors = 3;
      evaluation_.utterances.push_back(u);
    }
    worst_.id = "0";
    worst_.frames = 55;
    worst_.reference = "a b c d e";
    worst_.hypothesis = "a b x d";
    worst_.words = {
        {'=', "a", "a"}, {'=', "b", "b"}, {'S', "c", "x"}, {'=', "d", "d"}, {'D', "e", ""}};
  }
  EvaluationRecord evaluation_;
  WorstUtterance worst_;
};

TEST_F(Reasons, CountTheErrors) {
  EXPECT_EQ(reasons(worst_, evaluation_).front(), "2 of 5 words: 1 substituted, 1 missing.");
  worst_.hypothesis = "";
  EXPECT_EQ(reasons(worst_, evaluation_).front(), "Nothing was recognised of 5 words.");
}

TEST_F(Reasons, SayWhatIsUnusual) {
  auto found = reasons(worst_, evaluation_);
  EXPECT_THAT(found,
              Contains("Its speaker, hard, is hard: WER 80.0 % over 10 clips; all: 35.0 %."));
  EXPECT_THAT(found, Contains("Close: 3 of 20 characters are wrong."));
  EXPECT_THAT(found, Contains(HasSubstr("sure of it all the same: score -2.00 a word")).Times(0));
  EXPECT_THAT(found, Contains(HasSubstr("sure of it all the same: score -0.40 a word")));
  worst_.frames = 20;
  found = reasons(worst_, evaluation_);
  EXPECT_THAT(found, Contains(HasSubstr("Short: 0.8 s")));
  EXPECT_THAT(found, Contains(HasSubstr("Fast: 6.2 words a second")));
  worst_.frames = 100;
  EXPECT_THAT(reasons(worst_, evaluation_), Contains(HasSubstr("Long: 4.0 s")));
}

TEST_F(Reasons, SayWhenItRepeatsOrRunsOn) {
  worst_.hypothesis = "a b b b";
  EXPECT_THAT(reasons(worst_, evaluation_), Contains("It repeats 'b' 3 times."));
  worst_.hypothesis = "a b c d e f g h i j";
  EXPECT_THAT(reasons(worst_, evaluation_), Contains("It runs on: 10 words for 5."));
}

TEST_F(Reasons, NeedNoOtherFiles) {
  EXPECT_THAT(reasons(worst_, {}), ElementsAre("2 of 5 words: 1 substituted, 1 missing."));
}

}  // namespace
}  // namespace raven::report

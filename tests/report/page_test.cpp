#include "raven/report/page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <regex>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "report/make_run.h"
#include "report/sections.h"
#include "support/temporary_folder.h"

namespace raven::report {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

int times(const std::string& text, const std::string& part) {
  int count = 0;
  for (auto at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(Page, TellsARunFromTopToBottom) {
  const TemporaryFolder folder;
  make_run(folder.path() / "tuned");
  const auto html = page({folder.path() / "tuned"});
  std::size_t at = 0;
  for (const auto& part :
       {"<h1>tuned</h1>", "fine-tuning for video, from runs/pretrained",
        "It learnt: WER 40.0 % (test)", "id=\"curves\"", "id=\"rates\"", "37.0 % to 43.0 %",
        "id=\"worst\"", "It repeats &#39;RED&#39; 4 times", "data:image/png;base64,iVBORw0KGgo",
        "id=\"skipped\"", "id=\"setup\"", "the whole configuration"}) {
    const auto found = html.find(part, at);
    ASSERT_NE(found, html.npos) << part;
    at = found;
  }
}

TEST(Page, ATickIsForGoodRunsAlone) {
  const TemporaryFolder folder;
  for (const double wer : {0.2, 0.8, 1.0}) {
    RunRecord run;
    run.environment = {{"stage", "finetune"}};
    EvaluationRecord evaluation;
    evaluation.name = "test";
    evaluation.rates = ErrorRates{.wer = wer};
    run.evaluations = {evaluation};
    auto assessment = assess(run);
    ASSERT_THAT(assessment.suspicious, IsEmpty());
    const auto markup = summary_section({{"run", run, assessment}});
    EXPECT_EQ(times(markup, "\xE2\x9C\x93") > 0, wer < 0.6) << wer;
  }
}

TEST(Page, RunsOfOtherBatchesAreComparedByFrames) {
  const TemporaryFolder folder;
  for (const std::string run : {"a", "b"}) make_run(folder.path() / run);
  const auto with_frames = [&](const std::string& run, const std::string& frames) {
    write(folder.path() / run / "environment.json",
          R"({"stage": "finetune", "steps": "200", "frames_per_epoch": ")" + frames + "\"}");
  };
  with_frames("a", "50000");  // 50 steps an epoch: 1,000 frames a step
  with_frames("b", "50000");
  const auto both = [&] { return page({folder.path() / "a", folder.path() / "b"}); };
  EXPECT_THAT(both(), HasSubstr("data-label=\"step\""));
  EXPECT_THAT(both(), HasSubstr(">frames</text>"));
  EXPECT_THAT(both(), HasSubstr(">100k</text>"));
  // Runs of other settings; those of the same would share a line.
  write(folder.path() / "b/config.json",
        std::regex_replace(read_file(folder.path() / "b/config.json"),
                           std::regex("\"model.encoder.dim\":\"128\""),
                           "\"model.encoder.dim\":\"256\""));
  with_frames("b", "150000");
  EXPECT_THAT(both(), HasSubstr("data-label=\"frames\""));
  EXPECT_THAT(both(), Not(HasSubstr("data-label=\"step\"")));
  EXPECT_THAT(both(), HasSubstr(">600k</text>"));
}

TEST(Page, ShowsEachStartOfARun) {
  const TemporaryFolder folder;
  make_run(folder.path() / "run");
  EXPECT_THAT(page({folder.path() / "run"}), Not(HasSubstr("id=\"history\"")));
  write(folder.path() / "run/history.jsonl",
        line_of(RunStart{.time = "2026-01-31T12:00:00Z",
                         .steps = 100,
                         .arguments = {"<b>"},
                         .facts = {{"commit", "abc"}}}) +
            line_of(RunStart{.time = "2026-02-01T12:00:00Z", .from_step = 60, .steps = 200}) +
            line_of(RunStop{.time = "x", .step = 200, .reason = "done", .seconds = 90}) + "{\"ev");
  const auto html = page({folder.path() / "run"});
  for (const char* text :
       {"60 or more", "it was killed", "<code>&lt;b&gt;</code>", "commit abc", "1.5 min",
        "<td class=\"long\">done</td>", "length was changed from 100 to 200 steps after step 60"})
    EXPECT_THAT(html, HasSubstr(text));
}

TEST(Page, ABoundaryIsShownWhereOtherRowsHaveNone) {
  const TemporaryFolder folder;
  make_run(folder.path() / "run");
  const auto html = page({folder.path() / "run"});
  EXPECT_THAT(html, HasSubstr("<tr><td>2</td><td>3</td><td class=\"n bar\""));
  EXPECT_THAT(html, HasSubstr("<tr><td>3</td><td></td><td class=\"n bar\""));
}

TEST(Page, SeveralRunsShareDiagramsAndShowTheirDifferences) {
  const TemporaryFolder folder;
  make_run(folder.path() / "a/run", {.wer = 0.4});
  make_run(folder.path() / "b/run", {.wer = 0.6});
  auto config = read_file(folder.path() / "b/run/config.json");
  config = std::regex_replace(config, std::regex("\"model.encoder.dim\":\"128\""),
                              "\"model.encoder.dim\":\"256\"");
  write(folder.path() / "b/run/config.json", config);
  const auto html = page({folder.path() / "a/run", folder.path() / "b/run/"});
  EXPECT_THAT(html, HasSubstr("<h1>2 runs</h1>"));
  EXPECT_THAT(html, HasSubstr("data-name=\"a/run\""));
  EXPECT_THAT(html, HasSubstr("data-name=\"b/run\""));
  const auto differences = html.substr(html.find("Settings that differ"));
  EXPECT_THAT(differences, HasSubstr("model.encoder.dim"));
  EXPECT_THAT(differences.substr(0, differences.find("</table>")),
              Not(HasSubstr("model.encoder.blocks")));
  EXPECT_THAT(html, HasSubstr("40.0 % <span class=\"vh\">(lowest)</span>"));
  EXPECT_THAT(page({folder.path() / "a/run", folder.path() / "a/run"}), HasSubstr("run #2</h4>"));
}

TEST(Page, TellsTheSizesOfBothEncodersWhereTheyDiffer) {
  const TemporaryFolder folder;
  make_run(folder.path(), {.fine_tuning = false});
  EXPECT_THAT(page({folder.path()}),
              HasSubstr("pre-training \xC2\xB7 3 blocks of width 128 \xC2\xB7"));
  auto config = read_file(folder.path() / "config.json");
  config.insert(1, "\"model.audio_encoder.dim\":\"64\",\"model.video_encoder.dim\":\"null\",");
  write(folder.path() / "config.json", config);
  EXPECT_THAT(page({folder.path()}),
              HasSubstr("video 3 blocks of width 128, audio 3 blocks of width 64"));
}

TEST(Page, LossesOfDifferentStagesShareNoAxis) {
  const TemporaryFolder folder;
  make_run(folder.path() / "a");
  make_run(folder.path() / "b", {.fine_tuning = false});
  const auto html = page({folder.path() / "a", folder.path() / "b"});
  EXPECT_THAT(html, HasSubstr("<b>loss: training (fine-tuning)</b>"));
  EXPECT_THAT(html, HasSubstr("<b>loss: training (pre-training)</b>"));
  EXPECT_THAT(html, Not(HasSubstr("<b>loss: training</b>")));
  EXPECT_THAT(html, HasSubstr("<b>learning rate: first group</b>"));  // the same in both
  make_run(folder.path() / "c");
  EXPECT_THAT(page({folder.path() / "a", folder.path() / "c"}), HasSubstr("<b>loss: training</b>"));
}

TEST(Page, TextOfFilesStaysText) {
  const TemporaryFolder folder;
  const std::string attack =
      "\"'></script></style></title></textarea>--><script>attack()</script><img src=x "
      "onerror=attack()>&lt;";
  const auto run = folder.path() / "<script>attack()<&>";  // a slash cannot be part of a name
  make_run(run, {.text = attack});
  make_run(run / "second", {.text = attack, .fine_tuning = false});
  for (const auto& html : {page({run}), page({run, run / "second"})}) {
    EXPECT_EQ(times(html, "<script>"), 1);  // its own
    EXPECT_EQ(times(html, "</script>"), 1);
    EXPECT_EQ(times(html, "</style>"), 1);
    EXPECT_EQ(times(html, "</title>"), times(html, "<title>"));
    EXPECT_EQ(times(html, "<img src=x"), 0);
    EXPECT_GT(times(html, "&lt;script&gt;attack()"), 20);
    EXPECT_EQ(times(html, "-->"), 0);
  }
}

TEST(Page, LoadsNothingFromElsewhere) {
  const TemporaryFolder folder;
  make_run(folder.path() / "run");
  const auto html = page({folder.path() / "run"});
  EXPECT_THAT(html, HasSubstr("default-src 'none'"));
  const std::regex reference("(src|href)=\"([^\"]*)\"");
  for (std::sregex_iterator it(html.begin(), html.end(), reference), end; it != end; ++it) {
    const auto target = (*it)[2].str().substr(0, 5);
    EXPECT_TRUE(target[0] == '#' || target == "data:") << target;
  }
  EXPECT_EQ(times(html, "http"), 2);  // "http-equiv" and SVG's namespace in the script
  EXPECT_EQ(times(html, "@import"), 0);
  EXPECT_EQ(times(html, "url("), 0);
}

TEST(Page, EveryAnchorIsThereAndNoIdTwice) {
  const TemporaryFolder folder;
  make_run(folder.path() / "a");
  make_run(folder.path() / "b", {.fine_tuning = false});
  const auto html = page({folder.path() / "a", folder.path() / "b"});
  const std::regex link("href=\"#([^\"]*)\""), id(" id=\"([^\"]*)\"");
  std::map<std::string, int> ids;
  for (std::sregex_iterator it(html.begin(), html.end(), id), end; it != end; ++it) ++ids[(*it)[1]];
  for (const auto& [name, count] : ids) EXPECT_EQ(count, 1) << name;
  for (std::sregex_iterator it(html.begin(), html.end(), link), end; it != end; ++it) {
    EXPECT_EQ(ids.count((*it)[1]), 1U) << (*it)[1];
  }
}

TEST(Page, DamagedAndEmptyRunsAreSaid) {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder.path() / "empty");
  const auto html = page({folder.path() / "empty"});
  EXPECT_THAT(html, HasSubstr("metrics.jsonl is missing"));
  EXPECT_THAT(html, HasSubstr("No numbers were reported."));
  make_run(folder.path() / "odd");
  for (const char* name : {"config.json", "environment.json", "metrics.jsonl", "skipped.tsv",
                           "log.txt", "config.yaml", "overrides.txt", "evaluate/test/wer.json",
                           "evaluate/test/worst.json", "evaluate/test/utterances.jsonl",
                           "evaluate/test/attention.json", "evaluate/test/worst/0.png"}) {
    const auto file = folder.path() / "odd" / name;
    const auto whole = read_file(file);
    for (const auto& content :
         {std::string(), whole.substr(0, whole.size() / 2), std::string("\0\xFF{", 3),
          std::string("[[[[{}]]]]"), std::string("3")}) {
      write(file, content);
      EXPECT_NO_THROW(page({folder.path() / "odd"})) << name << ": " << content.substr(0, 20);
    }
    write(file, whole);
  }
  EXPECT_THROW(page({folder.path() / "nowhere"}), ConfigError);
  EXPECT_THROW(page({}), ConfigError);
}

TEST(Page, AMillionLinesMakeASmallPage) {
  const TemporaryFolder folder;
  make_run(folder.path() / "long");
  {
    std::ofstream out(folder.path() / "long/metrics.jsonl");
    for (int step = 1; step <= 1'000'000; ++step) {
      out << "{\"step\":" << step << ",\"loss\":" << (step % 100) / 100.0 << "}\n";
    }
  }
  const auto html = page({folder.path() / "long"});
  EXPECT_LT(html.size(), 400'000U);
  EXPECT_THAT(html, HasSubstr("1,000,000"));
  EXPECT_THAT(html, HasSubstr("lines are means of neighbouring"));
}

TEST(Page, IsWrittenWhole) {
  const TemporaryFolder folder;
  make_run(folder.path() / "run");
  write_page({folder.path() / "run"}, folder.path() / "report.html");
  EXPECT_EQ(read_file(folder.path() / "report.html"), page({folder.path() / "run"}));
  EXPECT_THROW(write_page({folder.path() / "run"}, folder.path() / "no/such/folder/r.html"),
               SystemError);
}

TEST(AlignedWords, AreToldApartWithoutColours) {
  const auto list = aligned_words_list(
      {{'S', "sheep", "sheet"}, {'D', "the", ""}, {'I', "", "a"}, {'=', "x", "x"}});
  EXPECT_THAT(list, HasSubstr("<li class=\"S\"><span>sheep</span><span class=\"vh\">heard "
                              "as</span><span>sheet</span></li>"));
  EXPECT_THAT(list, HasSubstr("<li class=\"D\"><span class=\"vh\">missing</span><span>the</span>"));
  EXPECT_THAT(list, HasSubstr("<span class=\"vh\">added</span>"));
  EXPECT_THAT(list, HasSubstr("<li><span>x</span></li>"));
}

TEST(Attention, WithoutWeightsIsATrackAlone) {
  EXPECT_THAT(attention_figure({.id = "a", .units = {"x"}, .weights = {}, .ctc = {{3, "x"}}}),
              HasSubstr(">CTC</text>"));
  EXPECT_THAT(attention_figure({.id = "a", .units = {"x"}, .weights = {{0, 0}}, .ctc = {}}),
              HasSubstr("data:image/png"));
  EXPECT_THAT(attention_figure({.id = "a", .units = {"x"}, .weights = {{}}, .ctc = {}}), IsEmpty());
}

}  // namespace
}  // namespace raven::report

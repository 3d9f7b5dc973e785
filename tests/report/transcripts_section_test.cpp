#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "raven/report/page.h"
#include "report/make_run.h"
#include "support/temporary_folder.h"

namespace raven::report {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

class TranscriptsSection : public testing::Test {
 protected:
  TranscriptsSection() {
    write(
        folder_ / "transcripts.jsonl",
        R"({"file":"/films/talk.mp4","name":"talk","verdict":"ok","message":"3 of 60 frames without a face, filled in","duration":2.4})"
        "\n"
        R"({"file":"/films/blank.mp4","name":"blank","verdict":"no-face","message":"none","duration":0})"
        "\n");
    write(folder_ / "talk.json",
          R"({"file":"talk.mp4","duration":2.4,"remarks":[],"transcripts":[{"modality":"video",
          "model":"vsr","text":"SO <b>","passages":[{"start":0,"end":2.4,"text":"SO <b>","score":-1,
          "words":[{"word":"SO","start":0.52,"end":0.9,"confidence":0.97},
          {"word":"<b>","start":1.1,"end":1.3,"confidence":0.4}]}]}]})");
  }
  TemporaryFolder temporary_;
  fs::path folder_ = temporary_.path() / "text";
};

TEST_F(TranscriptsSection, ShowsWordsWithTimesAndConfidences) {
  const auto html = page({folder_});
  EXPECT_THAT(html, HasSubstr("<h1>text</h1>"));
  EXPECT_THAT(html, HasSubstr("<li><span>SO</span><small>0.52 s, 97.0 %</small></li>"));
  EXPECT_THAT(html, HasSubstr("<span>&lt;b&gt;</span>"));
  EXPECT_THAT(html, HasSubstr("from the lips <small>vsr</small>"));
  EXPECT_THAT(html, HasSubstr("3 of 60 frames without a face, filled in"));
  EXPECT_THAT(html, HasSubstr("no-face"));
}

TEST_F(TranscriptsSection, StandsBesideRuns) {
  make_run(temporary_.path() / "run");
  const auto html = page({temporary_.path() / "run", folder_});
  EXPECT_THAT(html, HasSubstr("<h1>run</h1>"));
  EXPECT_THAT(html, HasSubstr("id=\"transcripts\""));
  EXPECT_THAT(html, HasSubstr("id=\"curves\""));
}

TEST_F(TranscriptsSection, AListLeadsOutOfItsFolderNowhere) {
  write(temporary_.path() / "secret.json", R"({"transcripts":[{"modality":"video","passages":[
        {"words":[{"word":"SECRET","start":0,"end":1,"confidence":1}]}]}]})");
  write(folder_ / "transcripts.jsonl", R"({"name":"../secret","verdict":"ok"})"
                                       "\n{\n[]\n");
  const auto html = page({folder_});
  EXPECT_THAT(html, Not(HasSubstr("SECRET")));
  EXPECT_THAT(html, HasSubstr("2 lines are damaged"));
}

}  // namespace
}  // namespace raven::report

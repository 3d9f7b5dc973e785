#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "raven/core/files.h"
#include "raven/report/page.h"
#include "report/make_run.h"
#include "support/temporary_folder.h"

namespace raven::report {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kHead =
    "id\tkept\trejected\tscore\tlowest_confidence\tmean_confidence\tagreement\tother_agreement\t"
    "frames\tunits\ttext\tconfidence\n";

class SelftrainingSection : public testing::Test {
 protected:
  void make(int rounds) const {
    write(folder_ / "selftrain.json", R"({"labeller": "runs/asr30", "rounds": "2"})");
    for (int round = 1; round <= rounds; ++round) {
      const auto place = folder_ / ("round_" + std::to_string(round));
      write(place / "labels.tsv", std::string(kHead) +
                                      "a\t1\t\t-0.1\t0.9\t0.9\t1\t\t75\t6\tSO SAYS HE\t0.9\n"
                                      "b\t0\tconfidence\t-2\t0.1\t0.2\t1\t\t75\t6\tNO\t0.1\n"
                                      "c\t0\tconfidence\t-2\t0.1\t0.2\t1\t\t75\t6\tNO\t0.1\n"
                                      "d\t0\tempty\t-2\t\t\t\t\t75\t0\t\t\n");
      write(place / "label_errors.tsv",
            "criterion\tshare\tlabels\twords\terrors\twer\n"
            "score\t0.1000\t1\t6\t0\t0\nscore\t1.0000\t4\t24\t9\t0.375\n"
            "lowest_confidence\t0.1000\t1\t6\t1\t0.1667\n"
            "lowest_confidence\t1.0000\t4\t24\t9\t0.375\nkept\t0.2500\t1\t6\t1\t0.1667\n");
      make_run(place / "student", {.wer = 0.3 - 0.02 * round});
    }
  }
  TemporaryFolder temporary_;
  fs::path folder_ = temporary_.path() / "selftrain";
};

TEST_F(SelftrainingSection, TellsRoundsLabelsAndStudents) {
  make(2);
  make_run(temporary_.path() / "without", {.wer = 0.4});
  const auto html = page({folder_, temporary_.path() / "without"});
  EXPECT_THAT(html, HasSubstr("<h1>3 runs</h1>"));
  const auto section = html.substr(html.find("id=\"selftraining\""));
  const auto rounds = section.substr(0, section.find("</table>"));
  EXPECT_THAT(section, HasSubstr("first labelled by runs/asr30"));
  EXPECT_THAT(rounds, HasSubstr("1 (25.0 %)"));
  EXPECT_THAT(rounds, HasSubstr("2 confidence, 1 empty"));
  EXPECT_THAT(rounds, HasSubstr("37.5 %"));
  EXPECT_THAT(rounds, HasSubstr("16.7 %"));
  EXPECT_THAT(rounds, HasSubstr("test 28.0 %"));
  EXPECT_THAT(rounds, HasSubstr("test 26.0 %"));
  EXPECT_THAT(section, HasSubstr("Errors of the labels of round 2"));
  EXPECT_THAT(section, HasSubstr("data-name=\"lowest_confidence\""));
}

TEST_F(SelftrainingSection, ARoundThatHasBegunIsShownAsFarAsItIs) {
  fs::create_directories(folder_ / "round_1" / "labels");
  const auto html = page({folder_});
  EXPECT_THAT(html, HasSubstr("<h1>selftrain</h1>"));
  EXPECT_THAT(html, HasSubstr("id=\"selftraining\""));
  EXPECT_THAT(html, Not(HasSubstr("Errors of the labels")));
}

TEST_F(SelftrainingSection, DamagedLinesAreToldOf) {
  make(1);
  write(folder_ / "round_1/labels.tsv", std::string(kHead) + "a\t1\n<b>\n");
  const auto html = page({folder_});
  EXPECT_THAT(html, HasSubstr("2 lines are damaged"));
  EXPECT_THAT(html, Not(HasSubstr("<b>\n")));
}

}  // namespace
}  // namespace raven::report

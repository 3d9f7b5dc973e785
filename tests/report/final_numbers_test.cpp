#include "raven/report/final_numbers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "report/make_run.h"
#include "support/temporary_folder.h"

namespace raven::report {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

TEST(FinalNumbers, AreTheLastOfEach) {
  TemporaryFolder run;
  write(run.path() / "metrics.jsonl",
        "{\"step\":0,\"valid_loss\":5}\n{\"step\":10,\"loss\":3,\"lr\":0.1}\n"
        "{\"step\":20,\"loss\":2,\"lr\":0.2}\n{\"step\":20,\"valid_loss\":4}\nno line\n");
  const auto numbers = final_numbers(run.path());
  EXPECT_DOUBLE_EQ(numbers.step, 20);
  EXPECT_THAT(numbers.values,
              UnorderedElementsAre(Pair("loss", 2), Pair("lr", 0.2), Pair("valid_loss", 4)));
}

TEST(FinalNumbers, AreNoneBeforeTheFirstReport) {
  TemporaryFolder run;
  EXPECT_THAT(final_numbers(run.path()).values, IsEmpty());
}

TEST(FinalNumbers, TellWhatWasLearntInTheOrderOfTheCurves) {
  EXPECT_THAT(
      learning_numbers({"lr", "probe_r2_audio", "probe_r2_video", "target_spread_video",
                        "frames_per_s", "loss", "epoch", "grad_norm", "valid_loss"}),
      ElementsAre("loss", "valid_loss", "probe_r2_video", "probe_r2_audio", "target_spread_video"));
}

TEST(FinalNumbers, HeldOutOnesComeFirst) {
  EXPECT_THAT(main_numbers({"loss", "gain_v2a", "valid_loss", "valid_v2a", "valid_gain_v2a",
                            "probe_r2_video", "valid_skipped"}),
              ElementsAre("valid_loss", "valid_gain_v2a", "probe_r2_video"));
  EXPECT_THAT(main_numbers({"loss", "ctc", "valid_wer_ctc", "valid_wer_attention", "valid_loss"}),
              ElementsAre("valid_wer_ctc", "valid_wer_attention", "valid_loss"));
  EXPECT_THAT(main_numbers({"loss", "gain_v2a"}), ElementsAre("loss"));
}

}  // namespace
}  // namespace raven::report

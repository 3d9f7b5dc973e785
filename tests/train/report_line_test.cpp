#include "train/report_line.h"

#include <gtest/gtest.h>

#include "raven/report/metric_names.h"

namespace raven::train {
namespace {

using report::metric;

TEST(ReportLine, TellsAStepOfPretraining) {
  const Numbers numbers = {{metric("loss"), -1.9334},
                           {metric("<loss>", "v2a"), -0.6123},
                           {metric("gain_<loss>", "v2a"), 0.118},
                           {metric("<loss>", "a2v"), -0.701},
                           {metric("grad_norm"), 1.2},
                           {metric("lr"), 2e-3},
                           {metric("frames_per_s"), 480.4},
                           {metric("wait_share"), 0.012},
                           {metric("rss_bytes"), 5.2e8},
                           {metric("skipped"), 2},
                           {metric("step_s"), 0.5}};
  EXPECT_EQ(report_line(120, 1200, numbers),
            "step 120/1200  loss -1.9334  v2a -0.612 (+0.118)  a2v -0.701  grad norm 1.20  lr "
            "2.00e-03  480 frames/s  waits 1 %  0.5 GB  skipped 2  left 9 min 00 s");
}

TEST(ReportLine, TellsAnEvaluationOfFineTuning) {
  const Numbers numbers = {{metric("valid_loss"), 7.5},
                           {metric("valid_accuracy"), 0.4},
                           {metric("valid_wer_ctc"), 0.75},
                           {metric("valid_wer_attention"), 9}};
  EXPECT_EQ(held_out_line(10, numbers),
            "step 10  held out  loss 7.5000  accuracy 0.400  WER ctc 75.0 %  attention 900.0 %");
}

TEST(ReportLine, TellsAnEvaluationOfPretraining) {
  const Numbers numbers = {{metric("valid_loss"), -1},
                           {metric("valid_<loss>", "a2a"), -0.5},
                           {metric("valid_gain_<loss>", "a2a"), -0.25},
                           {metric("probe_r2_<modality>", "video"), 0.1},
                           {metric("probe_r2_<modality>", "audio"), 0.3}};
  EXPECT_EQ(held_out_line(0, numbers),
            "step 0  held out  loss -1.0000  a2a -0.500 (-0.250)  probe R2 video 0.100  audio "
            "0.300");
}

}  // namespace
}  // namespace raven::train

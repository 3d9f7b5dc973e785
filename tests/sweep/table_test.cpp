#include "raven/sweep/table.h"

#include <nlohmann/json.hpp>

#include "raven/sweep/progress.h"
#include "sweep/sweep_fixture.h"

namespace raven::sweep {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class SweepTable : public Sweeps {
 protected:
  void SetUp() override {
    all_ = runs("grid: {mask.prob: [0.1, 0.4]}\nseeds: [1, 2]\n");
    report(all_[0], 0.20, 0.5);
    report(all_[1], 0.30, 0.7);
    report(all_[2], 0.10, 0.4);
    report(all_[3], 9.99, 9.9);  // was not finished: does not count
  }
  static void report(const Run& run, double wer, double loss) {
    begin(run, run.config);
    write_file_atomically(
        run.folder / "metrics.jsonl",
        fmt::format("{{\"step\":5,\"loss\":1,\"lr\":0.1}}\n{{\"step\":10,\"loss\":{}}}\n"
                    "{{\"step\":10,\"valid_wer_ctc\":{}}}\n",
                    loss, wer));
  }
  [[nodiscard]] Table table() const {
    return make_table("masks", all_,
                      {{State::kDone, ""},
                       {State::kDone, ""},
                       {State::kDone, ""},
                       {State::kFailed, "exit code 3: too many"}});
  }
  std::vector<Run> all_;
};

TEST_F(SweepTable, ComparesVariantsOverTheirFinishedRuns) {
  const auto result = table();
  EXPECT_THAT(result.columns, ElementsAre("valid_wer_ctc", "loss"));
  EXPECT_THAT(result.main_columns, ElementsAre("valid_wer_ctc"));
  ASSERT_EQ(result.rows.size(), 2U);
  EXPECT_EQ(result.rows[0].name, "prob_0.1");
  EXPECT_EQ(result.rows[0].num_done, 2);
  EXPECT_DOUBLE_EQ(result.rows[0].numbers.at("valid_wer_ctc").mean, 0.25);
  EXPECT_NEAR(result.rows[0].numbers.at("valid_wer_ctc").deviation.value(), 0.1 / std::sqrt(2.0),
              1e-12);
  EXPECT_DOUBLE_EQ(result.rows[0].numbers.at("loss").mean, 0.6);
  EXPECT_EQ(result.rows[1].num_done, 1);
  EXPECT_EQ(result.rows[1].runs.size(), 2U);
  EXPECT_DOUBLE_EQ(result.rows[1].numbers.at("valid_wer_ctc").mean, 0.10);
}

TEST_F(SweepTable, ForPeopleIsAligned) {
  EXPECT_EQ(to_text(table()),
            "variant     runs  valid_wer_ctc %\n"
            "prob_0.1       2       25.0 \xC2\xB1 7.1\n"
            "prob_0.4  1 of 2             10.0\n");
}

TEST_F(SweepTable, ForProgramsHasEveryNumber) {
  EXPECT_EQ(to_tsv(table()),
            "variant\tnumber\tmean\tdeviation\tn\n"
            "prob_0.1\tvalid_wer_ctc\t0.25\t0.07071067811865474\t2\n"
            "prob_0.1\tloss\t0.6\t0.14142135623730948\t2\n"
            "prob_0.4\tvalid_wer_ctc\t0.1\t\t1\n"
            "prob_0.4\tloss\t0.4\t\t1\n");
  const auto json = nlohmann::json::parse(to_json(table()));
  EXPECT_EQ(json["sweep"], "masks");
  EXPECT_EQ(json["variants"][0]["numbers"]["loss"]["n"], 2);
  EXPECT_TRUE(json["variants"][1]["numbers"]["loss"]["deviation"].is_null());
  EXPECT_EQ(json["runs"][1]["seed"], 2);
  EXPECT_EQ(json["runs"][1]["numbers"]["valid_wer_ctc"], 0.3);
  EXPECT_EQ(json["runs"][3]["state"], "failed");
  EXPECT_EQ(json["runs"][3]["reason"], "exit code 3: too many");
  EXPECT_TRUE(json["runs"][3]["numbers"].empty());
}

TEST_F(SweepTable, ProgressCountsStepsOfRunsThatAreUnderWay) {
  EXPECT_DOUBLE_EQ(share_done(all_[0]), 0);  // its length is not known
  write_file_atomically(all_[0].folder / "environment.json", "{\"steps\": \"40\"}");
  EXPECT_DOUBLE_EQ(share_done(all_[0]), 0.25);
}

TEST_F(SweepTable, ProgressTellsTimeLeftOverAllRuns) {
  const std::vector<Outcome> outcomes = {
      {State::kDone, ""}, {State::kFailed, ""}, {State::kRunning, ""}, {State::kNotBegun, ""}};
  // One run was done before; since then 1.5 of four in 60 s, so 1.5 more take as long.
  EXPECT_EQ(progress_line(all_, outcomes, {1, 1, 0.5, 0}, 0.25, 60),
            "1 of 4 runs done, 1 failed, 1 running (prob_0.4-seed_1 50 %), 62 % of all, left 1 min "
            "00 s");
  EXPECT_THAT(progress_line(all_, outcomes, {1, 0, 0, 0}, 0.25, 60), Not(HasSubstr("left")));
}

}  // namespace
}  // namespace raven::sweep

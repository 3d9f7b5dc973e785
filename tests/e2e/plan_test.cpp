// `raven plan` itself: answers, exit codes, and an estimate beside real steps.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "e2e/process.h"
#include "e2e/tiny_settings.h"
#include "raven/core/files.h"
#include "support/sanitized.h"
#include "support/temporary_folder.h"
#include "support/tiny_clips.h"

namespace raven {
namespace {

using testing::HasSubstr;
using testing::Not;

class PlanCommand : public testing::Test {
 protected:
  struct Answer {
    int code = 0;
    std::string text;
  };

  [[nodiscard]] Answer plan(const std::vector<std::string>& more) const {
    std::vector<std::string> words = {RAVEN_BINARY_DIR "/bin/raven", "plan", "--log-level",
                                      "error"};
    words.insert(words.end(), more.begin(), more.end());
    const auto log = temporary_.path() / "out.txt";
    const int code = Process(words, log).wait();
    return {.code = code, .text = read_file(log)};
  }

  const TemporaryFolder temporary_;
};

TEST_F(PlanCommand, AnswersForPretrainingWithoutData) {
  const auto answer = plan({"--config", "lrs3.yaml", "--device", "cpu", "--memory", "512GiB"});
  EXPECT_EQ(answer.code, 0) << answer.text;
  EXPECT_THAT(answer.text, HasSubstr("11,182,784"));
  EXPECT_THAT(answer.text, HasSubstr("fits"));
  EXPECT_THAT(answer.text, HasSubstr("steps: not known"));
}

TEST_F(PlanCommand, GivesStepsHoursAndStorageForFineTuning) {
  const auto answer =
      plan({"--json", "--config", "finetune/vsr_low_base_lrs3.yaml", "--device", "cuda",
            "--device-memory", "80GiB", "--hours", "30", "--frames-per-s", "5000"});
  ASSERT_EQ(answer.code, 0) << answer.text;
  const auto json = nlohmann::json::parse(answer.text);
  EXPECT_EQ(json["command"], "finetune");
  EXPECT_EQ(json["parameters"]["all"], 63'126'002);
  EXPECT_EQ(json["batches_per_epoch"], 1125);  // 2,700,000 frames of 2,400
  EXPECT_GT(json["hours"].get<double>(), 0);
  EXPECT_EQ(json["storage_bytes"]["checkpoints"], 10);
  EXPECT_THAT(json["note"].get<std::string>(), HasSubstr("H200"));
}

TEST_F(PlanCommand, RefusesWhatDoesNotFitAndNamesWhatDoes) {
  const auto answer = plan({"--config", "lrs3.yaml", "--device", "cpu", "--memory", "8GiB"});
  EXPECT_EQ(answer.code, 1);
  EXPECT_THAT(answer.text, HasSubstr("does not fit"));
  EXPECT_THAT(answer.text, HasSubstr("data.max_frames="));
  EXPECT_THAT(answer.text, HasSubstr("train.accumulate="));
  const auto tight =
      plan({"--config", "large_lrs3_vox2.yaml", "--device", "cpu", "--memory", "4GiB"});
  EXPECT_EQ(tight.code, 1);
  EXPECT_THAT(tight.text, HasSubstr("weights and optimiser alone"));
}

TEST_F(PlanCommand, RefusesBadInput) {
  const auto refused = [&](const std::vector<std::string>& words, const std::string& message) {
    const auto answer = plan(words);
    EXPECT_EQ(answer.code, 2) << answer.text;
    EXPECT_THAT(answer.text, HasSubstr(message));
  };
  refused({"--memory", "24"}, "--memory is '24'");
  refused({"--memory", "0GiB"}, "--memory is '0GiB'");
  refused({"--memory=-3GiB"}, "--memory is '-3GiB'");
  refused({"--device", "cpu", "--device-memory", "80GiB"}, "--device-memory is a GPU's");
  refused({"--hours", "0"}, "--hours is 0");
  refused({"--hours", "1", "--data-frames", "5"}, "give one");
  refused({"--frames-per-s", "-1"}, "--frames-per-s is -1");
  refused({"model.encoder.dims=3"}, "model.encoder.dims");
  refused({"model.encoder.heads=7"}, "model.encoder.dim");
  refused({"--stage", "finetune"}, "text.units");
  refused({"--config", "nowhere.yaml"}, "nowhere.yaml");
}

TEST_F(PlanCommand, KnowsRanks) {
  const std::vector<std::string> words = {
      "--json",  "--config", "lrs3.yaml", "--device",       "cuda",  "--device-memory",
      "80GiB",   "--hours",  "433",       "--frames-per-s", "24000", "train.accumulate=32",
      "--ranks", "8"};
  const auto answer = plan(words);
  ASSERT_EQ(answer.code, 0) << answer.text;
  const auto json = nlohmann::json::parse(answer.text)["ranks"];
  EXPECT_EQ(json["count"], 8);
  EXPECT_EQ(json["gradient_bytes"], 4 * 119'630'400LL);
  EXPECT_EQ(
      json["memory_bytes"].get<std::int64_t>() - json["sharded_memory_bytes"].get<std::int64_t>(),
      8 * 119'630'400LL / 8 * 7);
  ASSERT_EQ(json["links"].size(), 3U);
  EXPECT_NEAR(json["links"][0]["efficiency"].get<double>(), 0.9, 0.02);
  EXPECT_GT(json["links"][2]["hours"].get<double>(), json["links"][0]["hours"].get<double>());

  auto one_link = words;
  one_link.insert(one_link.end(), {"--link", "1", "--link-latency", "100"});
  EXPECT_EQ(nlohmann::json::parse(plan(one_link).text)["ranks"]["links"].size(), 1U);
  const auto text = plan({"--config", "lrs3.yaml", "--device", "cpu", "--memory", "512GiB",
                          "ranks=3", "train.accumulate=4"});
  EXPECT_EQ(text.code, 0) << text.text;
  EXPECT_THAT(text.text, HasSubstr("of 170.67 GiB for a rank: fits"));
  EXPECT_THAT(text.text, HasSubstr("in the last round 2 ranks have no batch"));
  EXPECT_THAT(text.text, HasSubstr("give --link"));
  EXPECT_THAT(text.text, HasSubstr("with distributed.shard_optimizer"));
}

TEST_F(PlanCommand, ReadsTheManifestThatIsThere) {
  const auto manifest = make_tiny_clips(temporary_.path() / "clips", {.clips = 16});
  auto words = kTinySettings;
  words.insert(words.end(), {"--json", "data.manifest=" + manifest.string()});
  const auto answer = plan(words);
  ASSERT_EQ(answer.code, 0) << answer.text;
  const auto json = nlohmann::json::parse(answer.text);
  EXPECT_EQ(json["steps"], 24);
  EXPECT_TRUE(json["steps_exact"]);
  EXPECT_LE(json["batch"]["frames"].get<int>(), 20);
  EXPECT_GT(json["storage_bytes"]["data"].get<double>(), 0);
}

TEST_F(PlanCommand, MeasuresRealStepsBesideItsEstimate) {
  for (const std::string stage : {"pretrain", "finetune"}) {
    auto words = kTinySettings;
    words.insert(words.end(), {"--json", "--stage", stage, "--measure", "--steps", "1",
                               "--utterance-length", "16"});
    if (stage == "finetune") words.push_back("text.units=none.txt");
    const auto answer = plan(words);
    ASSERT_EQ(answer.code, 0) << answer.text;
    const auto json = nlohmann::json::parse(answer.text);
    EXPECT_GT(json["measured"]["frames_per_s"].get<double>(), 0);
    if (kSanitized) continue;  // their memory is another one
    EXPECT_NEAR(json["measured"]["error"].get<double>(), 0, 0.25) << answer.text;
  }
}

}  // namespace
}  // namespace raven

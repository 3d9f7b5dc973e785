// `raven bench` as scripts use it: one JSON object with the promised keys (docs/cli.md).
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "e2e/process.h"
#include "e2e/tiny_settings.h"
#include "raven/core/files.h"
#include "support/temporary_folder.h"
#include "support/tiny_clips.h"

namespace raven {
namespace {

class Bench : public testing::Test {
 protected:
  /// The JSON that it prints for a tiny model: 2 clips of 12 frames.
  nlohmann::json bench(const std::string& what, const std::vector<std::string>& more = {}) {
    const auto log = folder_.path() / (what + ".json");
    std::vector<std::string> words = {RAVEN_BINARY_DIR "/bin/raven",
                                      "bench",
                                      what,
                                      "--json",
                                      "--frames",
                                      "24",
                                      "--utterance-length",
                                      "12",
                                      "--warmup",
                                      "0",
                                      "--steps",
                                      "2",
                                      "--log-level",
                                      "warn"};
    const std::set<std::string> shared = {
        "device",          "threads",           "data.workers",
        "data.max_frames", "data.video.shrink", "data.video.crop"};
    for (const auto& setting : kTinySettings) {
      const auto key = setting.substr(0, setting.find('='));
      if (shared.count(key) != 0 || key.rfind("model.", 0) == 0) words.push_back(setting);
    }
    words.insert(words.end(), more.begin(), more.end());
    EXPECT_EQ(Process(words, log).wait(), 0) << read_file(log);
    return nlohmann::json::parse(read_file(log));
  }

  static void expect_promised(const nlohmann::json& result, const std::string& what) {
    EXPECT_EQ(result.at("what"), what);
    EXPECT_GT(result.at("frames_per_s").get<double>(), 0);
    EXPECT_GE(result.at("spread").get<double>(), 0);
    EXPECT_GT(result.at("peak_rss_bytes").get<std::int64_t>(), 0);
    EXPECT_EQ(result.at("device").get<std::string>().rfind("cpu", 0), 0U) << result.at("device");
    EXPECT_EQ(result.at("threads"), 1);
    EXPECT_EQ(result.at("config").at("model.encoder.dim"), "16");
    EXPECT_EQ(result.at("rounds"), 2);
  }

  TemporaryFolder folder_;
};

TEST_F(Bench, PrintsThePromisedNumbersOfEachKind) {
  const std::string decoder = "model.decoder={dim: 16, heads: 2, ffn_dim: 32, blocks: 1}";
  expect_promised(bench("step"), "step");
  expect_promised(bench("encode"), "encode");
  expect_promised(bench("decode"), "decode");
  for (const std::string modality : {"video", "audio"}) {
    const auto result = bench("finetune", {decoder, "model.modality=" + modality});
    expect_promised(result, "finetune");
    EXPECT_EQ(result.at("modality"), modality);
    EXPECT_EQ(result.at("config").at("model.decoder.dim"), "16");
  }
  make_tiny_clips(folder_.path() / "clips", {.clips = 4, .seed = 1});
  expect_promised(bench("loader", {"--manifest", folder_.path() / "clips" / "manifest.tsv"}),
                  "loader");
}

TEST_F(Bench, TracesOneMoreRoundOperatorByOperator) {
  const auto file = folder_.path() / "step.trace.json";
  const auto result = bench("step", {"--trace", file});
  EXPECT_EQ(result.at("rounds"), 2);
  std::map<std::string, int> operators;
  const auto trace = nlohmann::json::parse(read_file(file));
  for (const auto& event : trace.at("traceEvents")) {
    if (event.value("cat", "") == "cpu_op") ++operators[event.at("name").get<std::string>()];
  }
  EXPECT_GT(operators["aten::linear"], 0);
  EXPECT_GT(operators["aten::layer_norm"], 0);
  EXPECT_EQ(operators["aten::_fused_adamw_"], 2) << "not one step of both optimisers";
}

TEST_F(Bench, SaysWhereATraceCannotGo) {
  const auto log = folder_.path() / "log";
  const std::string nowhere = folder_.path() / "nowhere" / "trace.json";
  EXPECT_EQ(Process({RAVEN_BINARY_DIR "/bin/raven", "bench", "step", "--config", "quickstart.yaml",
                     "--frames", "12", "--utterance-length", "12", "--warmup", "0", "--steps", "1",
                     "--trace", nowhere, "device=cpu", "threads=1"},
                    log)
                .wait(),
            1);
  EXPECT_NE(read_file(log).find(nowhere), std::string::npos) << read_file(log);
}

}  // namespace
}  // namespace raven

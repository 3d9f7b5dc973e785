// A stage of a user's own, whose batches are integers: no clips, no list, no command.
#include "raven/train/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "raven/artifacts/checkpoint.h"
#include "raven/config/load.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/report/run_history.h"
#include "raven/train/stages.h"
#include "support/temporary_folder.h"

namespace raven::train {
namespace {

namespace fs = std::filesystem;

struct ToyConfig {
  static constexpr const char* kStage = "toy";

  config::RunConfig run;
  config::Device device = config::Device::kCpu;
  std::int64_t threads = 1, ranks = 0;
  config::DistributedConfig distributed;
  std::int64_t slope = 3;  // what is learnt
  config::OptimizerConfig optimizer;
  config::TrainConfig train;
  config::CheckpointConfig checkpoint;
  config::LogConfig log;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.group("run", &ToyConfig::run, "folder and seed");
    v.field("device", &ToyConfig::device, "device");
    v.field("threads", &ToyConfig::threads, config::between(0, 64), "threads");
    v.field("slope", &ToyConfig::slope, config::between(-9, 9), "what is learnt");
    v.group("optimizer", &ToyConfig::optimizer, "AdamW");
    v.group("train", &ToyConfig::train, "length");
    v.group("checkpoint", &ToyConfig::checkpoint, "what is kept");
    v.group("log", &ToyConfig::log, "reports");
  }
  void check() const {}
};

/// 0, 1, 2, ... 9, 0, 1, ...
class Digits : public BatchSource {
 public:
  Batch next() override {
    const auto digit = position_.batch++;
    if (position_.batch == batches_per_epoch())
      position_ = {.epoch = position_.epoch + 1, .batch = 0};
    return {digit, 1};
  }
  [[nodiscard]] data::LoaderPosition position() const override { return position_; }
  void seek(const data::LoaderPosition& position) override { position_ = position; }
  [[nodiscard]] std::int64_t batches_per_epoch() const override { return 10; }

 private:
  data::LoaderPosition position_;
};

struct SlopeImpl : torch::nn::Module {
  SlopeImpl() { weight = register_parameter("weight", torch::zeros({})); }
  torch::Tensor weight;
};
TORCH_MODULE(Slope);

class ToyTask : public TaskOf<std::int64_t> {
 public:
  explicit ToyTask(const ToyConfig& config) : config_(config) {}

  torch::nn::Module& module() override { return *model_; }
  std::vector<ParameterSet> parameter_sets() override {
    return {{.name = "slope",
             .groups = {{.name = "slope",
                         .parameters = {{"weight", model_->weight}},
                         .lr = config_.optimizer.lr}}}};
  }
  [[nodiscard]] Counts count_targets(const std::vector<std::int64_t>& batches) const override {
    return {{"digits", static_cast<double>(batches.size())}};
  }
  StepPart backward(const std::int64_t& digit, const StepInputs& inputs,
                    bool /*measure*/) override {
    const auto x = static_cast<double>(digit);
    const auto error = model_->weight * x - static_cast<double>(config_.slope) * x;
    const auto loss = error.square() / inputs.count("digits");
    loss.backward();
    return {.loss = loss.detach(), .losses = {}, .measures = {}};
  }
  void after_update(const StepInputs& /*inputs*/, const torch::Tensor& /*bad*/) override {}
  [[nodiscard]] Numbers settings_at(std::int64_t /*step*/) const override { return {}; }
  Numbers evaluate(const std::stop_token& /*stop*/) override { return {}; }
  void export_results(const fs::path& run) override {
    write_file_atomically(run / "slope.txt", fmt::format("{:.3f}", model_->weight.item<double>()));
  }

 private:
  ToyConfig config_;
  Slope model_;
};

class ToyStage : public Stage {
 public:
  explicit ToyStage(ToyConfig config) : config_(std::move(config)) {}

  [[nodiscard]] StageSettings settings() const override { return StageSettings::of(config_); }
  void read_data(const torch::Device& /*device*/, const data::Share& /*share*/) override {}
  std::optional<Training> prepare(artifacts::RunFolder& /*folder*/, const torch::Device& /*device*/,
                                  const std::stop_token& /*stop*/) override {
    auto source = std::make_unique<Digits>();
    const auto length =
        RunLength::of(config_.train, config_.optimizer, source->batches_per_epoch());
    return Training{.source = std::move(source),
                    .length = length,
                    .task = std::make_unique<ToyTask>(config_),
                    .data_hash = "digits",
                    .data = "digits",
                    .facts = {{"digits", "10"}},
                    .results = "the slope is known"};
  }

 private:
  ToyConfig config_;
};

class Session : public testing::Test {
 protected:
  /// Trains as `raven toy OVERRIDES` would.
  Outcome train(std::vector<std::string> overrides, const std::stop_token& stop = {}) {
    overrides.push_back("run.dir=" + run().string());
    const auto kind = stage_kind<ToyConfig, ToyStage>();  // its row in a list of stages
    auto [stage, yaml] = kind.load({}, overrides);
    return run_session(*stage, {.yaml = yaml, .overrides = overrides, .stop = stop});
  }
  [[nodiscard]] fs::path run() const { return folder_.path() / "run"; }

  const std::vector<std::string> settings_ = {
      "train.steps=200",        "optimizer.warmup_steps=0", "optimizer.lr=0.1",
      "optimizer.min_lr=0.001", "optimizer.weight_decay=0", "log.every=50"};

 private:
  TemporaryFolder folder_;
};

TEST_F(Session, TrainsAStageWhoseBatchesAreIntegers) {
  ASSERT_EQ(train(settings_), Outcome::kDone);
  EXPECT_NEAR(std::stod(read_file(run() / "slope.txt")), 3, 0.05);
  const auto facts = nlohmann::json::parse(read_file(run() / "environment.json"));
  EXPECT_EQ(facts.at("stage"), "toy");
  EXPECT_EQ(facts.at("digits"), "10");
  EXPECT_EQ(artifacts::last_step(run()), 200);
}

TEST_F(Session, GoesOnWhereAStopEndedIt) {
  std::stop_source stop;
  stop.request_stop();
  ASSERT_EQ(train(settings_, stop.get_token()), Outcome::kStopped);
  EXPECT_EQ(artifacts::last_step(run()), 0);
  EXPECT_FALSE(fs::exists(run() / "slope.txt"));
  ASSERT_EQ(train(settings_), Outcome::kDone);
  EXPECT_NEAR(std::stod(read_file(run() / "slope.txt")), 3, 0.05);
}

TEST_F(Session, KeepsEachStartAndHowItEnded) {
  std::stop_source stop;
  stop.request_stop();
  ASSERT_EQ(train(settings_, stop.get_token()), Outcome::kStopped);
  // A kill within the write of a line.
  std::ofstream(run() / report::kHistoryFile, std::ios::app) << "{\"event\":\"sta";
  ASSERT_EQ(train(settings_), Outcome::kDone);
  auto longer = settings_;
  longer.emplace_back("train.steps=220");
  ASSERT_EQ(train(longer), Outcome::kDone);
  auto refused = longer;
  refused.emplace_back("slope=4");
  EXPECT_THROW(train(refused), ConfigError);
  const auto config = read_file(run() / "config.yaml");
  EXPECT_THROW(train(settings_), ConfigError);  // the checkpoint is refused: it is of a later step
  EXPECT_EQ(read_file(run() / "config.yaml"), config);
  const auto parts = report::parse_history(read_file(run() / report::kHistoryFile));
  ASSERT_EQ(parts.size(), 3U);
  for (const auto& part : parts) ASSERT_TRUE(part.stop.has_value());
  EXPECT_EQ(parts[0].start.from_step, 0);
  EXPECT_EQ(parts[0].stop->reason, "stopped");
  EXPECT_EQ(parts[1].start.steps, 200);
  EXPECT_EQ(parts[1].stop->step, 200);
  EXPECT_EQ(parts[1].stop->reason, "done");
  EXPECT_EQ(parts[2].start.from_step, 200);
  EXPECT_EQ(parts[2].start.steps, 220);
  EXPECT_THAT(parts[2].start.arguments, testing::Contains("train.steps=220"));
  for (const char* fact : {"host", "processor", "memory", "device", "threads", "folder", "raven"})
    EXPECT_FALSE(parts[2].start.facts.at(fact).empty()) << fact;
  const auto facts = nlohmann::json::parse(read_file(run() / "environment.json"));
  EXPECT_EQ(facts.at("data_hash"), "digits");
  EXPECT_EQ(facts.at("gpu"), "none");
  EXPECT_GE(std::stod(facts.at("wall_time_s").get<std::string>()), 0);  // to a tenth of a second
}

TEST_F(Session, AnErrorIsKeptAsTheEnd) {
  auto settings = settings_;
  settings.emplace_back("optimizer.lr=1e300");
  EXPECT_THROW(train(settings), Error);
  const auto parts = report::parse_history(read_file(run() / report::kHistoryFile));
  ASSERT_EQ(parts.size(), 1U);
  EXPECT_THAT(parts[0].stop->reason, testing::StartsWith("error: step 2: NaN or Inf"));
}

TEST_F(Session, OfOneOfSeveralRanksWantsAPlaceToMeet) {
  ::setenv("RANK", "0", 1);
  ::setenv("WORLD_SIZE", "2", 1);
  try {
    train(settings_);
    ADD_FAILURE() << "two of them would train the run twice";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("nothing says where they meet: set MASTER_ADDR"));
  }
  ::setenv("WORLD_SIZE", "1", 1);
  EXPECT_EQ(train(settings_), Outcome::kDone);
  ::unsetenv("WORLD_SIZE");
  ::unsetenv("RANK");
}

TEST_F(Session, RefusesTheFolderOfAnotherConfiguration) {
  ASSERT_EQ(train(settings_), Outcome::kDone);
  auto other = settings_;
  other.emplace_back("slope=4");
  EXPECT_THROW(train(other), ConfigError);
}

TEST(Stages, HaveTheNamesOfTheirCommands) {
  std::vector<std::string> names;
  for (const auto& kind : stages()) names.push_back(kind.name);
  EXPECT_EQ(names, (std::vector<std::string>{"pretrain", "finetune", "lm"}));
}

}  // namespace
}  // namespace raven::train

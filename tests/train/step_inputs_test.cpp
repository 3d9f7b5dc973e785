#include "raven/train/step_inputs.h"

#include <gtest/gtest.h>

#include "raven/core/error.h"
#include "raven/train/updater.h"

namespace raven::train {
namespace {

StepNumbers numbers(double scale) {
  return {.rates = {{scale * 0.1}, {scale * 0.2, scale * 0.3}},
          .counts = {{{"a2v", scale * 7}, {"v2a", 0}}, {{"a2v", scale * 9}, {"v2a", 2}}},
          .settings = {{"momentum", 1 - 1e-9 * scale}},
          .seeds = {static_cast<std::uint64_t>(-1), 5}};
}

TEST(StepInputs, AreWhatTheHostKnows) {
  StepInputs inputs(torch::kCPU, numbers(1));
  EXPECT_EQ(inputs.rates(0)[0].item<double>(), 0.1);
  EXPECT_EQ(inputs.rates(1)[1].item<double>(), 0.3);
  EXPECT_EQ(inputs.count("a2v").item<float>(), 7.0F);
  EXPECT_EQ(inputs.count("v2a").item<float>(), 1.0F) << "a loss without targets is divided by 1";
  EXPECT_EQ(inputs.setting("momentum").item<double>(), 1 - 1e-9);
  EXPECT_EQ(inputs.seed_of(0).item<std::int64_t>(), -1);
  EXPECT_EQ(inputs.count("a2v").dim(), 0);
  EXPECT_EQ(inputs.count("a2v").scalar_type(), torch::kFloat32);
  EXPECT_EQ(inputs.seed_of(1).item<std::int64_t>(), 5);
  const auto of_batch = inputs.begin_batch(1);
  EXPECT_EQ(inputs.count("a2v").item<float>(), 9.0F);
  const auto drawn = torch::rand({3});
  torch::manual_seed(5);
  EXPECT_TRUE(torch::equal(drawn, torch::rand({3})));
  EXPECT_THROW((void)inputs.begin_batch(2), InternalError);
}

TEST(StepInputs, StayInTheirPlaceFromStepToStep) {
  StepInputs inputs(torch::kCPU, numbers(1));
  const auto rate = inputs.rates(1)[0], count = inputs.count("a2v"),
             momentum = inputs.setting("momentum"), seed = inputs.seed_of(0);
  auto next = numbers(2);
  next.seeds[0] = 6;
  inputs.set(next);
  EXPECT_EQ(rate.item<double>(), 0.4);
  EXPECT_EQ(count.item<float>(), 14.0F);
  EXPECT_EQ(momentum.item<double>(), 1 - 2e-9);
  EXPECT_EQ(seed.item<std::int64_t>(), 6);
}

TEST(StepInputs, HaveTheSameNamesInEveryStep) {
  StepInputs inputs(torch::kCPU, numbers(1));
  EXPECT_THROW((void)inputs.count("a2a"), InternalError);
  EXPECT_THROW((void)inputs.setting("rate"), InternalError);
  EXPECT_THROW((void)inputs.rates(2), InternalError);
  auto other = numbers(1);
  other.counts[1]["a2a"] = 1;
  EXPECT_THROW(inputs.set(other), InternalError);
  auto renamed = numbers(1);
  renamed.settings = {{"rate", 1}};
  EXPECT_THROW(inputs.set(renamed), InternalError);
  auto fewer = numbers(1);
  fewer.counts.pop_back();
  fewer.seeds.pop_back();
  inputs.set(fewer);
  EXPECT_EQ(inputs.count("a2v").item<float>(), 7.0F);
}

/// Reads in every step what the first one was told, as a recorded step does.
class RecordedTask : public TaskOf<double> {
 public:
  torch::nn::Module& module() override { return module_; }
  std::vector<ParameterSet> parameter_sets() override {
    return {{.name = "all", .groups = {{.name = "all", .parameters = {{"w", weight_}}, .lr = 1}}}};
  }
  [[nodiscard]] Counts count_targets(const std::vector<double>& batches) const override {
    return {{"error", batches.at(0)}};
  }
  StepPart backward(const double& /*batch*/, const StepInputs& inputs, bool /*measure*/) override {
    if (!count_.defined()) {
      count_ = inputs.count("error");
      setting_ = inputs.setting("share");
      rate_ = inputs.rates(0)[0];
      seed_ = inputs.seed_of(0);
    }
    const auto loss = weight_ / count_;
    loss.backward();
    return {.loss = loss.detach(), .losses = {}, .measures = {}};
  }
  void after_update(const StepInputs& /*inputs*/, const torch::Tensor& /*bad*/) override {
    told.push_back({count_.item<double>(), setting_.item<double>(), rate_.item<double>(),
                    static_cast<double>(seed_.item<std::int64_t>())});
  }
  [[nodiscard]] Numbers settings_at(std::int64_t step) const override {
    return {{"share", 0.5 * static_cast<double>(step)}};
  }
  Numbers evaluate(const std::stop_token& /*stop*/) override { return {}; }
  void export_results(const std::filesystem::path& /*run*/) override {}

  std::vector<std::vector<double>> told;  // count, setting, rate and seed of each step

 private:
  torch::nn::Module module_;
  torch::Tensor weight_ = torch::ones({}).requires_grad_();
  torch::Tensor count_, setting_, rate_, seed_;
};

TEST(StepInputs, FreezeNothingOfTheFirstStep) {
  RecordedTask task;
  config::OptimizerConfig options;
  options.min_lr = 0;
  Updater updater(task, options, {.steps = 100, .warmup_steps = 10}, torch::kCPU);
  for (const std::int64_t step : {4, 7}) {
    updater.apply(updater.gradients(
        std::vector<Batch>{Batch(2.0 * static_cast<double>(step), 1)},
        {.step = step, .seed = [&](std::int64_t) { return static_cast<std::uint64_t>(step); }}));
  }
  const std::vector<std::vector<double>> expected = {{8, 2, 0.3, 4}, {14, 3.5, 0.6, 7}};
  ASSERT_EQ(task.told.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    for (std::size_t k = 0; k < 4; ++k) EXPECT_DOUBLE_EQ(task.told[i][k], expected[i][k]) << k;
  }
}

/// Its batches are numbers of utterances, each with a loss of 1.
class WeighingTask : public RecordedTask {
 public:
  explicit WeighingTask(config::LossMean mean) : mean_(mean) {}
  [[nodiscard]] config::LossMean loss_mean() const override { return mean_; }
  [[nodiscard]] Counts count_targets(const std::vector<double>& batches) const override {
    double utterances = 0;
    for (const auto batch : batches) utterances += batch;
    return {{"utterances", utterances}};
  }
  StepPart backward(const double& batch, const StepInputs& inputs, bool /*measure*/) override {
    weights.push_back(1 / inputs.count("utterances").item<double>());
    return {.loss = torch::tensor(batch * weights.back()), .losses = {}, .measures = {}};
  }
  void after_update(const StepInputs& /*inputs*/, const torch::Tensor& /*bad*/) override {}

  std::vector<double> weights;  // of one utterance of each batch

 private:
  config::LossMean mean_;
};

TEST(LossMean, OfAStepOrOfItsBatches) {
  const std::vector<Batch> batches = {Batch(2.0, 2), Batch(3.0, 3), Batch(5.0, 5)};
  const auto weights = [&](config::LossMean mean) {
    WeighingTask task(mean);
    Updater updater(task, {}, {.steps = 10, .warmup_steps = 0}, torch::kCPU);
    const auto loss = updater.gradients(batches, {}).values.front().second.item<double>();
    EXPECT_NEAR(loss, 1, 1e-6) << "a mean of losses that are all 1";
    return task.weights;
  };
  const std::vector<std::vector<double>> expected = {{0.1, 0.1, 0.1}, {1 / 6.0, 1 / 9.0, 1 / 15.0}};
  const auto of_step = weights(config::LossMean::kStep),
             of_batch = weights(config::LossMean::kBatch);
  ASSERT_EQ(of_step.size(), 3U);
  ASSERT_EQ(of_batch.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(of_step[i], expected[0][i], 1e-7);
    EXPECT_NEAR(of_batch[i], expected[1][i], 1e-7);
  }
}

TEST(StepInputs, OfARankWithoutABatchHaveRatesAndSettings) {
  StepInputs inputs(torch::kCPU);
  for (const double number : {0.5, 0.25}) {
    inputs.set({.rates = {{number}}, .counts = {}, .settings = {{"momentum", number}}});
    EXPECT_EQ(inputs.rates(0).at(0).item<double>(), number);
    EXPECT_EQ(inputs.setting("momentum").item<double>(), number);
  }
}

}  // namespace
}  // namespace raven::train

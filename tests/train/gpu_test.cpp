// What only a GPU can show. Needs a machine with an NVIDIA driver and a LibTorch with CUDA; run it
// with `ctest -L gpu`, or the program itself. Without them it fails and says why.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "raven/artifacts/checkpoint_folder.h"
#include "raven/core/error.h"
#include "raven/data/loader.h"
#include "raven/nn/device.h"
#include "raven/nn/state_dict.h"
#include "raven/train/pretrain_task.h"
#include "raven/train/trainer.h"
#include "raven/train/updater.h"
#include "support/gpu.h"
#include "support/temporary_folder.h"
#include "support/tiny_clips.h"
#include "support/tolerance.h"
#include "train/tiny_config.h"

namespace raven::train {
namespace {

using testing::HasSubstr;

constexpr RunLength kLength{.steps = 100, .warmup_steps = 0};

/// What both devices compute alike.
config::PretrainConfig plain_config() {
  auto config = tiny_config();
  config.model.encoder.dropout = 0;  // the devices draw different numbers
  config.model.encoder.drop_path = 0;
  for (auto& predictor : config.model.predictors.of) {
    predictor.dropout = 0;
  }
  config.optimizer.eps = 1e-3;  // so that AdamW does not turn rounding noise into full steps
  return config;
}

class GpuTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    corpus_ = new TemporaryFolder;
    make_tiny_clips(corpus_->path(), {.clips = 8});
  }
  static void TearDownTestSuite() { delete corpus_; }

  static torch::Device gpu() { return raven::gpu::device(); }
  static data::Manifest manifest() { return data::read_manifest(corpus_->path() / "manifest.tsv"); }
  static data::LoaderOptions loading(bool pin_memory) {
    const auto config = plain_config();
    return {.max_frames = 40,
            .workers = 2,
            .pin_memory = pin_memory,
            .video = config.data.video,
            .mask = config.mask};
  }
  static data::Loader loader(bool pin_memory = false) { return {manifest(), loading(pin_memory)}; }
  static std::vector<data::Batch> batches(std::size_t count) {
    auto source = loader();
    std::vector<data::Batch> batches;
    while (batches.size() < count) batches.push_back(*source.next());
    return batches;
  }

  static TemporaryFolder* corpus_;
};

TemporaryFolder* GpuTest::corpus_ = nullptr;

/// A task and what updates it; the values of every step taken.
struct Training {
  Training(const config::PretrainConfig& config, const torch::Device& device)
      : task(config, device, kLength, {}), updater(task, config.optimizer, kLength, device) {}

  void step(const data::Batch& batch) {
    const auto gradients = updater.gradients({batch}, {.step = std::ssize(steps)});
    updater.apply(gradients);
    auto& values = steps.emplace_back();
    for (const auto& [name, value] : gradients.values) values[name] = value.item<double>();
  }

  PretrainTask task;
  Updater updater;
  std::vector<Numbers> steps;
};

TEST_F(GpuTest, ThreeStepsAreThoseOfTheCpu) {
  constexpr double kValue = 1e-4, kState = 1e-3;  // sums are ordered otherwise, thrice in a row
  Training on_cpu(plain_config(), torch::kCPU), on_gpu(plain_config(), gpu());
  for (const auto& batch : batches(3)) {
    on_cpu.step(batch);
    on_gpu.step(batch);
    ASSERT_GE(on_cpu.steps.back().size(), 6U);
    for (const auto& [name, value] : on_cpu.steps.back()) {
      EXPECT_NEAR(on_gpu.steps.back().at(name), value, kValue * std::max(std::abs(value), 1.0))
          << name << ", step " << on_cpu.steps.size();
    }
  }
  const auto expected = nn::state_dict(on_cpu.task.module());
  const auto found = nn::state_dict(on_gpu.task.module());
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto& [name, tensor] = found[i];
    EXPECT_TRUE(tensor.is_cuda()) << name;
    const auto error = tolerance::distance(tensor.cpu(), expected[i].second);
    const auto largest = expected[i].second.abs().max().item<double>();
    EXPECT_LE(error, kState * std::max(largest, 1e-2)) << name;
  }
}

TEST_F(GpuTest, Bfloat16StaysNearFloat32) {
  auto config = plain_config();
  Training exact(config, gpu());
  config.train.precision = config::Precision::kBf16;
  Training rough(config, gpu());
  for (const auto& batch : batches(3)) {
    exact.step(batch);
    rough.step(batch);
    const auto expected = exact.steps.back().at("loss"), found = rough.steps.back().at("loss");
    EXPECT_NE(found, expected);
    EXPECT_NEAR(found, expected, 0.1);
  }
  for (const auto& parameter : rough.task.module().parameters()) {
    EXPECT_EQ(parameter.scalar_type(), torch::kFloat32);
    EXPECT_TRUE(torch::isfinite(parameter).all().item<bool>());
  }
}

TEST_F(GpuTest, CheckpointsLoadOnACpu) {
  const TemporaryFolder folder;
  Training saved(plain_config(), gpu());
  for (const auto& batch : batches(2)) saved.step(batch);
  artifacts::CheckpointFolder checkpoints(folder.path(), /*keep=*/2, /*keep_every=*/0);
  checkpoints.save({.step = 2, .position = {}, .seed = 3, .config = {}, .numbers = {}},
                   nn::state_dict(saved.task.module()), saved.updater.state());

  Training loaded(plain_config(), torch::kCPU);
  const auto checkpoint = artifacts::read_checkpoint(checkpoints.path_of(2));
  artifacts::load_strictly(checkpoint.model, nn::state_dict(loaded.task.module()), "model");
  artifacts::load_strictly(checkpoint.optimizer, loaded.updater.state(), "optimizer");
  const auto expect_same = [](const NamedTensors& found, const NamedTensors& expected) {
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_TRUE(found[i].second.is_cpu()) << found[i].first;
      EXPECT_TRUE(torch::equal(found[i].second, expected[i].second.cpu())) << found[i].first;
    }
  };
  expect_same(nn::state_dict(loaded.task.module()), nn::state_dict(saved.task.module()));
  expect_same(loaded.updater.state(), saved.updater.state());
}

/// Hears NaN in the third batch; keeps all weights, the teachers' too, as they were before that
/// step.
class PoisonedTask : public PretrainTask {
 public:
  explicit PoisonedTask(const torch::Device& device)
      : PretrainTask(plain_config(), device, kLength, {}) {}

  StepPart backward(const data::Batch& batch, const StepInputs& inputs, bool measure) override {
    if (batch.epoch != 0 || batch.index != 2) {
      return PretrainTask::backward(batch, inputs, measure);
    }
    auto poisoned = batch;
    poisoned.audio = batch.audio * std::numeric_limits<double>::quiet_NaN();
    return PretrainTask::backward(poisoned, inputs, measure);
  }
  void after_update(const StepInputs& inputs, const torch::Tensor& bad) override {
    PretrainTask::after_update(inputs, bad);
    if (++updates == 2) before = weights();
  }
  std::vector<torch::Tensor> weights() {
    std::vector<torch::Tensor> copies;
    for (const auto& parameter : module().parameters())
      copies.push_back(parameter.detach().clone());
    return copies;
  }

  int updates = 0;
  std::vector<torch::Tensor> before;
};

TEST_F(GpuTest, ABatchWithNaNIsNamedAndChangesNoWeight) {
  const TemporaryFolder folder;
  PoisonedTask task(gpu());
  ClipSource source(manifest(), loading(/*pin_memory=*/true));
  ASSERT_GE(source.batches_per_epoch(), 3);
  artifacts::RunFolder run_folder(folder.path());
  TrainerSettings settings;
  settings.length = {.steps = 6, .warmup_steps = 0};
  settings.device = gpu();
  Trainer trainer(task, source, run_folder, settings);
  std::string message;
  try {
    trainer.run({});
  } catch (const Error& error) {
    message = error.what();
  }
  EXPECT_THAT(message, HasSubstr("step 3: NaN or Inf in loss v2a"));
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "nan" / "step_00000003" / "report.txt"));
  const auto after = task.weights();
  ASSERT_EQ(task.before.size(), after.size());
  for (std::size_t i = 0; i < after.size(); ++i)
    EXPECT_TRUE(torch::equal(task.before[i], after[i]));
}

TEST_F(GpuTest, PinnedBatchesAreTheSame) {
  auto pinned = loader(/*pin_memory=*/true), plain = loader();
  for (std::int64_t k = 0; k < 2 * plain.batches_per_epoch(); ++k) {
    const auto found = *pinned.next(), expected = *plain.next();
    EXPECT_TRUE(found.video.is_pinned() && found.audio.is_pinned());
    EXPECT_FALSE(expected.video.is_pinned());
    EXPECT_EQ(found.ids, expected.ids);
    const auto moved = found.to(gpu());
    for (const auto& [a, b] :
         {std::pair{moved.video, expected.video}, std::pair{moved.audio, expected.audio},
          std::pair{moved.lengths, expected.lengths},
          std::pair{moved.masked_video, expected.masked_video},
          std::pair{moved.masked_audio, expected.masked_audio}}) {
      EXPECT_TRUE(a.is_cuda());
      EXPECT_TRUE(torch::equal(a.cpu(), b));
    }
  }
}

}  // namespace
}  // namespace raven::train

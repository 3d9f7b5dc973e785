// Estimates against the bytes that LibTorch really allocates, on networks wide enough for the
// tensors that are left out (see plan/layers.h) not to matter.
#include "raven/plan/memory.h"
#include "raven/models/batch_input.h"

#include <gtest/gtest.h>

#include "raven/data/span_mask.h"
#include "raven/media/media.h"
#include "raven/models/feature_loss.h"
#include "raven/models/raven.h"
#include "raven/nn/device.h"
#include "raven/plan/plan.h"
#include "raven/plan/tensor_memory.h"
#include "raven/text/units.h"
#include "raven/train/finetune_task.h"
#include "raven/train/pretrain_task.h"
#include "raven/train/updater.h"

namespace raven::plan {
namespace {

using config::FinetuneConfig;
using config::PretrainConfig;

constexpr double kOfKept = 0.01;  // relative
constexpr double kOfPeak = 0.08;
constexpr std::int64_t kUnits = 40;

text::Units units() {
  std::vector<std::string> pieces;
  for (std::int64_t i = 3; i < kUnits; ++i) pieces.push_back(fmt::format("u{}", i));
  return text::Units(pieces);
}

PretrainConfig pretraining() {
  torch::set_num_threads(1);  // such small networks gain nothing by more
  PretrainConfig config;
  config.data.video.crop = 40;
  config.model.encoder = {.dim = 64, .heads = 4, .ffn_dim = 160, .blocks = 3};
  config.model.video_frontend.widths = {16, 24, 32, 48};
  config.model.audio_frontend.widths = {8, 16, 32, 40};
  for (auto& predictor : config.model.predictors.of) {
    predictor = {.dim = 48, .heads = 4, .ffn_dim = 96, .blocks = 2};
  }
  return config;
}

FinetuneConfig finetuning(config::Modality modality) {
  FinetuneConfig config;
  const auto like = pretraining();
  config.data.video = like.data.video;
  config.model.modality = modality;
  config.model.encoder = like.model.encoder;
  config.model.video_frontend = like.model.video_frontend;
  config.model.audio_frontend = like.model.audio_frontend;
  config.model.decoder = {.dim = 48, .heads = 4, .ffn_dim = 96, .blocks = 2};
  config.model.cached_views = 0;
  return config;
}

data::Batch batch_of(const config::DataConfig& data, const BatchShape& shape) {
  const auto side = data.video.crop;
  data::Batch batch;
  batch.ids.assign(static_cast<std::size_t>(shape.clips), "clip");
  batch.video = torch::randint(0, 256, {shape.clips, shape.frames, side, side}, torch::kUInt8);
  batch.audio = 0.1 * torch::randn({shape.clips, media::kSamplesPerFrame * shape.frames});
  batch.lengths = torch::full({shape.clips}, shape.frames, torch::kInt64);
  batch.masked_video = torch::rand({shape.clips, shape.frames}) < 0.3;
  batch.masked_audio = torch::rand({shape.clips, shape.frames}) < 0.3;
  batch.labels = torch::randint(2, kUnits - 1, {shape.clips, shape.labels}, torch::kInt64);
  batch.num_frames_of.assign(static_cast<std::size_t>(shape.clips), shape.frames);
  batch.num_labels_of.assign(static_cast<std::size_t>(shape.clips), shape.labels);
  return batch;
}

double kept_by(const Pass& pass) {
  double sum = 0;
  for (const auto& layer : pass.layers) sum += layer.saved;
  return sum;
}

/// Bytes that live on after `forward`, whose result is kept until they are counted.
template <class Forward>
double held_after(const Forward& forward) {
  const plan::TensorMemory memory;
  const auto result = forward();
  return static_cast<double>(memory.live());
}

void expect_kept(const PretrainConfig& config, const BatchShape& shape) {
  torch::manual_seed(1);
  models::Raven model(config.model, config.loss, config.teacher);
  const auto input = models::pretrain_input(batch_of(config.data, shape));
  const auto networks = networks_of(config, kUnits, shape, {});
  models::Targets targets;
  {
    torch::NoGradGuard no_grad;
    targets = model->targets(input);
  }
  const double video =
      held_after([&] { return model->terms(config::Modality::kVideo, input, targets); });
  EXPECT_NEAR(kept_by(networks.passes[0]) / video, 1, kOfKept) << "video";
  const double audio =
      held_after([&] { return model->terms(config::Modality::kAudio, input, targets); });
  EXPECT_NEAR(kept_by(networks.passes[1]) / audio, 1, kOfKept) << "audio";
}

TEST(Memory, OfAStudentIsWhatAutogradHolds) {
  expect_kept(pretraining(), {.clips = 3, .frames = 20});
  expect_kept(pretraining(), {.clips = 2, .frames = 70});  // attention maps weigh more
}

TEST(Memory, OfAStudentFollowsItsOptions) {
  auto config = pretraining();
  config.model.encoder.dropout = 0;
  config.model.encoder.layer_scale = 0;
  config.model.encoder.ffn_norm = config::FfnNorm::kLayer;
  config.loss.weight = config::PerLoss<double>(1);
  config.model.predictors.of["v2v"].kind = config::PredictorKind::kMlp;
  config.model.predictors.of["v2a"].dropout = 0;
  config.model.predictors.of["a2a"].kind = config::PredictorKind::kLinear;
  config.model.predictors.of["a2v"].kind = config::PredictorKind::kNone;
  expect_kept(config, {.clips = 2, .frames = 30});
}

TEST(Memory, OfALossIsWhatAutogradHolds) {
  const BatchShape shape{.clips = 3, .frames = 200};
  constexpr std::int64_t kDim = 512;
  const auto target = torch::randn({shape.clips, shape.frames, kDim});
  const auto where = torch::ones({shape.clips, shape.frames}, torch::kBool);
  const auto prediction = torch::randn_like(target).requires_grad_();
  for (const auto& [kind, name] : config::EnumNames<config::LossKind>::kNames) {
    const config::LossConfig options{.kind = kind};
    const double held =
        held_after([&] { return models::feature_loss(options, prediction, target, where); });
    const auto layer = feature_loss(kind, kDim, /*owns_prediction=*/false, shape);
    EXPECT_NEAR(layer.saved, held, 0.02 * static_cast<double>(target.nbytes())) << name;
    EXPECT_EQ(feature_loss(kind, kDim, true, shape).saved - layer.saved,
              static_cast<double>(target.nbytes()));
  }
}

TEST(Memory, OfAStudentFollowsItsAblations) {
  const BatchShape shape{.clips = 2, .frames = 40};
  auto config = pretraining();
  config.loss.weight["v2v"] = 1;
  config.model.video_encoder = {.dim = 96, .heads = 4, .ffn_dim = 200, .blocks = 2};
  config.model.predictors.of["v2v"].kind = config::PredictorKind::kMlpBatchNorm;
  config.model.predictors.of["v2v"].mlp_layers = 4;
  config.model.predictors.of["v2a"].layer_scale = 0.1;
  config.model.predictors.of["v2a"].drop_path = 0.1;
  for (const auto& [kind, name] : config::EnumNames<config::LossKind>::kNames) {
    SCOPED_TRACE(name);
    config.loss.kind = kind;
    expect_kept(config, shape);
  }
  config.model.video_encoder = {};
  config.model.predictors.of["v2a"] = {.kind = config::PredictorKind::kShared};
  config.model.predictors.of["a2v"] = {.kind = config::PredictorKind::kShared};
  expect_kept(config, shape);
}

TEST(Memory, OfARecognizerIsWhatAutogradHolds) {
  const BatchShape shape{.clips = 3, .frames = 30, .labels = 9};
  for (const auto modality : {config::Modality::kVideo, config::Modality::kAudio}) {
    for (const std::int64_t width : {48, 64}) {  // with and without a projection
      for (const double dropout : {0.1, 0.0}) {
        auto config = finetuning(modality);
        config.model.decoder.dim = width;
        config.model.decoder.dropout = config.model.encoder.dropout = dropout;
        torch::manual_seed(1);
        auto model = train::make_recognizer(config, units());
        model->train();
        const auto batch = batch_of(config.data, shape);
        const auto x = models::encoder_input(batch, modality);
        const auto valid = torch::ones({shape.clips, shape.frames}, torch::kBool);
        const double held = held_after(
            [&] { return model->losses(model->encode(x, valid), valid, {.units = batch.labels}); });
        const auto networks = networks_of(config, kUnits, shape, {});
        EXPECT_NEAR(kept_by(networks.passes[0]) / held, 1, kOfKept)
            << config::enum_name(modality) << ", width " << width << ", dropout " << dropout;
      }
    }
  }
}

/// Peak of all tensors over steps of `task`, weights and optimiser included.
double peak_of_steps(plan::TensorMemory& memory, train::Task& task,
                     const config::OptimizerConfig& optimizer,
                     const std::vector<data::Batch>& batches) {
  train::Updater updater(task, optimizer, {.steps = 100, .warmup_steps = 0}, torch::kCPU);
  for (int step = 0; step < 2; ++step) {
    updater.apply(updater.gradients(batches, {.step = step}));
  }
  return static_cast<double>(memory.peak());
}

void expect_peak(const PretrainConfig& config, const BatchShape& shape, std::int64_t accumulate) {
  const auto batch = batch_of(config.data, shape);
  plan::TensorMemory memory;
  train::PretrainTask task(config, torch::kCPU, {.steps = 100, .warmup_steps = 0}, {},
                           config.monitor.recognition.enabled ? kUnits : 0);
  const double real =
      peak_of_steps(memory, task, config.optimizer,
                    std::vector<data::Batch>(static_cast<std::size_t>(accumulate), batch));
  const auto estimate =
      memory_of(networks_of(config, kUnits, shape, {}), nullptr, {}, {.accumulate = accumulate});
  EXPECT_NEAR(estimate.tensors() / real, 1, kOfPeak) << estimate.peak;
}

TEST(Memory, OfAPretrainingStepHasTheRealPeak) {
  expect_peak(pretraining(), {.clips = 3, .frames = 20}, 1);
  expect_peak(pretraining(), {.clips = 2, .frames = 70}, 1);
  auto probed = pretraining();
  probed.monitor.recognition.enabled = true;
  expect_peak(probed, {.clips = 3, .frames = 20, .labels = 7}, 1);
  auto scores = pretraining();  // of all frames with all
  scores.loss.kind = config::LossKind::kContrastive;
  expect_peak(scores, {.clips = 8, .frames = 100}, 1);
  auto heavy = pretraining();  // weights weigh more than activations
  heavy.model.encoder.dim = 256, heavy.model.encoder.ffn_dim = 1024;
  expect_peak(heavy, {.clips = 1, .frames = 12}, 1);
  expect_peak(heavy, {.clips = 1, .frames = 12}, 2);
}

TEST(Memory, OfAFineTuningStepHasTheRealPeak) {
  const BatchShape shape{.clips = 3, .frames = 40, .labels = 8};
  for (const auto modality : {config::Modality::kVideo, config::Modality::kAudio}) {
    for (const auto frozen : {config::FrozenPart::kNone, config::FrozenPart::kFrontend}) {
      auto config = finetuning(modality);
      config.model.frozen = frozen;
      const auto batch = batch_of(config.data, shape);
      plan::TensorMemory memory;
      train::FinetuneTask task(config, torch::kCPU, units(), {});
      const double real = peak_of_steps(memory, task, config.optimizer, {batch});
      const auto estimate =
          memory_of(networks_of(config, kUnits, shape, {}), nullptr, {}, {.accumulate = 1});
      EXPECT_NEAR(estimate.tensors() / real, 1, kOfPeak)
          << config::enum_name(modality) << ", frozen " << config::enum_name(frozen) << ", "
          << estimate.peak;
    }
  }
}

TEST(Memory, OfLooksAtLargerBatchesThanTraining) {
  const auto config = pretraining();
  const auto step = networks_of(config, kUnits, {.clips = 1, .frames = 5}, {});
  const auto held_out = networks_of(config, kUnits, {.clips = 40, .frames = 50}, {});
  const auto memory = memory_of(step, &held_out, {}, {});
  EXPECT_EQ(memory.peak, "evaluation on held-out clips");
  EXPECT_GT(memory.total(), memory_of(step, nullptr, {}, {}).total());
}

// The two figures that there are (tests/bench/RESULTS.md, Base on an H200): 6.4 GiB of tensors in
// bf16 and 10.3 GiB in tf32, 16 utterances of 150 frames.
TEST(Memory, OfBaseOnAGpuIsNearWhatWasMeasured) {
  constexpr double kGiB = 1024.0 * 1024 * 1024;
  for (const auto& [precision, gib] :
       {std::pair{config::Precision::kBf16, 6.4}, std::pair{config::Precision::kTf32, 10.3}}) {
    const auto arithmetic = Arithmetic::of(/*cuda=*/true, precision);
    const auto memory =
        memory_of(networks_of(PretrainConfig{}, 0, {.clips = 16, .frames = 150}, arithmetic),
                  nullptr, arithmetic, {});
    EXPECT_NEAR(memory.tensors() / kGiB / gib, 1, 0.1) << config::enum_name(precision);
  }
}

}  // namespace
}  // namespace raven::plan

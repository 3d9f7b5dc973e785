#include "cli/random_steps.h"

#include <spdlog/fmt/fmt.h>

#include "raven/data/span_mask.h"
#include "raven/media/media.h"
#include "raven/nn/device.h"
#include "raven/text/units.h"
#include "raven/train/finetune_task.h"
#include "raven/train/lm_task.h"
#include "raven/train/pretrain_task.h"

namespace raven::cli {
namespace {

constexpr train::RunLength kLength{.steps = 1000, .warmup_steps = 0};

/// Page-locked as the loader's batches, so that copies do not wait.
torch::Tensor pinned(const torch::Tensor& x, const torch::Device& device) {
  return device.is_cuda() && x.defined() ? x.pin_memory() : x;
}

void pin(data::Batch& batch, const torch::Device& device) {
  for (auto* tensor :
       {&batch.video, &batch.teacher_video, &batch.audio, &batch.lengths, &batch.labels}) {
    *tensor = pinned(*tensor, device);
  }
}

torch::Tensor random_mask(const data::SpanOptions& options, const data::Batch& batch,
                          Random& random) {
  const auto rows = batch.video.size(0), frames = batch.video.size(1);
  const std::vector<std::int64_t> lengths(static_cast<std::size_t>(rows), frames);
  std::vector<Random> streams;
  for (std::int64_t row = 0; row < rows; ++row) streams.emplace_back(random.bits());
  auto masked = data::mask_rows(options, lengths, frames, streams);
  return torch::from_blob(masked.data(), {rows, frames}, torch::kUInt8).to(torch::kBool);
}

/// All units but blank, unknown and end.
void add_labels(const RandomShape& shape, std::int64_t num_units, data::Batch& batch) {
  batch.labels = torch::randint(2, num_units - 1, {shape.clips, shape.labels}, torch::kInt64);
  batch.num_labels_of.assign(static_cast<std::size_t>(shape.clips), shape.labels);
}

text::Units made_up_units(std::int64_t count) {
  std::vector<std::string> pieces;  // all but blank, unknown and end
  for (std::int64_t i = 3; i < count; ++i) pieces.push_back(fmt::format("u{}", i));
  return text::Units(pieces);
}

}  // namespace

data::Batch random_batch(const config::DataConfig& data, const RandomShape& shape) {
  torch::manual_seed(0);
  const auto side = data.video.crop;
  data::Batch batch;
  batch.ids.assign(static_cast<std::size_t>(shape.clips), "random");
  batch.video = torch::randint(0, 256, {shape.clips, shape.frames, side, side}, torch::kUInt8);
  batch.audio = 0.1 * torch::randn({shape.clips, media::kSamplesPerFrame * shape.frames});
  batch.lengths = torch::full({shape.clips}, shape.frames, torch::kInt64);
  batch.num_frames_of.assign(static_cast<std::size_t>(shape.clips), shape.frames);
  return batch;
}

RandomSteps::RandomSteps(const config::PretrainConfig& config, const torch::Device& device,
                         const RandomShape& shape, std::int64_t num_units)
    : device_(device),
      task_(std::make_unique<train::PretrainTask>(config, device, kLength, data::Manifest{},
                                                  num_units)),
      updater_(std::make_unique<train::Updater>(*task_, config.optimizer, kLength, device)),
      mask_(config.mask) {
  auto batch = random_batch(config.data, shape);
  if (num_units > 0) add_labels(shape, num_units, batch);
  if (config.teacher.num_views() > 1) batch.teacher_video = torch::randint_like(batch.video, 256);
  pin(batch, device);
  batches_.assign(static_cast<std::size_t>(shape.batches), batch);
}

RandomSteps::RandomSteps(const config::FinetuneConfig& config, const torch::Device& device,
                         const RandomShape& shape, std::int64_t num_units)
    : device_(device) {
  auto alone = config;
  alone.model.init.clear();
  alone.model.cached_views = 0;
  task_ = std::make_unique<train::FinetuneTask>(alone, device, made_up_units(num_units),
                                                data::Manifest{});
  updater_ = std::make_unique<train::Updater>(*task_, alone.optimizer, kLength, device);
  auto batch = random_batch(config.data, shape);
  (config.model.modality == config::Modality::kVideo ? batch.audio : batch.video) = torch::Tensor();
  add_labels(shape, num_units, batch);
  pin(batch, device);
  batches_.assign(static_cast<std::size_t>(shape.batches), batch);
}

RandomSteps::RandomSteps(const config::LmConfig& config, const torch::Device& device,
                         const RandomShape& shape, std::int64_t num_units)
    : device_(device),
      task_(std::make_unique<train::LmTask>(config, device, made_up_units(num_units),
                                            train::SentenceSet{}, 0)),
      updater_(std::make_unique<train::Updater>(*task_, config.optimizer, kLength, device)) {
  torch::manual_seed(0);
  const auto units =
      torch::randint(2, num_units - 1, {shape.clips, shape.frames + 1}, torch::kInt64);
  const auto total = shape.clips * shape.frames;
  const train::SentenceBatch batch{.inputs = pinned(units.slice(1, 0, -1).contiguous(), device),
                                   .targets = pinned(units.slice(1, 1).contiguous(), device),
                                   .num_units = total};
  sentences_.assign(static_cast<std::size_t>(shape.batches), train::Batch(batch, total));
}

void RandomSteps::draw_masks() {
  for (auto& batch : batches_) {
    batch.masked_video = pinned(random_mask(data::video_spans(*mask_), batch, random_), device_);
    batch.masked_audio =
        mask_->draw == config::MaskDraw::kShared
            ? batch.masked_video
            : pinned(random_mask(data::audio_spans(*mask_), batch, random_), device_);
  }
}

std::int64_t RandomSteps::step() {
  if (mask_) draw_masks();
  const train::StepOptions options{.step = next_++};
  updater_->apply(sentences_.empty() ? updater_->gradients(batches_, options)
                                     : updater_->gradients(sentences_, options));
  nn::synchronise(device_);
  std::int64_t frames = 0;
  for (const auto& batch : sentences_) frames += batch.num_frames();
  for (const auto& batch : batches_) frames += batch.num_frames();
  return frames;
}

}  // namespace raven::cli

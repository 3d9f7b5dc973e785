#include "raven/train/pretrain_stage.h"

#include "raven/artifacts/checkpoint.h"
#include "raven/core/error.h"
#include "raven/core/log.h"
#include "raven/data/labels.h"
#include "raven/text/tokenizer.h"
#include "raven/train/list_check.h"
#include "raven/train/mask_check.h"
#include "raven/train/pretrain_task.h"
#include "raven/train/stage_data.h"

namespace raven::train {
namespace {

/// Labels for the published monitoring probe, where it is asked for; returns the number of units.
std::int64_t label_for_probe(const config::RecognitionMonitorConfig& config,
                             data::Manifest& training, data::Manifest& held_out) {
  if (!config.enabled) return 0;
  const auto tokenizer =
      text::make_tokenizer({.units_file = config.text.units, .model_file = config.text.model});
  const auto labelled = data::label_where_possible(training, *tokenizer);
  data::label_where_possible(held_out, *tokenizer);
  if (labelled == 0) {
    throw ConfigError(
        fmt::format("{}: no utterance has a usable transcript, which the recognition probe learns "
                    "from; set monitor.recognition.enabled=false, or prepare the data with texts",
                    training.file.string()));
  }
  log::info("recognition probe: learns from {} of {} utterances", labelled,
            training.utterances.size());
  return tokenizer->units().size();
}

}  // namespace

void PretrainStage::read_data(const torch::Device& device) {
  training_ = training_data(config_.data);
  held_out_ = held_out_data(config_.data);
  require_input(config_, training_);
  require_input(config_, held_out_);
  check_masks(config_, training_);
  card_ = check_lists(config_.data, training_, held_out_);
  num_units_ = label_for_probe(config_.monitor.recognition, training_, held_out_);
  auto options = data::training_options(config_.data, config_.run.seed);
  options.pin_memory = device.is_cuda();
  options.mask = config_.mask;
  options.teacher_crop = config_.teacher.crop == config::TeacherCrop::kOwn;
  options.labels = num_units_ > 0;
  auto epoch = with_repeats(training_, config_.data);
  frames_per_epoch_ = epoch.total_frames();
  source_ = std::make_unique<ClipSource>(std::move(epoch), options);
}

std::optional<Training> PretrainStage::prepare(artifacts::RunFolder& folder,
                                               const torch::Device& device,
                                               const std::stop_token& /*stop*/) {
  RAVEN_CHECK(source_ != nullptr, "the data were not read, or are in use");
  const auto length = RunLength::of(config_.train, config_.optimizer, source_->batches_per_epoch());
  auto facts = facts_of(training_);
  facts["frames_per_epoch"] = fmt::format("{}", frames_per_epoch_);
  return Training{
      .source = std::move(source_),
      .length = length,
      .task = std::make_unique<PretrainTask>(config_, device, length, held_out_, num_units_),
      .evaluate_every = config_.data.valid_manifest.empty() ? 0 : config_.monitor.every,
      .data_hash = artifacts::data_hash(training_),
      .data = names_of(config_.data),
      .facts = std::move(facts),
      .card = card_,
      .results = fmt::format("encoders are in {}", (folder.path() / "encoders").string())};
}

}  // namespace raven::train

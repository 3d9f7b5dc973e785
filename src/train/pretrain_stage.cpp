#include "raven/train/pretrain_stage.h"

#include "raven/artifacts/checkpoint.h"
#include "raven/core/error.h"
#include "raven/core/log.h"
#include "raven/data/labels.h"
#include "raven/text/tokenizer.h"
#include "raven/train/init_input.h"
#include "raven/train/list_check.h"
#include "raven/train/mask_check.h"
#include "raven/train/pretrain_task.h"
#include "raven/train/stage_data.h"
#include "raven/weights/model_settings.h"

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

void PretrainStage::read_data(const torch::Device& device, const data::Share& share) {
  check_init(config_);
  training_ = training_data(config_.data);
  held_out_ = held_out_data(config_.data);
  require_input(config_, training_);
  require_input(config_, held_out_);
  check_masks(config_, training_);
  for (const auto& init : init_settings(config_)) {
    if (!init.path.empty()) tell_init_grey(init, config_.run, training_);
  }
  card_ = check_lists(config_.data, training_, held_out_);
  num_units_ = label_for_probe(config_.monitor.recognition, training_, held_out_);
  auto options = data::training_options(config_.data, config_.run.seed);
  options.pin_memory = device.is_cuda();
  options.mask = config_.mask;
  options.teacher_crop = config_.teacher.crop == config::TeacherCrop::kOwn;
  options.labels = num_units_ > 0;
  options.share = share;
  auto epoch = with_repeats(training_, config_.data);
  frames_per_epoch_ = epoch.total_frames();
  source_ = std::make_unique<ClipSource>(std::move(epoch), options);
}

StudentStarts PretrainStage::starts(const artifacts::RunFolder& folder) {
  if (const auto newest = artifacts::LastCheckpoint(folder.path()).state()) {
    for (const auto& init : init_settings(config_)) {
      const auto key = [&](const char* of) { return weights::of_student(of, init.modality); };
      check_same_init(init, config_.run, *newest, key(weights::kStartedSha256), [&] {
        const auto now = artifacts::open_encoder(init.path, init.modality);
        return artifacts::origin_of(now.step, now.encoder).at(weights::kStartedSha256);
      });
      for (const char* of : weights::kStarted) {
        const auto known = newest->card.find(key(of));
        if (known != newest->card.end()) card_[key(of)] = known->second;
      }
    }
    return {};
  }
  auto starts = open_student_starts(config_);
  for (const auto& [modality, start] : starts) {
    auto origin = artifacts::origin_of(start.step, start.encoder);
    origin[weights::kStartedFrom] = init_name(config_.model.init_of(modality));
    origin[weights::kStartedWith] = "the encoder";
    for (const auto& [of, value] : origin) card_[weights::of_student(of, modality)] = value;
  }
  return starts;
}

std::optional<Training> PretrainStage::prepare(artifacts::RunFolder& folder,
                                               const torch::Device& device,
                                               const std::stop_token& /*stop*/) {
  RAVEN_CHECK(source_ != nullptr, "the data were not read, or are in use");
  const auto length = RunLength::of(config_.train, config_.optimizer, source_->batches_per_epoch());
  const auto started = starts(folder);
  auto facts = facts_of(training_);
  facts["frames_per_epoch"] = fmt::format("{}", frames_per_epoch_);
  return Training{
      .source = std::move(source_),
      .length = length,
      .task =
          std::make_unique<PretrainTask>(config_, device, length, held_out_, num_units_, started),
      .evaluate_every = config_.data.valid_manifest.empty() ? 0 : config_.monitor.every,
      .data_hash = artifacts::data_hash(training_),
      .data = names_of(config_.data),
      .facts = std::move(facts),
      .card = card_,
      .results = fmt::format("encoders are in {}", (folder.path() / "encoders").string())};
}

}  // namespace raven::train

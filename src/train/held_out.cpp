#include "raven/train/held_out.h"

#include <algorithm>

#include "raven/core/files.h"
#include "raven/core/log.h"
#include "raven/data/subset.h"
#include "raven/media/media.h"
#include "raven/models/batch_input.h"
#include "raven/nn/device.h"
#include "raven/report/metric_names.h"
#include "raven/train/feature_statistics.h"
#include "raven/train/finetune_task.h"
#include "raven/train/pretrain_task.h"
#include "raven/train/probe.h"

namespace raven::train {
namespace {

using report::metric;

/// Adds up, per loss, cosines and mean directions over batches.
class Losses {
 public:
  void add(const models::TermOutput& term) {
    const double frames = term.where.sum().item<double>();
    if (frames == 0) return;
    auto& sums = sums_[term.name];
    sums.weight = term.weight;
    sums.loss += term.sum.item<double>();
    sums.cosine += term.cosine.item<double>();
    sums.frames += frames;
    const auto targets = frames_where(term.target, term.where).to(torch::kFloat64).to(torch::kCPU);
    const auto directions = torch::nn::functional::normalize(
        targets, torch::nn::functional::NormalizeFuncOptions().dim(1));
    const auto sum = directions.sum(0);
    sums.direction = sums.direction.defined() ? sums.direction + sum : sum;
  }

  void write(Numbers& numbers) const {
    double total = 0;
    for (const auto& [name, sums] : sums_) {
      const double loss = sums.loss / sums.frames;
      total += sums.weight * loss;
      numbers[metric("valid_<loss>", name)] = loss;
      numbers[metric("valid_gain_<loss>", name)] =
          sums.cosine / sums.frames - sums.direction.norm().item<double>() / sums.frames;
    }
    if (!sums_.empty()) numbers[metric("valid_loss")] = total;
  }

 private:
  struct Sums {
    double weight = 0, loss = 0, cosine = 0, frames = 0;
    torch::Tensor direction;
  };
  std::map<std::string, Sums> sums_;
};

/// What a recognition probe makes of all batches.
class Readings {
 public:
  void add(models::RecognitionProbe& probe, const torch::Tensor& features,
           const torch::Tensor& valid, const models::Labels& labels) {
    const auto losses = probe->losses(features, valid, labels);
    ctc_ += losses.ctc.item<double>();
    attention_ += losses.attention.item<double>();
    correct_ += losses.correct.item<double>();
    count_ += losses.count.item<double>();
    utterances_ += static_cast<double>(losses.utterances);
  }

  void write(const std::string& modality, Numbers& numbers) const {
    if (utterances_ == 0) return;
    numbers[metric("valid_recognition_ctc_<modality>", modality)] = ctc_ / utterances_;
    numbers[metric("valid_recognition_attention_<modality>", modality)] = attention_ / utterances_;
    numbers[metric("valid_recognition_accuracy_<modality>", modality)] =
        correct_ / std::max(count_, 1.0);
  }

 private:
  double ctc_ = 0, attention_ = 0, correct_ = 0, count_ = 0, utterances_ = 0;
};

/// Features and log-mel energies of both halves of the utterances, for one modality.
class ProbeData {
 public:
  void add(const torch::Tensor& features, const torch::Tensor& energies, bool fit) {
    auto& half = fit ? fit_ : score_;
    half.first.push_back(features.to(torch::kCPU).to(torch::kFloat32));
    half.second.push_back(energies);
  }
  [[nodiscard]] bool usable() const { return !fit_.first.empty() && !score_.first.empty(); }
  [[nodiscard]] double r2() const {
    return ridge_r2({torch::cat(fit_.first), torch::cat(fit_.second)},
                    {torch::cat(score_.first), torch::cat(score_.second)});
  }

 private:
  using Half = std::pair<std::vector<torch::Tensor>, std::vector<torch::Tensor>>;
  Half fit_, score_;
};

}  // namespace

EvaluationMode::EvaluationMode(torch::nn::Module& module) {
  for (const auto& part : module.modules()) {
    modes_.emplace_back(part.get(), part->is_training());
    if (auto* norm = part->as<nn::BatchNorm>())
      shared_.emplace_back(norm, std::exchange(norm->reducer, nullptr));
    for (const auto& buffer : part->named_buffers(/*recurse=*/false)) {
      buffers_.emplace_back(buffer.value(), buffer.value().detach().clone());
    }
  }
  module.eval();
  for (const auto& [part, was_training] : modes_) {
    if (was_training && part->named_buffers(/*recurse=*/false).contains("running_mean"))
      part->train();
  }
}

EvaluationMode::~EvaluationMode() {
  torch::NoGradGuard no_grad;
  for (auto& [buffer, copy] : buffers_) buffer.copy_(copy);
  for (auto& [norm, reducer] : shared_) norm->reducer = std::move(reducer);
  // train(bool) reaches down into children: parents come first in modules(), so each has the last
  // word.
  for (const auto& [part, was_training] : modes_) part->train(was_training);
}

HeldOut::HeldOut(const config::PretrainConfig& config, data::Manifest manifest)
    : config_(config), manifest_(std::move(manifest)) {
  manifest_ = data::spread(manifest_, config_.monitor.probe_utterances);
  fits_ = split_by_speaker(manifest_);
  const auto fitted = std::ranges::count_if(fits_, [](const auto& one) { return one.second; });
  if (!fits_.empty() && (fitted == 0 || fitted == std::ssize(fits_))) {
    log::warn(
        "data.valid_manifest: its {} clips (monitor.probe_utterances) are of one speaker, but the "
        "probes of features (probe_r2) learn from some speakers and are scored on others: they are "
        "left out",
        fits_.size());
  }
}

std::map<std::string, bool> split_by_speaker(const data::Manifest& manifest) {
  struct Speaker {
    std::vector<std::string> ids;
    std::int64_t frames = 0;
  };
  std::map<std::pair<std::uint64_t, std::string>, Speaker> speakers;  // in the order of a hash
  for (const auto& utterance : manifest.utterances) {
    const auto name =
        utterance.speaker.empty() ? "utterance " + utterance.id : "speaker " + utterance.speaker;
    auto& speaker = speakers[{checksum(name), name}];
    speaker.ids.push_back(utterance.id);
    speaker.frames += utterance.frames;
  }
  std::map<std::string, bool> fits;
  std::int64_t fitted = 0, scored = 0;
  for (const auto& [name, speaker] : speakers) {
    const bool fit = fitted <= scored;
    (fit ? fitted : scored) += speaker.frames;
    for (const auto& id : speaker.ids) fits[id] = fit;
  }
  return fits;
}

Numbers HeldOut::evaluate(models::Raven& model, const torch::Device& device,
                          const std::stop_token& stop) const {
  if (empty()) return {};
  torch::NoGradGuard no_grad;
  const EvaluationMode mode(*model);
  auto options = data::held_out_options(config_.data, config_.run.seed, manifest_);
  options.mask = config_.mask;
  options.labels = config_.monitor.recognition.enabled;
  options.skips = skips_;
  options.lengths = lengths_;
  data::Loader loader(manifest_, options);
  Losses losses;
  ProbeData video, audio;
  Readings of_video, of_audio;
  while (const auto batch = loader.next()) {
    if (stop.stop_requested()) return {};
    const auto on_device = batch->to(device);
    const auto input = models::pretrain_input(on_device);
    const nn::Autocast autocast(device, config_.train.precision);
    const auto targets = model->targets(input);
    for (const auto student : config::kModalities) {
      for (const auto& term : model->terms(student, input, targets)) losses.add(term);
    }
    const auto seen = [&](auto& student, const torch::Tensor& x) {
      return student.is_empty() ? torch::Tensor() : student->forward(x, input.valid);
    };
    const auto seen_video = seen(model->student_video, input.video);
    const auto seen_audio = seen(model->student_audio, input.audio);
    const auto read = [&](Readings& readings, models::RecognitionProbe& probe,
                          const torch::Tensor& features) {
      if (!probe.is_empty())
        readings.add(probe, features, input.valid, models::labels_of(on_device));
    };
    read(of_video, model->probe_video, seen_video);
    read(of_audio, model->probe_audio, seen_audio);
    for (std::int64_t row = 0; row < static_cast<std::int64_t>(batch->ids.size()); ++row) {
      const auto frames = batch->lengths[row].item<std::int64_t>();
      const auto energies =
          log_mel(batch->audio[row].slice(0, 0, media::kSamplesPerFrame * frames));
      const bool fit = fits_.at(batch->ids[static_cast<std::size_t>(row)]);
      if (seen_video.defined()) video.add(seen_video[row].slice(0, 0, frames), energies, fit);
      if (seen_audio.defined()) audio.add(seen_audio[row].slice(0, 0, frames), energies, fit);
    }
  }
  Numbers numbers;
  losses.write(numbers);
  count_skipped(skips_->by_reason, "valid_", numbers);
  of_video.write("video", numbers);
  of_audio.write("audio", numbers);
  if (video.usable()) numbers[metric("probe_r2_<modality>", "video")] = video.r2();
  if (audio.usable()) numbers[metric("probe_r2_<modality>", "audio")] = audio.r2();
  return numbers;
}

}  // namespace raven::train

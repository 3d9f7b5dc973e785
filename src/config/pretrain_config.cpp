#include "raven/config/pretrain_config.h"

#include <spdlog/fmt/fmt.h>

#include <string>
#include <string_view>
#include <vector>

#include "config/rules.h"

namespace raven::config {
namespace {

void check_predictor(const std::string& key, const PredictorConfig& predictor, double weight) {
  if (weight == 0 || predictor.kind != PredictorKind::kTransformer) return;
  check_heads(key, predictor.dim, predictor.heads);
}

void check_model(const ModelConfig& model, const LossConfig& loss) {
  check_heads("model.encoder", model.encoder.dim, model.encoder.heads);
  check_widths("model.video_frontend", model.video_frontend);
  check_widths("model.audio_frontend", model.audio_frontend);
  for (const auto& term : kLossTerms) {
    check_predictor(fmt::format("model.predictors.{}", term.name), model.predictors.of[term],
                    loss.weight[term]);
  }
}

/// The losses whose student sees this modality, for messages: "loss.v2v and loss.v2a".
std::string keys_of_student(Modality student) {
  std::vector<std::string> keys;
  for (const auto& term : kLossTerms) {
    if (term.student == student) keys.push_back(fmt::format("loss.{}", term.name));
  }
  return fmt::format("{}", fmt::join(keys, " and "));
}

void check_losses(const LossConfig& loss, const TeacherConfig& teacher) {
  if (!loss.has_any()) {
    std::vector<std::string_view> names;
    for (const auto& term : kLossTerms) names.push_back(term.name);
    throw RuleError("loss",
                    fmt::format("every weight in loss ({}) is 0, so nothing would be learned",
                                fmt::join(names, ", ")));
  }
  // A modality whose student learns nothing still serves as a teacher, but only a fixed one can
  // teach.
  for (const auto& term : kLossTerms) {
    if (loss.weight[term] == 0 || loss.has_student(term.target)) continue;
    if (!teacher.weights(term.target).empty()) continue;
    const auto modality = modality_name(term.target);
    throw RuleError(fmt::format("loss.{}", term.name),
                    fmt::format("loss.{} needs {} {} teacher, but with {} at 0 it would never "
                                "learn; give teacher.{}_weights, or weigh one of them",
                                term.name, modality == "audio" ? "an" : "a", modality,
                                keys_of_student(term.target), modality));
  }
}

/// A loss over masked frames has no frames where nothing is masked.
void check_masks(const MaskConfig& mask, const LossConfig& loss) {
  for (const auto& term : kLossTerms) {
    const auto& own = term.student == Modality::kVideo ? mask.video_prob : mask.audio_prob;
    if (loss.weight[term] == 0 || own.value_or(mask.prob) > 0 || !loss.masked_only(term)) continue;
    const auto key = own ? fmt::format("mask.{}_prob", modality_name(term.student)) : "mask.prob";
    const auto* option = term.is_within() ? "within_masked_only" : "cross_masked_only";
    throw RuleError(key, fmt::format("{} is 0, so loss.{}, which is over masked frames only, has "
                                     "no frames; set loss.{}=false, or loss.{}=0",
                                     key, term.name, option, term.name));
  }
}

}  // namespace

void PretrainConfig::check() const {
  check_data(data);
  check_model(model, loss);
  check_losses(loss, teacher);
  check_masks(mask, loss);
  check_schedule(optimizer, train);
  for (const auto& [key, lr] : {std::pair{"optimizer.video_lr", optimizer.video_lr},
                                std::pair{"optimizer.audio_lr", optimizer.audio_lr}}) {
    if (lr) check_rate(key, *lr, optimizer.min_lr);
  }
  check_arithmetic(device, train);
  if (monitor.recognition.enabled) {
    check_text("monitor.recognition.text", monitor.recognition.text);
    check_heads("monitor.recognition.decoder", monitor.recognition.decoder.dim,
                monitor.recognition.decoder.heads);
  }
}

}  // namespace raven::config

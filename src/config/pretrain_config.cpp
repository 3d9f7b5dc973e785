#include "raven/config/pretrain_config.h"

#include <spdlog/fmt/fmt.h>

#include <string>
#include <string_view>
#include <vector>

#include "config/rules.h"

namespace raven::config {
namespace {

/// A setting that only one kind of thing has, given beside another kind.
void refuse_unless(bool applies, const std::string& key, const std::string& kind_key,
                   std::string_view kind, std::string_view of) {
  if (applies) return;
  throw RuleError(key, fmt::format("{} is given, but {} is {}: only {} has it; leave it out, or "
                                   "choose that",
                                   key, kind_key, kind, of));
}

void check_kind(const std::string& key, const PredictorConfig& predictor) {
  const auto kind = enum_name(predictor.kind);
  const auto only = [&](bool given, const char* name, bool applies, std::string_view of) {
    if (given) refuse_unless(applies, key + name, key + ".kind", kind, of);
  };
  const bool transformer = predictor.kind == PredictorKind::kTransformer;
  only(predictor.drop_path.has_value(), ".drop_path", transformer, "transformer");
  only(predictor.layer_scale.has_value(), ".layer_scale", transformer, "transformer");
  only(predictor.mlp_layers.has_value(), ".mlp_layers", predictor.is_mlp(),
       "mlp or mlp_batch_norm");
  if (transformer) check_heads(key, predictor.dim, predictor.heads);
}

/// `term` has the predictor of the student's first loss, which must be there and as wide.
void check_shared(const std::string& key, const LossTerm& term, const ModelConfig& model,
                  const LossConfig& loss) {
  const auto& owner = model.predictors.owner(term);
  if (owner.name == term.name) {
    throw RuleError(key + ".kind",
                    fmt::format("{0}.kind is shared, but {1} is the {2} student's first loss, "
                                "whose predictor others may share; choose another kind for it",
                                key, term.name, modality_name(term.student)));
  }
  if (loss.weight[owner] == 0) {
    throw RuleError(key + ".kind",
                    fmt::format("{}.kind is shared, but loss.{} is 0, so there is no predictor to "
                                "share; weigh it, or choose another kind",
                                key, owner.name));
  }
  const auto width = model.encoder_of(term.target).dim, other = model.encoder_of(owner.target).dim;
  if (width != other) {
    throw RuleError(key + ".kind",
                    fmt::format("{}.kind is shared, but targets of {} and {} are {} and {} wide; "
                                "one predictor gives one width",
                                key, term.name, owner.name, width, other));
  }
}

void check_predictor(const LossTerm& term, const ModelConfig& model, const LossConfig& loss) {
  if (loss.weight[term] == 0) return;
  const auto key = fmt::format("model.predictors.{}", term.name);
  const auto& predictor = model.predictors.of[term];
  check_kind(key, predictor);
  if (predictor.kind == PredictorKind::kShared) check_shared(key, term, model, loss);
  const auto from = model.encoder_of(term.student).dim, to = model.encoder_of(term.target).dim;
  if (predictor.kind == PredictorKind::kNone && from != to) {
    throw RuleError(
        key + ".kind",
        fmt::format("{}.kind is none, but the {} student is {} wide and {} targets "
                    "{}; linear brings one to the other",
                    key, modality_name(term.student), from, modality_name(term.target), to));
  }
}

void check_encoder(Modality modality, const ModelConfig& model) {
  const auto& own = modality == Modality::kVideo ? model.video_encoder : model.audio_encoder;
  const auto encoder = model.encoder_of(modality);
  const auto key = own.dim || own.heads ? fmt::format("model.{}_encoder", modality_name(modality))
                                        : std::string("model.encoder");
  check_heads(key, encoder.dim, encoder.heads);
}

void check_model(const ModelConfig& model, const LossConfig& loss) {
  for (const auto modality : kModalities) check_encoder(modality, model);
  check_widths("model.video_frontend", model.video_frontend);
  check_widths("model.audio_frontend", model.audio_frontend);
  for (const auto& term : kLossTerms) check_predictor(term, model, loss);
}

/// The losses whose student sees this modality, for messages: "loss.v2v and loss.v2a".
std::string keys_of_student(Modality student) {
  std::vector<std::string> keys;
  for (const auto& term : kLossTerms) {
    if (term.student == student) keys.push_back(fmt::format("loss.{}", term.name));
  }
  return fmt::format("{}", fmt::join(keys, " and "));
}

void check_loss_kind(const LossConfig& loss) {
  const auto kind = enum_name(loss.kind);
  if (loss.beta) {
    refuse_unless(loss.kind == LossKind::kSmoothL1, "loss.beta", "loss.kind", kind, "smooth_l1");
  }
  if (loss.temperature) {
    refuse_unless(loss.kind == LossKind::kContrastive, "loss.temperature", "loss.kind", kind,
                  "contrastive");
  }
}

void check_losses(const LossConfig& loss, const TeacherConfig& teacher) {
  check_loss_kind(loss);
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

/// One mask for both cannot follow two settings.
void check_shared_masks(const MaskConfig& mask) {
  if (mask.draw != MaskDraw::kShared) return;
  const auto check = [](const char* name, const auto& video, const auto& audio,
                        const auto& common) {
    const auto of_video = video.value_or(common), of_audio = audio.value_or(common);
    if (of_video == of_audio) return;
    throw RuleError(fmt::format("mask.{}_{}", video ? "video" : "audio", name),
                    fmt::format("mask.draw is shared, but mask.{0} is {1} for video and {2} for "
                                "audio; one mask for both follows mask.{0}: leave "
                                "mask.video_{0} and mask.audio_{0} out",
                                name, of_video, of_audio));
  };
  check("prob", mask.video_prob, mask.audio_prob, mask.prob);
  check("length", mask.video_length, mask.audio_length, mask.length);
}

/// A loss over masked frames has no frames where nothing is masked.
void check_masks(const MaskConfig& mask, const LossConfig& loss) {
  check_shared_masks(mask);
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

void check_init(const ModelConfig& model, const LossConfig& loss) {
  for (const auto modality : kModalities) {
    if (model.init_of(modality).empty() || loss.has_student(modality)) continue;
    const auto key = "model.init_" + modality_name(modality);
    throw RuleError(key, fmt::format("{} is given, but no loss trains {} student; weigh one of {}, "
                                     "or leave it out (a teacher's weights are "
                                     "teacher.{}_weights)",
                                     key, modality == Modality::kAudio ? "an audio" : "a video",
                                     keys_of_student(modality), modality_name(modality)));
  }
}

void check_targets(const TeacherConfig& teacher, const ModelConfig& model, const LossConfig& loss) {
  const auto check = [&](const std::string& key, const std::optional<std::int64_t>& value) {
    if (!value) return;
    refuse_unless(teacher.target != TargetKind::kLast, key, "teacher.target",
                  enum_name(teacher.target), "an average");
    for (const auto modality : kModalities) {
      const auto blocks = model.encoder_of(modality).blocks;
      if (!loss.has_teacher(modality) || *value <= blocks) continue;
      throw RuleError(key, fmt::format("{} is {}, but the {} encoder has {} blocks", key, *value,
                                       modality_name(modality), blocks));
    }
  };
  check("teacher.target_blocks", teacher.target_blocks);
  check("teacher.target_block", teacher.target_block);
  if (teacher.target_block && teacher.target_blocks.value_or(1) > *teacher.target_block) {
    throw RuleError(
        "teacher.target_blocks",
        fmt::format("teacher.target_blocks is {}, but up to teacher.target_block {} "
                    "there are {}",
                    *teacher.target_blocks, *teacher.target_block, *teacher.target_block));
  }
}

/// A masked teacher is shown something else only where there are masks.
void check_teacher_crop(const PretrainConfig& config) {
  if (config.teacher.crop == TeacherCrop::kSame) return;
  const auto& video = config.data.video;
  if (!config.loss.has_teacher(Modality::kVideo)) {
    throw RuleError("teacher.crop",
                    "teacher.crop is own, but no loss has video targets, and a waveform has no "
                    "crop; weigh loss.a2v or loss.v2v, or leave teacher.crop out");
  }
  if (video.crop == video.window / video.shrink && video.flip == 0) {
    throw RuleError("teacher.crop",
                    fmt::format("teacher.crop is own, but data.video.crop {} leaves no room in the "
                                "window and data.video.flip is 0, so there is nothing to draw",
                                video.crop));
  }
}

void check_teacher_input(const TeacherConfig& teacher, const MaskConfig& mask) {
  const bool masks =
      mask.video_prob.value_or(mask.prob) > 0 || mask.audio_prob.value_or(mask.prob) > 0;
  if (teacher.input == TeacherInput::kMasked && !masks) {
    throw RuleError("teacher.input",
                    "teacher.input is masked, but mask.prob is 0, so nothing is; give mask.prob, "
                    "or teacher.input=whole");
  }
}

}  // namespace

void PretrainConfig::check() const {
  check_data(data);
  check_model(model, loss);
  check_losses(loss, teacher);
  check_init(model, loss);
  check_targets(teacher, model, loss);
  check_masks(mask, loss);
  check_teacher_input(teacher, mask);
  check_teacher_crop(*this);
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

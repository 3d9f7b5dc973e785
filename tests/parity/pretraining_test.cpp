// Whole pre-training steps against tests/parity/data/pretraining.*.
#include <gtest/gtest.h>

#include "raven/models/raven.h"
#include "raven/train/optimizer.h"
#include "raven/train/schedule.h"
#include "support/golden.h"
#include "support/parity_tensors.h"
#include "support/tolerance.h"

namespace raven {
namespace {

using nlohmann::json;

models::Raven make_model(const std::string& salt, const json& content) {
  config::ModelConfig model;
  model.encoder = golden::encoder_options(content.at("encoder"));
  const auto predictor = golden::predictor_options(content.at("predictor"));
  model.predictors.of = config::PerLoss(predictor);
  model.predictors.of["v2a"].blocks = content.at("video_predictor_blocks");
  config::LossConfig loss;
  const auto& weights = content.at("loss_weights");
  for (const char* name : {"v2a", "a2a", "a2v"}) loss.weight[name] = weights.at(name);
  config::TeacherConfig teacher;
  const auto targets = content.at("targets").get<std::string>();
  if (targets == "mean over blocks, then instance norm") {
    teacher.target = config::TargetKind::kAverageInstanceNorm;
  } else if (targets != "after_norm of the last block") {
    throw std::runtime_error("unknown targets: " + targets);
  }
  models::Raven raven(model, loss, teacher);
  const std::map<std::string, torch::nn::Module*> networks = {
      {"video", raven->student_video.get()},         {"audio", raven->student_audio.get()},
      {"teacher_video", raven->teacher_video.get()}, {"teacher_audio", raven->teacher_audio.get()},
      {"v2a", raven->predictors["v2a"].get()},       {"a2a", raven->predictors["a2a"].get()},
      {"a2v", raven->predictors["a2v"].get()}};
  for (const auto& [name, prefix] : content.at("weights_prefixes").items()) {
    formula::fill(*networks.at(name), salt, prefix);
  }
  return raven;
}

/// Trains as the file says and compares every step; then the final state.
class Replay {
 public:
  Replay(const std::string& name, const std::string& salt, const json& content,
         const weights::TensorFile& masks)
      : name_(name),
        salt_(salt),
        content_(content),
        masks_(masks),
        model_(make_model(salt, content)) {
    const auto& optimizer = content.at("optimizer");
    const train::AdamWOptions options{.beta1 = optimizer.at("betas").at(0),
                                      .beta2 = optimizer.at("betas").at(1),
                                      .eps = optimizer.at("eps"),
                                      .weight_decay = optimizer.at("weight_decay"),
                                      .max_grad_norm = optimizer.at("clip")};
    video_.emplace("video", named(model_->parameters_of(config::Modality::kVideo)), options);
    audio_.emplace("audio", named(model_->parameters_of(config::Modality::kAudio)), options);
    learning_rate_ = {
        .peak = optimizer.at("base_lr"),
        .minimum = optimizer.at("min_lr"),
        .length = {.steps = optimizer.at("total"), .warmup_steps = optimizer.at("warmup")}};
    momentum_.start = content.at("base_momentum");
    momentum_.steps = optimizer.at("total");
  }

  void step(std::int64_t i) {
    const auto& expected = content_.at("steps").at(static_cast<std::size_t>(i));
    const auto rate = expected.at("lr").at(0).get<double>(),
               momentum = expected.at("momentum").at(0).get<double>();
    EXPECT_NEAR(learning_rate_.at(i), rate, 1e-12 + parity::rounding(rate));
    EXPECT_NEAR(momentum_.at(i), momentum, 1e-9 + parity::rounding(momentum));
    const auto input = input_of(i);
    const auto targets = model_->targets(input);
    phase(*video_, model_->terms(config::Modality::kVideo, input, targets), input, expected,
          "norm_video", i);
    phase(*audio_, model_->terms(config::Modality::kAudio, input, targets), input, expected,
          "norm_audio", i);
    model_->update_teachers(momentum_.at(i));
  }

  void compare_state() {
    std::map<std::string, torch::Tensor> state;
    const std::map<std::string, std::string> prefixes = {
        {"student_video.", "student.video."}, {"student_audio.", "student.audio."},
        {"teacher_video.", "teacher.video."}, {"teacher_audio.", "teacher.audio."},
        {"predictor_v2a.", "predictor.v2a."}, {"predictor_a2a.", "predictor.a2a."},
        {"predictor_a2v.", "predictor.a2v."}};
    for (const auto& [name, tensor] : nn::state_dict(*model_)) {
      const auto dot = name.find('.') + 1;
      state[prefixes.at(name.substr(0, dot)) + name.substr(dot)] = tensor;
    }
    for (const auto& [name, summary] : content_.at("state_after").items()) {
      ASSERT_EQ(state.count(name), 1U) << name;
      const bool noise = golden::is_key_bias(name);
      golden::expect_summary(
          state.at(name), summary,
          noise ? tolerance::pretraining::kKeyBiasNorm : tolerance::pretraining::kStateNorm,
          noise ? std::numeric_limits<double>::infinity() : tolerance::pretraining::kStateSum,
          name_ + " " + name);
    }
  }

 private:
  train::NamedTensors named(const std::vector<torch::Tensor>& parameters) {
    train::NamedTensors result;
    for (const auto& item : model_->named_parameters()) {
      for (const auto& parameter : parameters) {
        if (parameter.is_same(item.value())) result.emplace_back(item.key(), parameter);
      }
    }
    return result;
  }

  models::PretrainInput input_of(std::int64_t i) {
    const auto lengths = golden::lengths(content_);
    const auto frames = golden::longest(content_);
    const auto batch = fmt::format("batch{}.", i % 2);
    return {.video = formula::video(salt_, batch + "video", lengths, frames),
            .audio = formula::audio(salt_, batch + "audio", lengths, frames),
            .valid = formula::valid(lengths, frames),
            .masked_video = masks_.at("masked_video")[i],
            .masked_audio = masks_.at("masked_audio")[i]};
  }

  void phase(train::AdamW& optimizer, const std::vector<models::TermOutput>& terms,
             const models::PretrainInput& input, const json& expected, const std::string& norm_name,
             std::int64_t i) {
    torch::Tensor loss;
    for (const auto& term : terms) {
      const auto mean = term.sum / model_->frames_of(term.name, input);
      EXPECT_NEAR(mean.item<double>(), expected.at(term.name).at(0).get<double>(),
                  tolerance::pretraining::kLoss)
          << name_ << " step " << i << " " << term.name;
      loss = loss.defined() ? loss + term.weight * mean : term.weight * mean;
    }
    optimizer.zero_grad();
    loss.backward();
    const auto norm = optimizer.grad_norm();
    const auto expected_norm = expected.at(norm_name).at(0).get<double>();
    EXPECT_NEAR(norm.item<double>(), expected_norm,
                tolerance::pretraining::kGradientNorm * expected_norm)
        << name_ << " step " << i << " " << norm_name;
    optimizer.step(learning_rate_.at(i), norm, torch::zeros({}));
  }

  std::string name_, salt_;
  json content_;
  const weights::TensorFile& masks_;
  models::Raven model_;
  std::optional<train::AdamW> video_, audio_;
  train::LearningRate learning_rate_;
  train::Momentum momentum_;
};

TEST(PretrainingParity, TakesTheStepsOfThePublishedMethod) {
  const auto file = parity::json("pretraining.json");
  const auto masks = parity::tensors("pretraining.safetensors");
  const auto cases = parity::cases(file);
  for (const auto& [name, content] : cases.items()) {
    Replay replay(name, file.at("salt"), content, masks);
    ASSERT_FALSE(content.at("steps").empty()) << name;
    for (std::size_t i = 0; i < content.at("steps").size(); ++i) {
      replay.step(static_cast<std::int64_t>(i));
    }
    replay.compare_state();
  }
}

}  // namespace
}  // namespace raven

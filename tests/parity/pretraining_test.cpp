// Whole pre-training steps against tests/parity/data/pretraining.*.
#include <gtest/gtest.h>

#include "raven/train/pretrain_task.h"
#include "raven/train/updater.h"
#include "support/golden.h"
#include "support/parity_tensors.h"
#include "support/tolerance.h"

namespace raven {
namespace {

using nlohmann::json;

config::PretrainConfig config_of(const json& content) {
  config::PretrainConfig config;
  auto& model = config.model;
  model.encoder = golden::encoder_options(content.at("encoder"));
  const auto predictor = golden::predictor_options(content.at("predictor"));
  model.predictors.of = config::PerLoss(predictor);
  model.predictors.of["v2a"].blocks = content.at("video_predictor_blocks");
  auto& loss = config.loss;
  const auto& weights = content.at("loss_weights");
  for (const char* name : {"v2a", "a2a", "a2v"}) loss.weight[name] = weights.at(name);
  const auto& optimizer = content.at("optimizer");
  config.optimizer.lr = optimizer.at("base_lr");
  config.optimizer.min_lr = optimizer.at("min_lr");
  config.optimizer.beta1 = optimizer.at("betas").at(0);
  config.optimizer.beta2 = optimizer.at("betas").at(1);
  config.optimizer.eps = optimizer.at("eps");
  config.optimizer.weight_decay = optimizer.at("weight_decay");
  config.optimizer.max_grad_norm = optimizer.at("clip");
  auto& teacher = config.teacher;
  teacher.momentum = content.at("base_momentum");
  const auto targets = content.at("targets").get<std::string>();
  if (targets == "mean over blocks, then instance norm") {
    teacher.target = config::TargetKind::kAverageInstanceNorm;
  } else if (targets != "after_norm of the last block") {
    throw std::runtime_error("unknown targets: " + targets);
  }
  return config;
}

train::RunLength length_of(const json& content) {
  const auto& optimizer = content.at("optimizer");
  return {.steps = optimizer.at("total"), .warmup_steps = optimizer.at("warmup")};
}

/// The product's task, with the file's weights and the file's pixels and samples, which are no
/// bytes of a film.
class GoldenTask : public train::PretrainTask {
 public:
  GoldenTask(std::string salt, const json& content, const weights::TensorFile& masks)
      : PretrainTask(config_of(content), torch::kCPU, length_of(content), {}),
        salt_(std::move(salt)),
        content_(content),
        masks_(masks) {
    auto& raven = model();
    const std::map<std::string, torch::nn::Module*> networks = {
        {"video", raven->student_video.get()},
        {"audio", raven->student_audio.get()},
        {"teacher_video", raven->teacher_video.get()},
        {"teacher_audio", raven->teacher_audio.get()},
        {"v2a", raven->predictors["v2a"].get()},
        {"a2a", raven->predictors["a2a"].get()},
        {"a2v", raven->predictors["a2v"].get()}};
    for (const auto& [name, prefix] : content.at("weights_prefixes").items())
      formula::fill(*networks.at(name), salt_, prefix);
  }

  /// Of step `i`; what input_of() gives instead of it is left out.
  [[nodiscard]] data::Batch batch(std::int64_t i) const {
    const auto lengths = golden::lengths(content_);
    const auto rows = std::ssize(lengths), frames = golden::longest(content_);
    data::Batch batch;
    batch.ids.assign(static_cast<std::size_t>(rows), "golden");
    batch.num_frames_of = lengths;
    batch.lengths = torch::tensor(lengths);
    batch.video = torch::zeros({rows, frames, 1, 1}, torch::kUInt8);
    batch.audio = torch::zeros({rows, 1});
    batch.masked_video = masks_.at("masked_video")[i];
    batch.masked_audio = masks_.at("masked_audio")[i];
    batch.index = i;
    return batch;
  }

 protected:
  [[nodiscard]] models::PretrainInput input_of(const data::Batch& batch) const override {
    const auto lengths = golden::lengths(content_);
    const auto frames = golden::longest(content_);
    const auto name = fmt::format("batch{}.", batch.index % 2);
    return {.video = formula::video(salt_, name + "video", lengths, frames),
            .audio = formula::audio(salt_, name + "audio", lengths, frames),
            .valid = formula::valid(lengths, frames),
            .masked_video = batch.masked_video,
            .masked_audio = batch.masked_audio};
  }

 private:
  std::string salt_;
  const json& content_;
  const weights::TensorFile& masks_;
};

/// Trains as the file says, with the product's own step, and compares every step; then the final
/// state.
class Replay {
 public:
  Replay(const std::string& name, const std::string& salt, const json& content,
         const weights::TensorFile& masks)
      : name_(name),
        content_(content),
        task_(salt, content_, masks),
        updater_(task_, config_of(content_).optimizer, length_of(content_), torch::kCPU) {}

  void step(std::int64_t i) {
    const auto& expected = content_.at("steps").at(static_cast<std::size_t>(i));
    const auto rate = expected.at("lr").at(0).get<double>(),
               momentum = expected.at("momentum").at(0).get<double>();
    EXPECT_NEAR(updater_.rates_at(i).at("lr"), rate, 1e-12 + parity::rounding(rate));
    EXPECT_NEAR(task_.settings_at(i).at("momentum"), momentum, 1e-9 + parity::rounding(momentum));
    const auto gradients = updater_.gradients({task_.batch(i)}, {.step = i});
    int compared = 0;
    for (const auto& [value, tensor] : gradients.values) {
      const bool norm = value == "grad_norm_video" || value == "grad_norm_audio";
      const auto key = norm ? value.substr(std::string("grad_").size()) : value;
      if (!expected.contains(key)) continue;
      const auto wanted = expected.at(key).at(0).get<double>();
      EXPECT_NEAR(
          tensor.item<double>(), wanted,
          norm ? tolerance::pretraining::kGradientNorm * wanted : tolerance::pretraining::kLoss)
          << name_ << " step " << i << " " << key;
      ++compared;
    }
    EXPECT_EQ(compared, 5) << "three losses and two norms";
    updater_.apply(gradients);
  }

  void compare_state() {
    std::map<std::string, torch::Tensor> state;
    const std::map<std::string, std::string> prefixes = {
        {"student_video.", "student.video."}, {"student_audio.", "student.audio."},
        {"teacher_video.", "teacher.video."}, {"teacher_audio.", "teacher.audio."},
        {"predictor_v2a.", "predictor.v2a."}, {"predictor_a2a.", "predictor.a2a."},
        {"predictor_a2v.", "predictor.a2v."}};
    for (const auto& [name, tensor] : nn::state_dict(*task_.model())) {
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
  std::string name_;
  json content_;
  GoldenTask task_;
  train::Updater updater_;
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

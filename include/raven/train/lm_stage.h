// Training of a language model as a stage.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "raven/config/lm_config.h"
#include "raven/text/tokenizer.h"
#include "raven/train/lm_text.h"
#include "raven/train/session.h"

namespace raven::train {

class LmStage : public Stage {
 public:
  explicit LmStage(config::LmConfig config) : config_(std::move(config)) {}

  [[nodiscard]] StageSettings settings() const override { return StageSettings::of(config_); }
  void read_data(const torch::Device& device, const data::Share& share) override;
  std::optional<Training> prepare(artifacts::RunFolder& folder, const torch::Device& device,
                                  const std::stop_token& stop) override;

 private:
  config::LmConfig config_;
  std::unique_ptr<text::Tokenizer> tokenizer_;
  LmText text_;
  data::Share share_;
};

}  // namespace raven::train

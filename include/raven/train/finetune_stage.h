// Fine-tuning on labelled clips as a stage.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "raven/config/finetune_config.h"
#include "raven/data/labels.h"
#include "raven/data/manifest.h"
#include "raven/text/tokenizer.h"
#include "raven/train/session.h"

namespace raven::train {

class FinetuneStage : public Stage {
 public:
  explicit FinetuneStage(config::FinetuneConfig config) : config_(std::move(config)) {}

  [[nodiscard]] StageSettings settings() const override { return StageSettings::of(config_); }
  void read_data(const torch::Device& device, const data::Share& share) override;
  std::optional<Training> prepare(artifacts::RunFolder& folder, const torch::Device& device,
                                  const std::stop_token& stop) override;

 private:
  config::FinetuneConfig config_;
  std::unique_ptr<text::Tokenizer> tokenizer_;
  data::LabelledManifest training_, held_out_;
  std::map<std::string, std::string> card_;
  data::Share share_;
};

}  // namespace raven::train

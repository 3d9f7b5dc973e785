// Pre-training on unlabelled clips as a stage.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "raven/config/pretrain_config.h"
#include "raven/data/manifest.h"
#include "raven/train/pretrain_task.h"
#include "raven/train/session.h"

namespace raven::train {

class PretrainStage : public Stage {
 public:
  explicit PretrainStage(config::PretrainConfig config) : config_(std::move(config)) {}

  [[nodiscard]] StageSettings settings() const override { return StageSettings::of(config_); }
  void read_data(const torch::Device& device, const data::Share& share) override;
  std::optional<Training> prepare(artifacts::RunFolder& folder, const torch::Device& device,
                                  const std::stop_token& stop) override;

 private:
  /// What students start from, told in the card; nothing when the run goes on.
  StudentStarts starts(const artifacts::RunFolder& folder);

  config::PretrainConfig config_;
  data::Manifest training_, held_out_;
  std::unique_ptr<BatchSource> source_;
  std::int64_t frames_per_epoch_ = 0;
  std::int64_t num_units_ = 0;  // of the recognition probes; 0: there are none
  std::map<std::string, std::string> card_;
};

}  // namespace raven::train

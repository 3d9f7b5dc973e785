// What `raven plan` tells, for people and for programs.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "raven/artifacts/run_folder.h"
#include "raven/config/run_config.h"
#include "raven/plan/plan.h"
#include "raven/plan/ranks.h"

namespace raven::cli {

/// What measured steps took.
struct Measured {
  double frames_per_s = 0;
  double peak_bytes = 0;    // of the process on a CPU, of tensors on a GPU
  double peak_tensors = 0;  // of tensors
  // For just that: one batch in hand, no loader, no evaluation on held-out clips.
  double estimated_bytes = 0, estimated_tensors = 0;
};

struct PlanFacts {
  std::string stage;
  config::FlatConfig config_values;
  config::Precision precision = config::Precision::kFp32;
  std::int64_t accumulate = 1;
  plan::Data data;
  std::string data_source;  // "data/lrs3/pretrain.tsv and 1 more", "--hours", "not known"
  plan::Hardware hardware;
  std::optional<double> frames_per_s;
  std::string speed_source;
  std::optional<double> shard_bytes;
  plan::Plan needs;
  std::vector<plan::Setting> settings;  // that fit, when this one does not
  std::optional<Measured> measured;
  plan::Exchange exchange;        // between ranks
  std::vector<plan::Link> links;  // over which it may go

  [[nodiscard]] bool fits() const { return needs.memory.total() <= hardware.capacity(); }
};

std::string plan_text(const PlanFacts& facts);
nlohmann::ordered_json plan_json(const PlanFacts& facts);

}  // namespace raven::cli

#include "raven/config/stages.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "raven/config/evaluate_config.h"
#include "raven/config/features_config.h"
#include "raven/config/finetune_config.h"
#include "raven/config/lm_config.h"
#include "raven/config/pretrain_config.h"
#include "raven/config/probe_config.h"
#include "raven/config/selftrain_config.h"
#include "raven/config/transcribe_config.h"
#include "raven/core/error.h"

namespace raven::config {
namespace {

template <class Config>
Stage stage(const std::string& meaning) {
  return {.name = Config::kStage,
          .meaning = meaning,
          .load = [](const std::filesystem::path& file, const std::vector<std::string>& overrides,
                     const LoadOptions& options) {
            auto resolved = config::load<Config>(file, overrides, options);
            auto object = std::make_shared<Config>(std::move(resolved.config));
            return AnyConfig{
                .object = object, .schema = bind(*object), .yaml = std::move(resolved.yaml)};
          }};
}

}  // namespace

const std::vector<Stage>& stages() {
  static const std::vector<Stage> all = {
      stage<PretrainConfig>("pre-training on unlabelled clips"),
      stage<FinetuneConfig>("fine-tuning for recognition"),
      stage<LmConfig>("training of a language model"),
      stage<SelftrainConfig>("rounds of self-training"),
      stage<EvaluateConfig>("decoding and scoring"),
      stage<FeaturesConfig>("encoder features"),
      stage<ProbeConfig>("probes of frozen encoders"),
      stage<TranscribeConfig>("media files to text"),
  };
  return all;
}

std::vector<std::string> all_keys() {
  std::vector<std::string> keys;
  for (const auto& stage : stages()) {
    for (const auto& field : stage.defaults().schema.fields) {
      if (std::find(keys.begin(), keys.end(), field.key) == keys.end()) keys.push_back(field.key);
    }
  }
  return keys;
}

const Stage& stage_named(const std::string& name) {
  std::vector<std::string> names;
  for (const auto& stage : stages()) {
    if (stage.name == name) return stage;
    names.push_back(stage.name);
  }
  throw ConfigError(
      fmt::format("unknown stage '{}', expected one of: {}", name, fmt::join(names, ", ")));
}

const Stage& stage_of(const std::filesystem::path& file,
                      const std::vector<std::string>& overrides) {
  const auto input = detail::read_input(file, overrides);
  const Stage* best = nullptr;
  std::int64_t fewest = 0;
  for (const auto& stage : stages()) {
    const auto unknown = detail::unknown_keys(*input, stage.defaults().schema);
    if (best != nullptr && unknown >= fewest) continue;
    best = &stage;
    fewest = unknown;
  }
  return *best;
}

}  // namespace raven::config

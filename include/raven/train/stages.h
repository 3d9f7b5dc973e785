// The stages of training that there are. A further one is a Stage, its configuration in `config`,
// and a row here.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "raven/config/load.h"
#include "raven/train/session.h"

namespace raven::train {

/// A stage with the configuration that a file and overrides give, and that configuration as YAML.
struct LoadedStage {
  std::unique_ptr<Stage> stage;
  std::string yaml;
};

struct StageKind {
  std::string name;  // of its command: "pretrain"
  /// Throws ConfigError as config::load().
  std::function<LoadedStage(const std::filesystem::path& file,
                            const std::vector<std::string>& overrides)>
      load;
};

/// As config::load().
template <class Config>
using Load = std::function<config::Resolved<Config>(const std::filesystem::path& file,
                                                    const std::vector<std::string>& overrides)>;

template <class Config>
config::Resolved<Config> load_plainly(const std::filesystem::path& file,
                                      const std::vector<std::string>& overrides) {
  return config::load<Config>(file, overrides);
}

/// `StageType` is made from a `Config`, which names the stage.
template <class Config, class StageType>
StageKind stage_kind(const Load<Config>& load = load_plainly<Config>) {
  return {
      .name = Config::kStage,
      .load = [load](const std::filesystem::path& file, const std::vector<std::string>& overrides) {
        auto resolved = load(file, overrides);
        return LoadedStage{.stage = std::make_unique<StageType>(resolved.config),
                           .yaml = std::move(resolved.yaml)};
      }};
}

/// In the order of a study: pre-training first.
const std::vector<StageKind>& stages();

}  // namespace raven::train

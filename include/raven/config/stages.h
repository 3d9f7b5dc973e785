// The kinds of configuration there are: one for each command that runs from a file.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "raven/config/load.h"
#include "raven/config/schema.h"

namespace raven::config {

/// A configuration of any stage; `schema` reaches into an object that lives as long as this.
struct AnyConfig {
  std::shared_ptr<void> object;
  Schema schema;
  std::string yaml;  // resolved
};

struct Stage {
  std::string name;     // of the command: "pretrain"
  std::string meaning;  // "pre-training on unlabelled clips"
  /// Reads a file as load() does; an empty file gives the defaults.
  std::function<AnyConfig(const std::filesystem::path& file,
                          const std::vector<std::string>& overrides, const LoadOptions& options)>
      load;

  [[nodiscard]] AnyConfig defaults() const { return load({}, {}, {.allow_missing = true}); }
};

/// In the order of a study: pre-training first.
const std::vector<Stage>& stages();

/// Every key of every stage, each once.
std::vector<std::string> all_keys();

/// The stage of that name. Throws ConfigError listing the names.
const Stage& stage_named(const std::string& name);

/// The stage that `file` is for: the first that knows all of its keys and all `overrides`, else the
/// one that misses the fewest.
const Stage& stage_of(const std::filesystem::path& file, const std::vector<std::string>& overrides);

}  // namespace raven::config

// Configurations from YAML files and the command line, and back to YAML.
//
//   const auto [config, yaml] = config::load<PretrainConfig>("lrs3.yaml", {"optimizer.lr=1e-3"});
//
// A file may name others under `base:` (one or a list, read first and overridden key by key), refer
// to other keys by `${a.b}` (`$${` is a plain `${`), and leave a value to be given with `???`. What
// it says under `alone:` (keys, a base) holds only where no other file lies below it. An override
// `over=file` lays a further file over what is there.
// Errors are ConfigErrors that name file:line:column, or the override, what was found and what was
// expected.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "raven/config/schema.h"

namespace raven::config {

struct LoadOptions {
  /// Values marked ??? may stay open, and rules across fields are not checked.
  bool allow_missing = false;
  /// `a.b=c` that hold where neither the file nor an override sets the key.
  std::vector<std::string> defaults = {};
};

template <class Config>
struct Resolved {
  Config config;
  std::string yaml;  // every field; reading it again gives the same bytes
};

/// Finds a configuration file: as named, else in the installed configs (see config_folders).
/// ".yaml" may be left out. Throws ConfigError listing the places that were searched and the
/// nearest name.
std::filesystem::path find_config(const std::filesystem::path& name);

/// Whether a file is written to lie over others: it has `alone:`. Throws as load() does.
bool is_ablation(const std::filesystem::path& file);

/// Where bare names are looked up: $RAVEN_CONFIGS, then <program>/../share/raven/configs.
std::vector<std::filesystem::path> config_folders();

namespace detail {

/// What was read, before it is put into a struct: parsed files, merged with the overrides.
struct Input;
struct InputDeleter {
  void operator()(Input* input) const noexcept;
};
using InputHandle = std::unique_ptr<Input, InputDeleter>;

InputHandle read_input(const std::filesystem::path& file,
                       const std::vector<std::string>& overrides);
InputHandle read_input_text(std::string_view text, const std::string& name,
                            const std::vector<std::string>& overrides);

/// Sets the schema's fields from the input. Throws ConfigError with one line for each problem.
void fill(const Input& input, const Schema& schema, const LoadOptions& options);

/// Runs `check` and gives a broken rule the place of the key it names.
void check_rules(const Input& input, const std::function<void()>& check);

/// How many keys of the input the schema does not have; of its files alone, without the overrides.
std::int64_t unknown_keys(const Input& input, const Schema& schema, bool of_files_alone = false);

std::string write_yaml(const Schema& schema);

template <class Config>
Resolved<Config> resolve(const Input& input, const LoadOptions& options) {
  Resolved<Config> resolved;
  const Schema schema = bind(resolved.config);
  fill(input, schema, options);
  if constexpr (requires { resolved.config.check(); }) {
    if (!options.allow_missing) check_rules(input, [&] { resolved.config.check(); });
  }
  resolved.yaml = write_yaml(schema);
  return resolved;
}

}  // namespace detail

/// Reads `file` (looked up by find_config; empty: the defaults) and applies `overrides` in their
/// order: `a.b=c` sets, `+a.b=c` sets what no file has set, `~a.b` goes back to the default.
template <class Config>
Resolved<Config> load(const std::filesystem::path& file,
                      const std::vector<std::string>& overrides = {},
                      const LoadOptions& options = {}) {
  return detail::resolve<Config>(*detail::read_input(file, overrides), options);
}

/// The same for YAML in memory; `name` stands for the file in messages.
template <class Config>
Resolved<Config> load_text(std::string_view text, const std::string& name = "configuration",
                           const std::vector<std::string>& overrides = {},
                           const LoadOptions& options = {}) {
  return detail::resolve<Config>(*detail::read_input_text(text, name, overrides), options);
}

/// Every field of `config` as YAML, numbers in the shortest form that reads back the same.
template <class Config>
std::string to_yaml(const Config& config) {
  Config copy = config;
  return detail::write_yaml(bind(copy));
}

}  // namespace raven::config

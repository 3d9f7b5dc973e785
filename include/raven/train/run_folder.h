// A run's folder: one owner, one configuration, and what is written down at the start.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "raven/config/fields.h"
#include "raven/core/files.h"

namespace raven::train {

/// key.path -> value, as text.
using FlatConfig = std::map<std::string, std::string>;

/// A configuration struct as keys and values, through its own list of fields.
template <class Config>
FlatConfig flatten(const Config& config);

/// Keys whose values differ, without those that a run may change when it goes on: its length, the
/// machine's settings (device, threads, data.workers, data.prefetch), reports and checkpoints. One
/// line each: "optimizer.lr: 0.003 there, 0.001 here".
std::vector<std::string> differences(const FlatConfig& there, const FlatConfig& here);

class RunFolder {
 public:
  /// Creates and locks `dir`. Throws ConfigError naming the owner when another process has it.
  explicit RunFolder(std::filesystem::path dir);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path checkpoints() const { return path_ / "checkpoints"; }

  /// Compares with the configuration that the folder was made with. Throws ConfigError that lists
  /// the differing keys when the folder belongs to another run. Then writes config.yaml,
  /// config.json (keys and values, for the next comparison) and overrides.txt.
  void claim(const FlatConfig& config, const std::string& yaml,
             const std::vector<std::string>& overrides);

  /// Writes environment.json: versions, build, host, and `facts` (device, threads, parameters,
  /// ...).
  void write_environment(const std::map<std::string, std::string>& facts) const;

  /// Adds lines to skipped.tsv ("id<TAB>reason<TAB>message"); an utterance appears once.
  void add_skipped(const std::vector<std::string>& lines);

 private:
  std::filesystem::path path_;
  FolderLock lock_;
  std::set<std::string> skipped_;  // ids written so far
};

namespace detail {

std::string value_text(bool value);
std::string value_text(std::int64_t value);
std::string value_text(double value);
std::string value_text(const std::string& value);

template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};

template <class T>
std::string text_of(const T& value) {
  if constexpr (IsOptional<T>::value) {
    return value ? text_of(*value) : "null";
  } else if constexpr (IsVector<T>::value) {
    std::string text = "[";
    for (const auto& item : value) text += (text.size() > 1 ? ", " : "") + text_of(item);
    return text + "]";
  } else if constexpr (std::is_enum_v<T>) {
    return std::string(config::enum_name(value));
  } else {
    return value_text(value);
  }
}

/// A visitor of fields(), see raven/config/fields.h.
template <class Config>
struct Flattener {
  const Config& config;
  const std::string prefix;
  FlatConfig& out;

  template <class T, class... Rest>
  void field(std::string_view name, T Config::*member, const Rest&...) {
    out[prefix + std::string(name)] = text_of(config.*member);
  }
  template <class T, class... Rest>
  void group(std::string_view name, T Config::*member, const Rest&...) {
    Flattener<T> inner{config.*member, prefix + std::string(name) + ".", out};
    T::fields(inner);
  }
};

}  // namespace detail

template <class Config>
FlatConfig flatten(const Config& config) {
  FlatConfig out;
  detail::Flattener<Config> flattener{config, "", out};
  Config::fields(flattener);
  return out;
}

}  // namespace raven::train

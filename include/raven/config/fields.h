// The words a configuration struct describes itself with.
//
// A struct lists its fields once, in a static `fields(visitor)`; the reader, the command line, the
// resolved config.yaml, `config describe` and configs/REFERENCE.md are visitors over that list:
//
//   v.field("prob", &MaskConfig::prob, between(0, 1), "chance that a frame starts a masked span");
//   v.group("video", &DataConfig::video, "how stored frames become the model's input");
//
// Field types: bool, std::int64_t, double, std::string, enumerations with EnumNames, std::optional
// and std::vector of these. A std::string whose default is kRequired, or a list that holds
// kRequired alone, must be given by the user. Where a list is expected, a single value is a list of
// one.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "raven/core/error.h"

namespace raven::config {

/// A rule across fields that is broken; the reader adds the place where `key` was set.
class RuleError : public ConfigError {
 public:
  RuleError(std::string key, const std::string& message)
      : ConfigError(message), key_(std::move(key)) {}
  [[nodiscard]] const std::string& key() const noexcept { return key_; }

 private:
  std::string key_;
};

/// Default of a field that the user must give; written the same way in YAML.
inline constexpr const char* kRequired = "???";

/// What a number (or each element of a list of numbers) may be.
struct Range {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool low_open = false;   // low itself is not allowed
  bool high_open = false;  // high itself is not allowed

  [[nodiscard]] bool contains(double value) const;
  [[nodiscard]] std::string text() const;  // "a value in [0, 1]", "at least 1", "above 0"
};

inline Range any_number() { return {}; }
inline Range between(double low, double high) { return {.low = low, .high = high}; }
inline Range at_least(double low) { return {.low = low}; }
/// (low, high]
inline Range above_up_to(double low, double high) {
  return {.low = low, .high = high, .low_open = true};
}
inline Range above(double low) { return {.low = low, .low_open = true}; }
inline Range below_one() { return {.low = 0, .high = 1, .high_open = true}; }

/// Specialise for an enumeration: `static constexpr std::pair<Enum, std::string_view> kNames[]`.
template <class Enum>
struct EnumNames;

/// The name of an enumerator, as YAML spells it.
template <class Enum>
std::string_view enum_name(Enum value) {
  for (const auto& [candidate, name] : EnumNames<Enum>::kNames) {
    if (candidate == value) return name;
  }
  return "?";
}

}  // namespace raven::config

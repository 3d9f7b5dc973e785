// A configuration with one field of each kind, for tests of the reader.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "raven/config/load.h"

namespace raven::config {

enum class Colour { kRed, kGreen };
template <>
struct EnumNames<Colour> {
  static constexpr std::pair<Colour, std::string_view> kNames[] = {{Colour::kRed, "red"},
                                                                   {Colour::kGreen, "green"}};
};

struct TinyMask {
  double prob = 0.2;
  std::optional<std::int64_t> length;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("prob", &TinyMask::prob, between(0, 1), "chance that a frame starts a span");
    v.field("length", &TinyMask::length, at_least(1), "frames per span; null: three");
  }
};

struct TinyGroup {
  TinyMask mask;
  bool loud = false;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.group("mask", &TinyGroup::mask, "what is hidden");
    v.field("loud", &TinyGroup::loud, "says more");
  }
};

struct TinyConfig {
  std::string dir = kRequired;
  std::int64_t seed = 42;
  double lr = 3e-3;
  Colour colour = Colour::kRed;
  std::vector<std::int64_t> widths = {64, 128};
  std::vector<std::string> files;
  TinyGroup inner;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("dir", &TinyConfig::dir, "folder of the run");
    v.field("seed", &TinyConfig::seed, at_least(0), "start of random draws");
    v.field("lr", &TinyConfig::lr, above(0), "step size");
    v.field("colour", &TinyConfig::colour, "of the plot");
    v.field("widths", &TinyConfig::widths, between(1, 4096), "channels");
    v.field("files", &TinyConfig::files, "what is read");
    v.group("inner", &TinyConfig::inner, "the rest");
  }
};

/// What load_text says about `text`; empty when it is fine.
inline std::string complaint(const std::string& text,
                             const std::vector<std::string>& overrides = {}) {
  try {
    load_text<TinyConfig>(text, "a.yaml", overrides, {.allow_missing = true});
    return "";
  } catch (const ConfigError& error) {
    return error.what();
  }
}

inline TinyConfig tiny(const std::string& text, const std::vector<std::string>& overrides = {}) {
  return load_text<TinyConfig>(text, "a.yaml", overrides, {.allow_missing = true}).config;
}

}  // namespace raven::config

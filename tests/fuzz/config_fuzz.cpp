// A configuration of foreign bytes, and the same bytes as an override or a sweep: read or refused
// by name; what is read gives a resolved file that reads back to the same bytes, and variants of a
// sweep names that are no paths.
#include <cstdint>
#include <string>
#include <string_view>

#include "raven/config/load.h"
#include "raven/config/pretrain_config.h"
#include "raven/config/sweep_config.h"
#include "raven/core/error.h"

namespace {

using raven::config::load_text;
using raven::config::PretrainConfig;

void read(std::string_view text, const std::vector<std::string>& overrides) {
  const raven::config::LoadOptions with_gaps = {.allow_missing = true};
  std::string yaml;
  try {
    yaml = load_text<PretrainConfig>(text, "fuzz", overrides, with_gaps).yaml;
  } catch (const raven::ConfigError&) {
    return;
  }
  // Nothing is caught here: what was written must be readable.
  if (load_text<PretrainConfig>(yaml, "resolved", {}, with_gaps).yaml != yaml) __builtin_trap();
}

void read_sweep(std::string_view text) {
  try {
    for (const auto& variant : raven::config::read_sweep_text(text, "fuzz").variants) {
      if (variant.name.empty() || variant.name.front() == '.' ||
          variant.name.find('/') != std::string::npos)
        __builtin_trap();
    }
  } catch (const raven::ConfigError&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  // Bases would read other files of the machine.
  if (text.find("base") != std::string_view::npos) return 0;
  read(text, {});
  read("", {std::string(text)});
  read_sweep(text);
  return 0;
}

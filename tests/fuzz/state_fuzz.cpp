#include <cstdint>
#include <string_view>

#include "artifacts/state_file.h"
#include "raven/core/error.h"

/// A checkpoint's state.json, as it is and with a checksum that lets the other keys be read.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view content(reinterpret_cast<const char*>(data), size);
  const auto read = [](std::string_view text) {
    const auto [state, checksums] = raven::artifacts::parse_state(text, "fuzz");
    if (state.step < 0 || state.position.epoch < 0 || state.position.batch < 0) __builtin_trap();
  };
  try {
    read(content);
  } catch (const raven::CheckpointError&) {
  }
  try {
    read(raven::artifacts::with_checksum(content));
  } catch (const raven::CheckpointError&) {
  }
  return 0;
}

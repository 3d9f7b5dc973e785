// The plain kind of WAV file, read in place: 16-bit integers, mono, 16 kHz. libav reads all others.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

namespace raven::data {

/// Samples of such a file, little-endian, inside `bytes`; empty when the file is of another kind,
/// or an unusual one. Throws DataError ("corrupt") when it is cut off or contradicts itself; `name`
/// appears in the message.
std::optional<std::span<const std::byte>> view_pcm16_wave(std::span<const std::byte> bytes,
                                                          const std::string& name);

/// Samples as float32 in [-1, 1); `out` has room for pcm.size() / 2.
void pcm16_to_float(std::span<const std::byte> pcm, float* out);

}  // namespace raven::data

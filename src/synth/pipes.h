// Whole messages through pipes.
#pragma once

#include <array>
#include <cstddef>

namespace raven::synth {

/// Reading end first; closed on exec. Throws SystemError.
void open_pipe(std::array<int, 2>& ends);

/// All `count` bytes, or false at the other side's end. A closed reader gives false, no signal.
bool write_bytes(int descriptor, const void* bytes, std::size_t count) noexcept;
bool read_bytes(int descriptor, void* bytes, std::size_t count) noexcept;

}  // namespace raven::synth

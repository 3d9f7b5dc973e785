// How many processors' worth of time this process can have.
#pragma once

#include <cstdint>
#include <optional>

namespace raven {

/// Processors that this process may run on (its affinity mask), 1 at least.
std::int64_t allowed_processors();

/// The smaller one of `allowed` and the quota of a control group, rounded; 1 at least.
std::int64_t usable_processors(std::int64_t allowed, std::optional<double> quota);

/// The same of this process: as many workers as make sense where nobody says how many.
std::int64_t usable_processors();

/// Threads that read data: as given, else one for each usable processor, `most` at most.
std::int64_t num_readers(std::optional<std::int64_t> given, std::int64_t most);

}  // namespace raven

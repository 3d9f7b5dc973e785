// Ranks of one machine, started by raven itself.
#pragma once

#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

namespace raven::distributed {

/// Starts `count` processes of `program`, which find each other by the variables that torchrun
/// sets, too, and waits for them. A stop is asked of all of them once, also when one has ended
/// otherwise than with 0 and the others, which hear of it, do not end within ten seconds: they may
/// not have met yet. Returns the exit code of the first one that did not end with 0; where it was
/// killed, ExitCode::kStopped. Throws SystemError.
int run_local_ranks(const std::filesystem::path& program, const std::vector<std::string>& arguments,
                    std::int64_t count, const std::stop_token& stop);

/// In a process that run_local_ranks() has started: it is asked to stop when that one is killed.
void end_with_parent();

}  // namespace raven::distributed

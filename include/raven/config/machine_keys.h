// Settings that change how a run works and not what it learns.
#pragma once

#include <string_view>

namespace raven::config {

/// Where a run writes, what it works with (device, threads, ranks, data.workers, data.prefetch),
/// when it reports and when it writes checkpoints.
bool is_of_the_machine(std::string_view key);

}  // namespace raven::config

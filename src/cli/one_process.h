// Commands that do not share their work among ranks.
#pragma once

#include <string>

namespace raven::cli {

/// Throws ConfigError where a launcher has started several processes, each of which would do the
/// whole of `command` and write to the same place.
void require_one_process(const std::string& command);

}  // namespace raven::cli

// What `over=` on the command line does not do.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "raven/config/stages.h"

namespace raven::cli {

/// Warns of each file under `over=` that changes nothing, since what lies below says the same or
/// what comes after says otherwise, and of an ablation under --config, below another file.
void warn_of_idle_overs(const config::Stage& stage, const std::filesystem::path& file,
                        const std::vector<std::string>& overrides);

}  // namespace raven::cli

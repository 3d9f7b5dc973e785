// What runs are called beside each other.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace raven::report {

/// Folder names, longer by their parents as far as they must be to differ; then numbered.
std::vector<std::string> unique_labels(const std::vector<std::filesystem::path>& folders);

/// One name for several runs: what their labels begin with and a star, "prob_0.1-seed_*".
std::string common_label(const std::vector<std::string>& labels);

}  // namespace raven::report

// A run, or several side by side, as one HTML page that needs nothing but itself: no network, no
// other file. Light or dark as the reader's system is; readable on a telephone and on a wide
// screen.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace raven::report {

/// The page about the runs in `folders`. Whatever is missing or damaged
/// in them is said in the page. Text of files is escaped; a content security policy forbids all
/// scripts but the page's own. Throws ConfigError when one is no folder.
std::string page(const std::vector<std::filesystem::path>& folders);

/// page() into `file`, written atomically. Throws SystemError.
void write_page(const std::vector<std::filesystem::path>& folders,
                const std::filesystem::path& file);

}  // namespace raven::report

// Where a file was looked for.
#pragma once

#include <filesystem>
#include <string>

namespace raven {

/// "/data/a.tsv"; of a relative path also where that is:
/// "data/a.tsv (looked for /home/me/data/a.tsv: such paths follow the working folder)".
std::string tried_path(const std::filesystem::path& path);

}  // namespace raven

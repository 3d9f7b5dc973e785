// Links that lead out of the folder of a run.
#pragma once

#include <filesystem>

namespace raven::report {

/// Whether `file` lies below `folder` once all links are followed; false where that cannot be told.
bool lies_below(const std::filesystem::path& folder, const std::filesystem::path& file);

/// Throws DataError when the file or folder is a link that leads out of the folder it lies in: what
/// lies elsewhere is no part of a run, and a page of the run must not show it.
void refuse_link_out(const std::filesystem::path& file);

}  // namespace raven::report

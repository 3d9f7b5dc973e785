// Which folders this process has locked.
#pragma once

#include <filesystem>

namespace raven {

/// `folder`, or one above it, is held by a FolderLock of this process (or of the one it was forked
/// from).
bool is_owned(const std::filesystem::path& folder);

}  // namespace raven

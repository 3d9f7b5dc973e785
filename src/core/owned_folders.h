// Which folders this process has locked, and where there are no locks.
#pragma once

#include <filesystem>

namespace raven {

/// `folder`, or one above it, is held by a FolderLock of this process (or of the one it was forked
/// from).
bool is_owned(const std::filesystem::path& folder);

/// What the system says of a lock that the file system does not have. On network file systems a
/// folder's descriptor, which cannot be opened for writing, takes none; some have no locks at all.
bool has_no_locks(int code);

}  // namespace raven

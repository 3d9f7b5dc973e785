// A folder takes the name of another one.
#pragma once

#include <filesystem>
#include <functional>

namespace raven::artifacts {

/// Endings of a checkpoint's name while it is written, while it makes room for another of its step
/// and while it is removed. A folder of such a name may be whole.
inline constexpr const char* kNewEnding = ".tmp";
inline constexpr const char* kReplacedEnding = ".replaced.tmp";
inline constexpr const char* kRemovedEnding = ".old.tmp";

/// Swaps two names in one step. False where kernel or file system cannot (NFS, some FUSE); throws
/// SystemError when it could but does not.
bool exchange_names(const std::filesystem::path& a, const std::filesystem::path& b);

using Exchange =
    std::function<bool(const std::filesystem::path& a, const std::filesystem::path& b)>;

/// `fresh` becomes `folder`. What was there is afterwards called `fresh`, or, where names cannot be
/// exchanged, `<folder>.replaced.tmp`: then there is a moment at which both are whole but neither
/// has the name, which CheckpointFolder mends when it is opened. Throws SystemError; `folder` is
/// then what it was.
void replace_folder(const std::filesystem::path& fresh, const std::filesystem::path& folder,
                    const Exchange& exchange = exchange_names);

}  // namespace raven::artifacts

// Text files line by line, in little memory whatever they hold.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>

namespace raven::report {

/// Calls `see` for each line, without its end. Lines of more than `max_bytes` are left out and
/// counted in the result; `see` may stop the reading by giving false. Throws SystemError when the
/// file cannot be opened or read.
std::int64_t for_each_line(const std::filesystem::path& file, std::size_t max_bytes,
                           const std::function<bool(std::string_view)>& see);

}  // namespace raven::report

// Pixels -> PNG.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace raven::media {

/// A whole PNG file. `pixels` is H x W (channels = 1, grey) or H x W x 3 (channels = 3, RGB),
/// row-major. The same pixels give the same bytes.
std::string encode_png(std::span<const std::uint8_t> pixels, std::int64_t height,
                       std::int64_t width, std::int64_t channels);

}  // namespace raven::media

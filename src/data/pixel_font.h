// A few words in a picture: ASCII letters of 5 x 7 pixels. A library for it would bring X11, GLX
// and LAPACK (OpenCV), or a font to be found at run time (FreeType).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace raven::data {

inline constexpr std::int64_t kGlyphWidth = 5, kGlyphHeight = 7, kGlyphAdvance = 6;  // pixels

using SetPixel = std::function<void(std::int64_t y, std::int64_t x)>;

/// Calls `set` for each pixel of `text` (UTF-8), from its top left corner on. Letters beyond ASCII
/// are drawn as ?.
void draw_text(std::string_view text, const SetPixel& set);

/// `text`, or its end behind two dots when it is wider than `width` pixels: ids differ at their
/// ends.
std::string end_that_fits(std::string_view text, std::int64_t width);

}  // namespace raven::data

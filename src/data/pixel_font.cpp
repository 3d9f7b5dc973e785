#include "data/pixel_font.h"

#include <array>
#include <cstdint>

#include "raven/core/utf8.h"

namespace raven::data {
namespace {

// From blank to ~: 7 rows of 5 pixels, from the top left one in bit 34 to the last in bit 0.
constexpr std::array<std::uint64_t, 95> kGlyphs = {
    0x000000000, 0x108421004, 0x294000000, 0x295f57d4a, 0x11f4717c4, 0x672222273, 0x32544564d,
    0x108000000, 0x088842082, 0x208210888, 0x009575480, 0x0084f9080, 0x000003088, 0x0000f8000,
    0x00000018c, 0x042222210, 0x3a33ae62e, 0x11842108e, 0x3a213221f, 0x3a213062e, 0x08ca97c42,
    0x7e1e0862e, 0x1910f462e, 0x7c2222108, 0x3a317462e, 0x3a317844c, 0x018c03180, 0x018c03088,
    0x088882082, 0x001f07c00, 0x208208888, 0x3a2131004, 0x3a37ada0e, 0x3a31fc631, 0x7a31f463e,
    0x3a308422e, 0x7a318c63e, 0x7e10f421f, 0x7e10f4210, 0x3a30bc62f, 0x4631fc631, 0x38842108e,
    0x1c4210a4c, 0x4654c5251, 0x42108421f, 0x4775ac631, 0x4739ace71, 0x3a318c62e, 0x7a31f4210,
    0x3a318d64d, 0x7a31f5251, 0x3e107043e, 0x7c8421084, 0x46318c62e, 0x46318c544, 0x4631ad771,
    0x462a22a31, 0x462a21084, 0x7c222221f, 0x39084210e, 0x420820821, 0x38421084e, 0x115100000,
    0x00000001f, 0x208000000, 0x000e0be2f, 0x421e8c63e, 0x000e8420e, 0x042f8c62f, 0x000e8fe0e,
    0x1908f2108, 0x000f8bc2e, 0x421e8c631, 0x100c2108e, 0x080610a4c, 0x4212a6292, 0x30842108e,
    0x001aad6b5, 0x001e8c631, 0x000e8c62e, 0x001e8fa10, 0x000f8bc21, 0x0016cc210, 0x000f8383e,
    0x211e42126, 0x00118c62f, 0x00118c544, 0x0011ad6aa, 0x001151151, 0x00118bc2e, 0x001f1111f,
    0x190882106, 0x108421084, 0x30420884c, 0x0008a8800,
};

std::uint64_t glyph_of(char32_t code) {
  return kGlyphs[code >= 0x20 && code < 0x7F ? code - 0x20 : U'?' - 0x20];
}

}  // namespace

void draw_text(std::string_view text, const SetPixel& set) {
  for (std::int64_t left = 0; !text.empty(); left += kGlyphAdvance) {
    const auto glyph = glyph_of(take_character(text).code);
    for (std::int64_t bit = 0; bit < kGlyphHeight * kGlyphWidth; ++bit) {
      if ((glyph >> (kGlyphHeight * kGlyphWidth - 1 - bit) & 1) != 0)
        set(bit / kGlyphWidth, left + bit % kGlyphWidth);
    }
  }
}

std::string end_that_fits(std::string_view text, std::int64_t width) {
  const auto most = width / kGlyphAdvance;
  std::int64_t count = 0;
  for (auto rest = text; !rest.empty(); ++count) take_character(rest);
  if (count <= most) return std::string(text);
  constexpr std::string_view kCut = "..";
  for (; count > 0 && count + std::ssize(kCut) > most; --count) take_character(text);
  return std::string(kCut) + std::string(text);
}

}  // namespace raven::data

// How the grey of mouth crops is made from a video's colours.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace raven::corpus {

/// kLuma:      the video's own luma is cropped
/// kPublished: colour as OpenCV reads it is cropped, then weighed and rounded
/// kColour:    crops are stored in colour, as published lists have them, and weighed without
///             rounding whenever they are read
enum class Grey { kLuma, kPublished, kColour };

/// "luma", "published", "colour"; empty for another name.
std::optional<Grey> grey_of(std::string_view name);
std::string_view name_of(Grey grey);

/// Weights of the published transform, of levels from 0 to 255. They sum to 0.9999.
struct GreyWeights {
  static constexpr double kRed = 0.2989, kGreen = 0.587, kBlue = 0.114;
  static constexpr double kSum = kRed + kGreen + kBlue;
};

/// 0.2989 R + 0.587 G + 0.114 B, rounded half up, of as many pixels (R, G, B one after another) as
/// `grey` has.
void published_grey(std::span<const std::uint8_t> rgb, std::span<std::uint8_t> grey);

/// The same of one pixel without rounding, as the level of the grey picture (R = G = B) that the
/// published transform takes for it.
float grey_level(const std::uint8_t* rgb);

}  // namespace raven::corpus

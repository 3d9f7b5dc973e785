#include "raven/corpus/grey.h"

#include <array>
#include <utility>

#include "raven/core/error.h"

namespace raven::corpus {
namespace {

constexpr std::array<std::pair<Grey, std::string_view>, 3> kNames = {
    {{Grey::kLuma, "luma"}, {Grey::kPublished, "published"}, {Grey::kColour, "colour"}}};

}  // namespace

std::optional<Grey> grey_of(std::string_view name) {
  for (const auto& [grey, known] : kNames) {
    if (known == name) return grey;
  }
  return std::nullopt;
}

std::string_view name_of(Grey grey) { return kNames[static_cast<std::size_t>(grey)].second; }

void published_grey(std::span<const std::uint8_t> rgb, std::span<std::uint8_t> grey) {
  RAVEN_CHECK(rgb.size() == 3 * grey.size(), "{} bytes of colour, {} of grey", rgb.size(),
              grey.size());
  const auto* in = rgb.data();
  for (auto& level : grey) {
    // The weights in ten-thousandths: exact, so that rounding is too.
    level = static_cast<std::uint8_t>((2989 * in[0] + 5870 * in[1] + 1140 * in[2] + 5000) / 10000);
    in += 3;
  }
}

float grey_level(const std::uint8_t* rgb) {
  if (rgb[0] == rgb[1] && rgb[1] == rgb[2]) return rgb[0];  // exact, as in a list of grey crops
  return static_cast<float>(
      (GreyWeights::kRed * rgb[0] + GreyWeights::kGreen * rgb[1] + GreyWeights::kBlue * rgb[2]) /
      GreyWeights::kSum);
}

}  // namespace raven::corpus

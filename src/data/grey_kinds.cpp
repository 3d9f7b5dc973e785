#include "raven/data/grey_kinds.h"

#include "raven/core/error.h"

namespace raven::data {

GreyKinds grey_kinds(const Manifest& manifest) {
  GreyKinds kinds;
  for (const auto& utterance : manifest.utterances) {
    if (utterance.video.empty()) continue;
    ++(utterance.grey == corpus::Grey::kLuma ? kinds.luma : kinds.published);
  }
  return kinds;
}

std::string tell_mixed_grey(const Manifest& manifest) {
  const auto [luma, published] = grey_kinds(manifest);
  if (luma == 0 || published == 0) return {};
  return fmt::format(
      "{}: {} clips have published grey and {} luma, which is some 1.4 levels lighter; prepare all "
      "of them with the same --grey",
      manifest.names(), published, luma);
}

std::string tell_luma(const Manifest& manifest, const std::string& model) {
  const auto [luma, published] = grey_kinds(manifest);
  if (luma == 0) return {};
  return fmt::format(
      "{}: {} of {} clips are luma, some 1.4 levels lighter than the grey that the published "
      "weights {} learned from; `raven prepare --grey published` makes that",
      manifest.names(), luma, luma + published, model);
}

}  // namespace raven::data

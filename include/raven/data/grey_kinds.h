// Which kinds of grey the clips of a list have: networks see them a little lighter or darker.
#pragma once

#include <cstdint>
#include <string>

#include "raven/data/manifest.h"

namespace raven::data {

/// Clips with pictures; those in colour count as published.
struct GreyKinds {
  std::int64_t luma = 0, published = 0;
};

GreyKinds grey_kinds(const Manifest& manifest);

/// One line where `manifest` has both kinds; empty otherwise.
std::string tell_mixed_grey(const Manifest& manifest);

/// One line where `model`, whose weights learned from published grey, is to see clips that are
/// luma; empty otherwise.
std::string tell_luma(const Manifest& manifest, const std::string& model);

}  // namespace raven::data

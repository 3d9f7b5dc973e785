// "did you mean": the known word nearest to a mistyped one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace raven::config {

/// The only word that goes on from this one with a '_', else the one with the fewest changed,
/// added, dropped or swapped letters; empty when none is near enough to be meant (more than a third
/// of the letters differ).
std::string nearest(std::string_view word, const std::vector<std::string>& known);

/// nearest() as the end of a message: "; did you mean 'mask.prob'?" or nothing.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& known);

}  // namespace raven::config

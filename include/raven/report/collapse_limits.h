// From where on the log and the report call a run collapsing (docs/monitoring.md).
#pragma once

namespace raven::report {

/// Of the first spread: targets below it may be collapsing.
inline constexpr double kLeastShareOfSpread = 0.5;
/// Over a constant prediction: below it nothing was learnt.
inline constexpr double kLeastGain = 0.02;
/// In R² of a linear probe since before training: below it features tell no more than then.
inline constexpr double kLeastProbeRise = 0.02;
/// Unit vectors with this spread have a mean cosine of 0.995 to their mean direction.
inline constexpr double kLeastPredictionSpread = 0.1;

}  // namespace raven::report

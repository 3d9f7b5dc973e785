// Curves of a run as one SVG image: every number that it reports, on the panels of metric_names.h.
#pragma once

#include <filesystem>

namespace raven::report {

/// Draws the numbers of `metrics` (a metrics.jsonl) into `svg`, written atomically; lines that are
/// no JSON objects are left out. Does nothing without metrics. Throws SystemError.
void write_curves(const std::filesystem::path& metrics, const std::filesystem::path& svg);

}  // namespace raven::report

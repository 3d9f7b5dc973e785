// Curves of a run as one SVG image: the numbers that it reports, on the panels of metric_names.h.
#pragma once

#include <filesystem>

namespace raven::report {

/// Draws the numbers of `metrics` (a metrics.jsonl) into `svg`, written atomically; lines that are
/// no JSON objects are left out, and so are numbers that have no panel (`epoch`) and counts of
/// skipped utterances that stay 0. Does nothing without metrics. Throws SystemError when they
/// cannot be read or the image cannot be written.
void write_curves(const std::filesystem::path& metrics, const std::filesystem::path& svg);

}  // namespace raven::report

// GRID's sentences and alignment files (Cooke et al., JASA 120, 2006).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "raven/corpus/transcript.h"

namespace raven::corpus {

/// The sentence that a file's name stands for: "brbk7n" is "bin red by k seven now"; empty for
/// another name.
std::optional<std::string> grid_sentence(std::string_view name);

/// An .align file: lines of start, end (25,000 units a second) and word; silences (sil, sp) are no
/// words. Throws DataError ("text") with the line that is none.
Transcript parse_align(std::string_view content, const std::string& name);

}  // namespace raven::corpus

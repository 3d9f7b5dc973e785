// A picture of what the models see.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "raven/data/modality.h"
#include "raven/data/sample.h"

namespace raven::data {

struct ContactSheetOptions {
  std::int64_t rows = 8;      // utterances
  std::int64_t columns = 16;  // frames of each, one after another, from its middle
  std::string how = {};       // the legend's first line: how the clips were cut
  std::map<std::string, Modalities> found = {};  // of ids; ids that are not named have both
};

/// Red, green and blue, row-major: H x W x 3.
struct Picture {
  std::int64_t height = 0, width = 0;
  std::vector<std::uint8_t> pixels;
};

/// A legend, and the first utterances of `batches`. Of each: its number and id; frames after crop
/// and flip, those that the video student does not see darkened and framed in red; below them a
/// strip that is red where the audio student does not hear and green where it does (no strip where
/// no masks were drawn); below that the waveform, scaled to the clip's peak. What an utterance
/// lacks is said in its place. Letters beyond ASCII are written as ?.
Picture contact_sheet(std::span<const Batch> batches, const ContactSheetOptions& options = {});

}  // namespace raven::data

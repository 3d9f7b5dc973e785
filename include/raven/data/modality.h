// Which of pictures and sound an utterance has, and which a command needs.
#pragma once

#include <string_view>

#include "raven/data/manifest.h"

namespace raven::data {

struct Modalities {
  bool video = false, audio = false;
  bool operator==(const Modalities&) const = default;
};

/// As far as the list tells. Of a film without a file for its sound it does not: its own track
/// counts as sound here, SampleReader::modalities() looks for it.
Modalities listed_modalities(const Utterance& utterance);

/// Throws ConfigError naming the place of the first utterance that lacks what `needed` says, and
/// how many others do. Of films without a file for their sound, some are opened to see whether they
/// have a track. `who`: "raven pretrain", who needs it.
void require_modalities(const Manifest& manifest, Modalities needed, std::string_view who);

}  // namespace raven::data

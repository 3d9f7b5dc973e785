// Which prepared utterances are for validation: once drawn, it is kept.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "raven/corpus/source_clip.h"
#include "raven/data/manifest.h"

namespace raven::data {

/// The part of a subset that is named here is for validation; what is prepared later joins it where
/// it belongs to it (a new clip of a speaker), and nothing ever leaves it.
struct ValidationFold {
  std::string from;                       // the subset; empty: clips of plain folders
  std::int64_t wanted = 0;                // utterances, as --hold-out says; 0: auto
  bool held_out = false;                  // the list of the subset does not have them
  std::set<std::string> speakers, clips;  // by whole speakers, or by single clips

  /// `clip`: the id of the clip that the utterance is, or is a piece of.
  [[nodiscard]] bool holds(const Utterance& utterance, const std::string& clip) const;

  [[nodiscard]] nlohmann::ordered_json to_json() const;
  /// Empty when that is none.
  static std::optional<ValidationFold> from_json(const nlohmann::ordered_json& json);
};

/// The subset that clips for validation are taken from: LRS3's trainval, VoxCeleb2's dev, or plain
/// folders; empty when there is no such clip, or LRS2, which has a subset for validation.
std::optional<std::string> validation_subset(const std::vector<corpus::SourceClip>& clips);

/// The id of the clip that an utterance is, or is a piece of.
using ClipOf = std::function<std::string(const std::string& utterance)>;

/// Draws `fold.wanted` (auto: 1,200 of LRS3, as published, elsewhere a tenth) of the utterances of
/// fold.from, at most a tenth (of two to nine, one), by a hash of speakers or ids: their order
/// changes nothing. Whole speakers are taken as long as they fit; where they would give less than
/// half, single clips. Returns the number; 0: there are no two, and nothing is drawn.
std::int64_t draw(ValidationFold& fold, const std::vector<Utterance>& utterances,
                  const ClipOf& clip_of);

}  // namespace raven::data

// Remarks on a clip that can be used: what was repaired or is unusual.
#pragma once

#include <string>
#include <string_view>

#include "raven/corpus/clip_preparation.h"
#include "raven/media/audio_reader.h"

namespace raven::corpus {

/// Remarks on a clip, in words of our own: no names or texts of others.
class Remarks {
 public:
  void add(const std::string& remark) { text_ += (text_.empty() ? "" : "; ") + remark; }
  [[nodiscard]] const std::string& text() const { return text_; }

  Conversions conversions;

 private:
  std::string text_;
};

/// `kind` is "video" or "sound", `parts` what its damage is counted in.
void remark_on_track(const media::TrackChoice& track, const media::Damage& damage,
                     std::string_view kind, std::string_view parts, Remarks& remarks);

/// Its track, damage and channels, its rate, and what the clock of its file did to it.
void remark_on_sound(const media::AudioSamples& audio, Remarks& remarks);

}  // namespace raven::corpus

// When decoded blocks of sound are heard -> one waveform with silence where something is missing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "raven/media/audio_reader.h"
#include "raven/media/media.h"

namespace raven::media {

/// What laying sound out by its times did, in samples at 16 kHz.
struct SoundPlacement {
  std::int64_t silence_before = 0;  // the sound began after the origin
  std::int64_t cut_before = 0;      // and before it
  std::int64_t filled = 0;          // silence put into holes
  std::int64_t overlapping = 0;     // left out: more sound than there is time for
  std::vector<SampleRange> heard;   // of the result, which is silent elsewhere; sorted
};

/// Blocks follow each other in a stream, and most containers also say when each one is heard. The
/// two differ by a constant as long as nothing is missing. Where the difference changes by more
/// than kTolerance_s, and stays there for kPersistence_s, sound was lost (or is there twice): times
/// rounded to a millisecond, or given for every other block, move nothing, and since the difference
/// is to the stream's beginning, nothing adds up either.
class SoundTimeline {
 public:
  static constexpr double kTolerance_s = 0.010;
  static constexpr double kPersistence_s = 0.1;

  /// A block at `position_s` of the sound as decoded is heard at `time_s`.
  void add(double position_s, double time_s);
  /// No more blocks come.
  void finish();

  /// When the first sample is heard; empty when no block had a time.
  [[nodiscard]] std::optional<double> start_s() const;

  /// Lays out samples at 16 kHz. The result's first sample is heard at `origin_s`, or is the first
  /// of all. Throws MediaError ("too-large") before it takes memory beyond the limits.
  SoundPlacement place(std::vector<float>& samples, std::optional<double> origin_s,
                       const Limits& limits, const std::string& name) const;

 private:
  struct Mark {
    double position_s, offset_s;  // time minus position
  };

  void accept();

  std::vector<Mark> runs_;     // each begins at a position and has one offset
  std::vector<Mark> pending_;  // blocks that are off, all to the same side
};

}  // namespace raven::media

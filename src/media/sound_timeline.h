// When decoded blocks of sound are heard -> one waveform with silence where something is missing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
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
  friend class SoundLayout;
  struct Mark {
    double position_s, offset_s;  // time minus position
  };

  void accept();

  std::vector<Mark> runs_;     // each begins at a position and has one offset
  std::vector<Mark> pending_;  // blocks that are off, all to the same side
};

/// Where decoded samples go in a waveform that begins at `origin_s`, one part after another, as
/// soon as it is certain. Read as a stream, a file without any time counts as gapless after ten
/// seconds.
class SoundLayout {
 public:
  /// Samples [from, to) go to `at`; before that is silence from the end of the part before.
  struct Part {
    std::int64_t from = 0, to = 0, at = 0;
  };

  /// Empty origin_s: when the first sample is heard.
  SoundLayout(std::optional<double> origin_s, const Limits& limits, std::string name)
      : origin_s_(origin_s), limits_(limits), name_(std::move(name)) {}

  /// The next part of what is settled among the first `num_decoded` samples; empty when there is
  /// none, or while the timeline has no time yet and may still get one. Throws MediaError
  /// ("too-large") for one beyond the limits.
  std::optional<Part> next(const SoundTimeline& timeline, std::int64_t num_decoded, bool finished);

  [[nodiscard]] std::int64_t end() const { return end_; }  // of the waveform so far
  /// Decoded samples that next() will not come back to.
  [[nodiscard]] std::int64_t taken() const { return taken_; }
  [[nodiscard]] const SoundPlacement& placement() const { return placement_; }

 private:
  std::optional<Part> next_of_run(const SoundTimeline& timeline, std::int64_t to);
  void place(Part& part);
  [[noreturn]] void throw_too_long() const;

  std::optional<double> origin_s_;
  Limits limits_;
  std::string name_;
  SoundPlacement placement_;
  std::int64_t end_ = 0, taken_ = 0;  // samples of the waveform; decoded ones that were dealt with
  std::size_t run_ = 0;
  std::optional<std::int64_t> shift_;     // of this run
  std::optional<std::size_t> heard_run_;  // of the last part that is heard
  bool without_times_ = false;
};

}  // namespace raven::media

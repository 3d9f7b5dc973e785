// Long sound -> pieces that a recognizer takes, cut where nobody speaks.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "raven/config/transcribe_config.h"

namespace raven::transcription {

/// Frames [begin, end), 25 a second.
struct Cut {
  std::int64_t begin = 0, end = 0;
  /// It begins before the end of the piece before it: both are windows of one stretch without any
  /// silence, and their words are joined (join_windows).
  bool overlaps = false;
  std::vector<bool> silent = {};  // in which of its frames nothing is heard; empty: unknown
  bool operator==(const Cut&) const = default;
};

/// Sound in order, in stretches of any length, -> pieces in order. Where the sound is silent for
/// CutConfig::pause_s a piece ends; the rest of the silence is left out. A stretch that would
/// become longer than max_s is cut in its longest shorter silence, or, where there is none, into
/// windows that overlap. The same samples give the same pieces, in whatever stretches they come.
/// See docs/transcription.md for the levels. Memory holds the levels of a minute.
class SoundCutter {
 public:
  explicit SoundCutter(const config::CutConfig& config);

  void add(std::span<const float> samples);  // mono at 16 kHz
  void finish();                             // no more come

  /// The next piece that is certain.
  std::optional<Cut> next();
  /// No piece that is still to come begins before this frame.
  [[nodiscard]] std::int64_t needed_from() const;

 private:
  void add_hop(double power);
  void add_level();
  void settle();
  void flag_block();
  void find_sound();
  [[nodiscard]] std::optional<std::int64_t> next_sound(std::int64_t from) const;
  [[nodiscard]] std::int64_t num_sounding(std::int64_t from, std::int64_t to) const;
  std::optional<Cut> follow(std::int64_t first);
  std::optional<Cut> end_in_silence(std::int64_t begin, std::int64_t silence);
  std::optional<Cut> cut_long(std::int64_t begin);
  Cut piece(std::int64_t begin, std::int64_t end);
  void forget();

  /// Values of hops of 10 ms, of which the oldest are forgotten.
  template <class T>
  struct Track {
    std::deque<T> values;
    std::int64_t first = 0;

    [[nodiscard]] std::int64_t end() const { return first + std::ssize(values); }
    [[nodiscard]] T at(std::int64_t hop) const {
      return values[static_cast<std::size_t>(hop - first)];
    }
    void forget(std::int64_t before);
  };

  std::int64_t max_, pause_, pad_, overlap_;  // in hops
  std::vector<float> rest_;                   // samples of a hop that is not whole
  float last_ = 0;                            // sample
  std::int64_t num_samples_ = 0;
  Track<double> powers_, levels_db_;
  Track<std::uint8_t> flags_;     // kWeak, kStrong
  Track<std::uint8_t> sounding_;  // whether a hop is sound
  std::int64_t from_ = 0;         // the next piece begins here or later
  std::int64_t silent_from_ = 0;  // where the silence before it begins
  std::int64_t last_end_ = 0;     // of the last piece
  bool goes_on_ = false;          // the next piece is a further window of a long stretch
  bool finished_ = false;
};

}  // namespace raven::transcription

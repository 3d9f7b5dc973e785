// Frames of any rate -> 25 a second.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "media/av.h"
#include "raven/media/media.h"

namespace raven::media {

/// Pictures a second; more is a file made to keep the decoder busy.
inline constexpr double kMaxInputRateHz = 1000;

/// Says which input frame is shown at each tick. All arithmetic is exact. The rule: output frame k
/// shows the last input frame that starts at or before (k + 1/2) / 25 s, counted from the start of
/// the first; the number of output frames is the duration times 25, rounded, and at least 1.
class FrameClock {
 public:
  /// `nominal_rate` (frames a second, {0, 1} when unknown) fills in for missing times.
  FrameClock(AVRational time_base, AVRational nominal_rate, const Limits& limits, std::string name);

  /// Places the next input frame; `time` may be AV_NOPTS_VALUE and `duration` 0, both in units of
  /// the time base. A time that is not after the one before counts as missing. Returns the frame's
  /// start, the first frame's being 0. Throws MediaError ("too-large") beyond the duration or rate
  /// allowed.
  std::int64_t add(std::int64_t time, std::int64_t duration);

  /// True when a frame that starts at `start` is shown by output frame `k` or an earlier one.
  [[nodiscard]] bool starts_by(std::int64_t start, std::int64_t k) const;
  /// The first frame's time as the container has it; empty while no frame's time is known.
  [[nodiscard]] std::optional<double> first_time_s() const;
  /// Number of output frames, once the last input frame was added.
  [[nodiscard]] std::int64_t num_output_frames() const;

 private:
  void check(std::int64_t start) const;
  [[noreturn]] void impossible_times() const;

  AVRational time_base_;
  std::int64_t nominal_duration_;
  double max_duration_s_;
  std::string name_;
  std::int64_t num_frames_ = 0;
  std::optional<std::int64_t> first_time_;
  std::int64_t last_start_ = 0, last_duration_ = 0, last_step_ = 0;
};

}  // namespace raven::media

#include "media/frame_clock.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "raven/core/error.h"

namespace raven::media {
namespace {

constexpr AVRational kTick = {1, static_cast<int>(kFrameRateHz)};
constexpr AVRational kHalfTick = {1, 2 * static_cast<int>(kFrameRateHz)};

}  // namespace

FrameClock::FrameClock(AVRational time_base, AVRational nominal_rate, const Limits& limits,
                       std::string name)
    : time_base_(time_base), max_duration_s_(limits.max_duration_s), name_(std::move(name)) {
  if (time_base_.num <= 0 || time_base_.den <= 0) time_base_ = kTick;
  const bool known = nominal_rate.num > 0 && nominal_rate.den > 0;
  const auto frame = known ? av_inv_q(nominal_rate) : kTick;
  nominal_duration_ = std::max<std::int64_t>(av_rescale_q(1, frame, time_base_), 1);
}

std::int64_t FrameClock::add(std::int64_t time, std::int64_t duration) {
  // Streams of fields may state half of rate and duration; the last step that was seen tells.
  const auto expected =
      last_start_ + std::max(last_duration_, std::min(2 * nominal_duration_, last_step_));
  std::int64_t start = expected;
  if (time != AV_NOPTS_VALUE && !first_time_) {
    if (__builtin_sub_overflow(time, expected, &first_time_.emplace())) impossible_times();
  } else if (time != AV_NOPTS_VALUE) {
    if (__builtin_sub_overflow(time, *first_time_, &start)) impossible_times();
    if (start <= last_start_) start = expected;
    last_step_ = start - last_start_;
  }
  ++num_frames_;
  check(start);
  last_duration_ = std::min(duration > 0 ? duration : nominal_duration_,
                            std::numeric_limits<std::int64_t>::max() - start);
  last_start_ = start;
  check(last_start_ + last_duration_);
  return start;
}

void FrameClock::impossible_times() const {
  throw MediaError(fmt::format("{}: impossible frame times", name_));
}

std::optional<double> FrameClock::first_time_s() const {
  if (!first_time_) return std::nullopt;
  return static_cast<double>(*first_time_) * av_q2d(time_base_);
}

void FrameClock::check(std::int64_t start) const {
  const double elapsed_s = static_cast<double>(start) * av_q2d(time_base_);
  if (elapsed_s > max_duration_s_ + 1) {
    throw MediaError(
        fmt::format("{}: lasts more than the {:.0f} s allowed", name_, max_duration_s_),
        "too-large");
  }
  if (static_cast<double>(num_frames_) > (elapsed_s + 1) * kMaxInputRateHz) {
    throw MediaError(fmt::format("{}: more than {:.0f} frames a second", name_, kMaxInputRateHz),
                     "too-large");
  }
}

bool FrameClock::starts_by(std::int64_t start, std::int64_t k) const {
  return av_compare_ts(start, time_base_, 2 * k + 1, kHalfTick) <= 0;
}

std::int64_t FrameClock::num_output_frames() const {
  if (num_frames_ == 0) return 0;
  const auto rounded = av_rescale_q(last_start_ + last_duration_, time_base_, kTick);
  return std::max<std::int64_t>(rounded, 1);
}

}  // namespace raven::media

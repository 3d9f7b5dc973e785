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
  const auto expected = last_start_ + last_duration_;
  std::int64_t start = expected;
  if (num_frames_ == 0) {
    first_time_ = time == AV_NOPTS_VALUE ? 0 : time;
    start = 0;
  } else if (time != AV_NOPTS_VALUE) {
    if (__builtin_sub_overflow(time, first_time_, &start)) {
      throw MediaError(fmt::format("{}: impossible frame times", name_));
    }
    if (start <= last_start_) start = expected;
  }
  ++num_frames_;
  check(start);
  last_duration_ = std::min(duration > 0 ? duration : nominal_duration_,
                            std::numeric_limits<std::int64_t>::max() - start);
  last_start_ = start;
  check(last_start_ + last_duration_);
  return start;
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

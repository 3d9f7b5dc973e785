#include "media/sound_timeline.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "raven/core/error.h"

namespace raven::media {

void SoundTimeline::add(double position_s, double time_s) {
  const Mark mark{position_s, time_s - position_s};
  if (runs_.empty()) {
    runs_.push_back(mark);
    return;
  }
  const auto off_s = [&](const Mark& other) { return other.offset_s - runs_.back().offset_s; };
  if (std::fabs(off_s(mark)) <= kTolerance_s) {
    pending_.clear();
    return;
  }
  if (!pending_.empty() && (off_s(mark) > 0) != (off_s(pending_.front()) > 0)) pending_.clear();
  pending_.push_back(mark);
  if (position_s - pending_.front().position_s >= kPersistence_s) accept();
}

/// So shortly before the end, only what is far off is believed.
void SoundTimeline::finish() {
  while (!pending_.empty()) {
    if (std::fabs(pending_.front().offset_s - runs_.back().offset_s) <= kPersistence_s)
      return pending_.clear();
    accept();
  }
}

/// The run that begins with the pending blocks has their median offset, which a single wrong time
/// does not move; those that are off from there again are looked at anew.
void SoundTimeline::accept() {
  const auto marks = std::exchange(pending_, {});
  std::vector<double> offsets;
  for (const auto& mark : marks) offsets.push_back(mark.offset_s);
  const auto middle = offsets.begin() + static_cast<std::ptrdiff_t>((offsets.size() - 1) / 2);
  std::nth_element(offsets.begin(), middle, offsets.end());
  runs_.push_back({marks.front().position_s, *middle});
  for (std::size_t i = 1; i < marks.size(); ++i) {
    add(marks[i].position_s, marks[i].position_s + marks[i].offset_s);
  }
}

std::optional<double> SoundTimeline::start_s() const {
  if (runs_.empty()) return std::nullopt;
  return runs_.front().offset_s;  // blocks before the first time are there as well
}

SoundPlacement SoundTimeline::place(std::vector<float>& samples, std::optional<double> origin_s,
                                    const Limits& limits, const std::string& name) const {
  const auto size = std::ssize(samples);
  SoundLayout layout(origin_s, limits, name);
  std::vector<SoundLayout::Part> parts;
  while (const auto part = layout.next(*this, size, /*finished=*/true)) parts.push_back(*part);
  const auto end = layout.end();
  const bool unmoved = parts.size() == 1 && parts[0].from == 0 && parts[0].at == 0 && end == size;
  if (unmoved) return layout.placement();
  std::vector<float> placed(static_cast<std::size_t>(end));
  for (const auto& part : parts)
    std::copy(samples.begin() + part.from, samples.begin() + part.to, placed.begin() + part.at);
  samples = std::move(placed);
  return layout.placement();
}

std::optional<SoundLayout::Part> SoundLayout::next(const SoundTimeline& timeline,
                                                   std::int64_t num_decoded, bool finished) {
  constexpr std::int64_t kWaited = 10 * kSampleRateHz;  // for a time, before there is none
  if (timeline.runs_.empty() && !without_times_) {
    if (!finished && num_decoded - taken_ < kWaited) return std::nullopt;
    without_times_ = true;
  }
  if (without_times_) {
    if (taken_ == num_decoded) return std::nullopt;
    Part part{.from = taken_, .to = num_decoded, .at = end_};
    taken_ = num_decoded;
    place(part);
    return part;
  }
  const auto index_of = [&](double position_s) {
    return std::clamp<std::int64_t>(std::llround(position_s * kSampleRateHz), 0, num_decoded);
  };
  const auto& pending = timeline.pending_;  // a run may begin there
  const auto settled = pending.empty() ? num_decoded : index_of(pending.front().position_s);
  while (run_ < timeline.runs_.size()) {
    const bool is_last = run_ + 1 == timeline.runs_.size();
    const auto next_s = is_last ? 0 : timeline.runs_[run_ + 1].position_s;
    const auto to = is_last ? settled : index_of(next_s);
    if (auto part = next_of_run(timeline, to)) return part;
    const bool is_to_come = !finished && std::llround(next_s * kSampleRateHz) > num_decoded;
    if (is_last || is_to_come) return std::nullopt;
    ++run_;
    shift_.reset();
  }
  return std::nullopt;
}

/// What is left of this run before `to`; empty when nothing is, or nothing of it is heard.
std::optional<SoundLayout::Part> SoundLayout::next_of_run(const SoundTimeline& timeline,
                                                          std::int64_t to) {
  constexpr double kRate = kSampleRateHz;
  if (to <= taken_ && shift_) return std::nullopt;
  const double origin = origin_s_.value_or(*timeline.start_s());
  const auto from = taken_;
  taken_ = std::max(to, taken_);
  if (!shift_) {
    const double at = static_cast<double>(from) + (timeline.runs_[run_].offset_s - origin) * kRate;
    if (!(std::fabs(at) < 1e15)) throw_too_long();
    shift_ = std::llround(at) - from;
  }
  Part part{.from = from, .to = taken_, .at = from + *shift_};
  place(part);
  if (part.from == part.to) return std::nullopt;
  return part;
}

/// Without what overlaps the part before.
void SoundLayout::place(Part& part) {
  const auto most = std::min((limits_.max_duration_s + 1) * static_cast<double>(kSampleRateHz),
                             static_cast<double>(limits_.max_decoded_bytes / sizeof(float)));
  if (static_cast<double>(part.at + part.to - part.from) > most) throw_too_long();
  if (part.at < end_) {
    const auto skipped = std::min(end_ - part.at, part.to - part.from);
    (end_ == 0 ? placement_.cut_before : placement_.overlapping) += skipped;
    part.from += skipped;
    part.at += skipped;
  }
  if (part.from == part.to) return;
  (end_ == 0 ? placement_.silence_before : placement_.filled) += part.at - end_;
  end_ = part.at + (part.to - part.from);
  if (heard_run_ == run_) {
    placement_.heard.back().end = end_;
  } else {
    placement_.heard.push_back({.begin = part.at, .end = end_});
  }
  heard_run_ = run_;
}

void SoundLayout::throw_too_long() const {
  throw MediaError(fmt::format("{}: sound of more than the {:.0f} s or {} bytes allowed, by its "
                               "times",
                               name_, limits_.max_duration_s, limits_.max_decoded_bytes),
                   "too-large");
}

}  // namespace raven::media

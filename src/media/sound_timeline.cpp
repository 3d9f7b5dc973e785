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
  SoundPlacement placement;
  if (runs_.empty()) {
    placement.heard = {{.begin = 0, .end = std::ssize(samples)}};
    return placement;
  }
  constexpr double kRate = kSampleRateHz;
  const double origin = origin_s.value_or(*start_s());
  const auto size = std::ssize(samples);
  const auto most = std::min((limits.max_duration_s + 1) * kRate,
                             static_cast<double>(limits.max_decoded_bytes / sizeof(float)));

  struct Part {
    std::int64_t from, to, at;  // samples [from, to) go to `at`, which may be negative
  };
  std::vector<Part> parts;
  std::int64_t end = 0;
  for (std::size_t i = 0; i < runs_.size(); ++i) {
    const auto index_of = [&](const Mark& run) {
      return std::clamp<std::int64_t>(std::llround(run.position_s * kRate), 0, size);
    };
    const auto from = i == 0 ? 0 : index_of(runs_[i]);
    const auto to = i + 1 < runs_.size() ? index_of(runs_[i + 1]) : size;
    const double at = static_cast<double>(from) + (runs_[i].offset_s - origin) * kRate;
    if (!(std::fabs(at) < 1e15) || at + static_cast<double>(to - from) > most) {
      throw MediaError(
          fmt::format("{}: sound of more than the {:.0f} s or {} bytes allowed, by its times", name,
                      limits.max_duration_s, limits.max_decoded_bytes),
          "too-large");
    }
    Part part{.from = from, .to = to, .at = std::llround(at)};
    if (part.at < end) {
      const auto skipped = std::min(end - part.at, to - from);
      (end == 0 ? placement.cut_before : placement.overlapping) += skipped;
      part.from += skipped;
      part.at += skipped;
    }
    if (part.from == part.to) continue;
    (end == 0 ? placement.silence_before : placement.filled) += part.at - end;
    end = part.at + (part.to - part.from);
    parts.push_back(part);
    placement.heard.push_back({.begin = part.at, .end = end});
  }
  const bool unmoved = parts.size() == 1 && parts[0].from == 0 && parts[0].at == 0 && end == size;
  if (unmoved) return placement;
  std::vector<float> placed(static_cast<std::size_t>(end));
  for (const auto& part : parts) {
    std::copy(samples.begin() + part.from, samples.begin() + part.to, placed.begin() + part.at);
  }
  samples = std::move(placed);
  return placement;
}

}  // namespace raven::media

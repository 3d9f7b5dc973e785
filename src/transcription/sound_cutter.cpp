#include "raven/transcription/sound_cutter.h"

#include <algorithm>
#include <cmath>

#include "raven/media/media.h"

namespace raven::transcription {
namespace {

constexpr std::int64_t kHop = media::kSampleRateHz / 100;  // samples
constexpr std::int64_t kHopsPerFrame = media::kSamplesPerFrame / kHop;
constexpr std::int64_t kSmoothing = 2;      // hops on either side
constexpr std::int64_t kBlock = 100;        // hops that share their thresholds
constexpr std::int64_t kBlocksAround = 15;  // on either side, from which thresholds are taken
constexpr std::int64_t kLink = 30;          // hops: how far weak sound belongs to strong sound
constexpr std::int64_t kLeastGap = 6, kLeastSound = 8;  // hops

constexpr float kEmphasis = 0.97F;                       // rooms and cars rumble below what is said
constexpr double kLeastPower = 1e-9;                     // -90 dB of full scale
constexpr double kSilent_db = -70;                       // never sound
constexpr double kFloorShare = 0.1, kPeakShare = 0.995;  // of the levels
constexpr double kLeastRange_db = 10;  // where the levels differ by less there is no silence
constexpr double kOnShare = 0.4, kLeastOn_db = 5, kMostOn_db = 18;  // of the range; above the floor
constexpr double kOffShare = 2.0 / 3;  // of the height of the other threshold

constexpr std::uint8_t kWeak = 1, kStrong = 2;

std::int64_t hops(double length_s) { return std::llround(length_s * 100); }

/// Whole frames, so that pieces of at most this length keep to it.
std::int64_t whole(std::int64_t count) {
  return std::max(count - count % kHopsPerFrame, kHopsPerFrame);
}

double quantile(std::vector<double>& values, double share) {
  const auto at =
      values.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

}  // namespace

template <class T>
void SoundCutter::Track<T>::forget(std::int64_t before) {
  const auto count = std::clamp<std::int64_t>(before - first, 0, std::ssize(values));
  values.erase(values.begin(), values.begin() + count);
  first += count;
}

SoundCutter::SoundCutter(const config::CutConfig& config)
    : max_(whole(hops(config.max_s))),
      pause_(std::max(hops(config.pause_s), kLeastGap)),
      pad_(hops(config.pad_s)),
      overlap_(hops(config.overlap_s) - hops(config.overlap_s) % kHopsPerFrame) {}

void SoundCutter::add(std::span<const float> samples) {
  num_samples_ += std::ssize(samples);
  for (const float sample : samples) {
    rest_.push_back(sample - kEmphasis * last_);
    last_ = sample;
    if (std::ssize(rest_) < kHop) continue;
    double power = 0;
    for (const float one : rest_) power += static_cast<double>(one) * one;
    add_hop(power / static_cast<double>(kHop));
    rest_.clear();
  }
  settle();
}

void SoundCutter::finish() {
  finished_ = true;
  while (levels_db_.end() < powers_.end()) add_level();
  settle();
}

/// Samples that are not numbers count as loud: whoever reads them says so.
void SoundCutter::add_hop(double power) {
  powers_.values.push_back(std::isfinite(power) ? power : 1);
  if (powers_.end() - levels_db_.end() > kSmoothing) add_level();
}

void SoundCutter::add_level() {
  const auto hop = levels_db_.end();
  const auto begin = std::max<std::int64_t>(hop - kSmoothing, 0);
  const auto end = std::min(hop + kSmoothing + 1, powers_.end());
  double power = 0;
  for (auto i = begin; i < end; ++i) power += powers_.at(i);
  power /= static_cast<double>(end - begin);
  levels_db_.values.push_back(10 * std::log10(std::max(power, kLeastPower)));
  powers_.forget(hop - kSmoothing);
}

void SoundCutter::settle() {
  const auto is_known = [&] {
    const auto needed = flags_.end() + (kBlocksAround + 1) * kBlock;
    return flags_.end() < levels_db_.end() && (finished_ || needed <= levels_db_.end());
  };
  while (is_known()) flag_block();
  find_sound();
}

/// Two thresholds from the quiet and the loud levels of half a minute around: see
/// docs/transcription.md.
void SoundCutter::flag_block() {
  const auto begin = flags_.end(), end = std::min(begin + kBlock, levels_db_.end());
  const auto from = std::max<std::int64_t>(begin - kBlocksAround * kBlock, 0);
  const auto to = std::min(begin + (kBlocksAround + 1) * kBlock, levels_db_.end());
  std::vector<double> levels;
  for (auto hop = from; hop < to; ++hop) levels.push_back(levels_db_.at(hop));
  const auto floor_db = quantile(levels, kFloorShare), peak_db = quantile(levels, kPeakShare);
  const auto range_db = peak_db - floor_db;
  const auto height_db = std::clamp(kOnShare * range_db, kLeastOn_db, kMostOn_db);
  const bool is_even = range_db < kLeastRange_db;
  const auto on_db = is_even ? kSilent_db : std::max(floor_db + height_db, kSilent_db);
  const auto off_db = is_even ? kSilent_db : std::max(floor_db + kOffShare * height_db, kSilent_db);
  for (auto hop = begin; hop < end; ++hop) {
    const auto level_db = levels_db_.at(hop);
    flags_.values.push_back(static_cast<std::uint8_t>((level_db > off_db ? kWeak : 0) |
                                                      (level_db > on_db ? kWeak | kStrong : 0)));
  }
}

/// Weak sound counts where it goes on from strong sound, which began or ended a little off.
void SoundCutter::find_sound() {
  const auto end = finished_ ? flags_.end() : flags_.end() - kLink;
  while (sounding_.end() < end) {
    const auto hop = sounding_.end();
    const auto is_linked = [&](std::int64_t step) {
      for (std::int64_t i = 0, at = hop; i <= kLink; ++i, at += step) {
        if (at < 0 || at >= flags_.end() || flags_.at(at) == 0) return false;
        if ((flags_.at(at) & kStrong) != 0) return true;
      }
      return false;
    };
    sounding_.values.push_back(is_linked(-1) || is_linked(1) ? 1 : 0);
  }
}

std::optional<std::int64_t> SoundCutter::next_sound(std::int64_t from) const {
  for (auto hop = from; hop < sounding_.end(); ++hop)
    if (sounding_.at(hop) != 0) return hop;
  return std::nullopt;
}

std::int64_t SoundCutter::num_sounding(std::int64_t from, std::int64_t to) const {
  std::int64_t count = 0;
  for (auto hop = from; hop < std::min(to, sounding_.end()); ++hop) count += sounding_.at(hop);
  return count;
}

std::optional<Cut> SoundCutter::next() {
  while (true) {
    forget();
    const auto before = from_;
    const auto first = goes_on_ ? std::optional(from_) : next_sound(from_);
    if (!first) {
      from_ = std::max(from_, sounding_.end());
      return std::nullopt;
    }
    if (*first >= sounding_.end()) return std::nullopt;
    const auto cut = follow(*first);
    if (cut && cut->begin < cut->end) return cut;
    if (from_ == before) return std::nullopt;  // else what it was is too short to be anything
  }
}

/// The piece that begins with the sound at `first`; empty while it is not certain where it ends.
std::optional<Cut> SoundCutter::follow(std::int64_t first) {
  auto begin = first;
  if (!goes_on_) {
    const auto silence = silent_from_ == 0 ? first : (first - silent_from_) / 2;
    begin -= std::min(pad_, silence);
    begin = std::max(begin - begin % kHopsPerFrame, last_end_);
  }
  auto last = first;
  for (auto hop = first; hop < sounding_.end(); ++hop) {
    if (sounding_.at(hop) != 0) {
      last = hop;
      if (hop + 1 + pad_ - begin > max_) return cut_long(begin);
    } else if (hop - last >= pause_) {
      return end_in_silence(begin, last + 1);
    }
  }
  return finished_ ? end_in_silence(begin, last + 1) : std::nullopt;
}

/// `silence`: where it begins.
std::optional<Cut> SoundCutter::end_in_silence(std::int64_t begin, std::int64_t silence) {
  const auto following = next_sound(silence);
  const auto known = following.value_or(sounding_.end()) - silence;
  if (!following && !finished_ && known < 2 * pad_) return std::nullopt;
  const auto padding = std::min({pad_, following ? known / 2 : known, begin + max_ - silence});
  const bool is_click = num_sounding(begin, silence) < kLeastSound;
  const bool is_known_whole =  // by the window before
      goes_on_ && silence - last_end_ < kLeastSound;
  from_ = silent_from_ = silence;
  if (is_click || is_known_whole) {
    goes_on_ = false;
    return std::nullopt;
  }
  return piece(begin, silence + padding);
}

/// In the longest silence of its last three quarters, the later one of two; else as a window.
std::optional<Cut> SoundCutter::cut_long(std::int64_t begin) {
  std::int64_t silence = 0, length = kLeastGap - 1;
  for (auto hop = begin + max_ / 4; hop < begin + max_;) {
    const auto sound = next_sound(hop);
    if (sound && *sound - hop >= length && *sound <= begin + max_ && *sound > hop) {
      silence = hop;
      length = *sound - hop;
    }
    hop = sound ? *sound + 1 : begin + max_;
    while (hop < begin + max_ && hop < sounding_.end() && sounding_.at(hop) != 0) ++hop;
  }
  if (silence > 0) {
    from_ = silence + length;
    silent_from_ = silence;
    return piece(begin, silence + std::min(pad_, length / 2));
  }
  auto window = piece(begin, begin + max_);
  from_ = begin + max_ - overlap_;
  goes_on_ = true;
  return window;
}

/// Frames that hold hops [begin, end), and of a further window that it is one.
Cut SoundCutter::piece(std::int64_t begin, std::int64_t end) {
  const auto frames = num_samples_ / media::kSamplesPerFrame;
  Cut cut{.begin = begin / kHopsPerFrame,
          .end = std::min((end + kHopsPerFrame - 1) / kHopsPerFrame, frames),
          .overlaps = begin < last_end_};
  for (auto frame = cut.begin; frame < cut.end; ++frame)
    cut.silent.push_back(num_sounding(frame * kHopsPerFrame, (frame + 1) * kHopsPerFrame) == 0);
  last_end_ = cut.end * kHopsPerFrame;
  goes_on_ = false;
  return cut;
}

std::int64_t SoundCutter::needed_from() const {
  const auto earliest = goes_on_ ? from_ : from_ - pad_ - kHopsPerFrame;
  return std::max<std::int64_t>(earliest, 0) / kHopsPerFrame;
}

void SoundCutter::forget() {
  levels_db_.forget(flags_.end() - kBlocksAround * kBlock);
  flags_.forget(sounding_.end() - kLink - 1);
  sounding_.forget(from_ - pad_ - kHopsPerFrame);
}

}  // namespace raven::transcription

#include "media/joined_times.h"

#include <algorithm>
#include <utility>

namespace raven::media {
namespace {

// Decoding times only grow. Half a second back is more than unordered times of pictures explain.
constexpr std::int64_t kBack_us = AV_TIME_BASE / 2;
// A longer silence of a broadcast is a new recording; a shorter one is a hole.
constexpr std::int64_t kAhead_us = 10LL * AV_TIME_BASE;

constexpr AVRational kMicroseconds = {1, AV_TIME_BASE};

/// Empty for what no recording has: within 1 / 8 of overflow, some 36,000 years.
std::optional<std::int64_t> in_us(std::int64_t time, AVRational time_base) {
  if (time == AV_NOPTS_VALUE) return std::nullopt;
  const auto us = av_rescale_q(time, time_base, kMicroseconds);
  const bool is_sane = us > INT64_MIN / 8 && us < INT64_MAX / 8;
  return is_sane ? std::optional(us) : std::nullopt;
}

std::optional<std::int64_t> decoding_time_us(const AVPacket& packet, AVRational time_base) {
  return in_us(packet.dts == AV_NOPTS_VALUE ? packet.pts : packet.dts, time_base);
}

/// `share` of the steps that are allowed.
bool goes_on(std::int64_t from_us, std::int64_t to_us, int share = 1) {
  return to_us >= from_us - kBack_us / share && to_us <= from_us + kAhead_us / share;
}

}  // namespace

void PieceFinder::add(const AVPacket& packet, AVRational time_base) {
  const int index = packet.stream_index;
  auto& stream = streams_[index];
  const auto number = stream.num_packets++;
  const auto time_us = decoding_time_us(packet, time_base);
  if (!time_us) return;
  const auto shown_us =
      in_us(packet.pts == AV_NOPTS_VALUE ? packet.dts : packet.pts, time_base).value_or(*time_us);
  const auto duration_us = in_us(std::max<std::int64_t>(packet.duration, 0), time_base).value_or(0);
  const Span shown{.begin_us = shown_us, .end_us = shown_us + duration_us};
  // Another stream was seen to start again: this one is about to.
  const int share = stream.piece + 1 < found_.size() ? 2 : 1;
  if (stream.away) {
    const bool is_back =
        goes_on(*stream.last_us, *time_us, share) && !goes_on(stream.away->time_us, *time_us);
    if (is_back) {
      strays_[index].insert(std::exchange(stream.away, std::nullopt)->number);
    } else {
      confirm(index, stream);
    }
  }
  if (stream.last_us && !goes_on(*stream.last_us, *time_us, share)) {
    stream.away = Packet{.number = number, .time_us = *time_us, .shown = shown};
    return;
  }
  stream.last_us = time_us;
  widen(index, stream, shown);
}

void PieceFinder::confirm(int index, Progress& stream) {
  const auto first = *std::exchange(stream.away, std::nullopt);
  const bool is_hole = first.time_us > *stream.last_us && !may_jump_ahead_;
  if (!is_hole) {
    if (++stream.piece == found_.size()) found_.emplace_back();
    found_[stream.piece].first_packet[index] = first.number;
  }
  stream.last_us = first.time_us;
  widen(index, stream, first.shown);
}

void PieceFinder::widen(int index, const Progress& stream, const Span& shown) {
  auto& span = found_[stream.piece].spans[index];
  span.begin_us = std::min(span.begin_us, shown.begin_us);
  span.end_us = std::max(span.end_us, shown.end_us);
}

JoinedFile PieceFinder::finish() {
  for (const auto& [index, stream] : streams_) {
    const bool may_be_hole =
        stream.away && !may_jump_ahead_ && stream.away->time_us > *stream.last_us;
    if (stream.away && !may_be_hole) strays_[index].insert(stream.away->number);
  }
  JoinedFile file{.pieces = {}, .strays = std::move(strays_)};
  std::int64_t shift_us = 0;
  for (std::size_t i = 1; i < found_.size(); ++i) {
    const auto& before = found_[i - 1].spans;
    const auto& after = found_[i].spans;
    Span joint;
    for (const auto& [stream, span] : before) joint.end_us = std::max(joint.end_us, span.end_us);
    for (const auto& [stream, span] : after)
      joint.begin_us = std::min(joint.begin_us, span.begin_us);
    const auto shown = before.find(video_), next = after.find(video_);
    if (shown != before.end() && next != after.end()) {
      joint = {.begin_us = next->second.begin_us, .end_us = shown->second.end_us};
    }
    if (!before.empty() && !after.empty()) shift_us += joint.end_us - joint.begin_us;
    file.pieces.push_back({.first_packet = found_[i].first_packet, .shift_us = shift_us});
  }
  return file;
}

bool JoinedTimes::jumps(const AVPacket& packet, AVRational time_base) {
  const auto time_us = decoding_time_us(packet, time_base);
  if (!time_us) return false;
  const auto last_us = std::exchange(last_us_, time_us);
  return last_us && !goes_on(*last_us, *time_us, 2);
}

void JoinedTimes::mend(AVPacket& packet, AVRational time_base) {
  const auto strays = file_.strays.find(packet.stream_index);
  if (strays != file_.strays.end() && strays->second.count(num_packets_) > 0)
    packet.pts = packet.dts = AV_NOPTS_VALUE;
  for (std::size_t i = piece_; i < file_.pieces.size(); ++i) {
    const auto& starts = file_.pieces[i].first_packet;
    const auto first = starts.find(packet.stream_index);
    if (first != starts.end() && num_packets_ >= first->second) piece_ = i + 1;
  }
  const auto shift_us = piece_ == 0 ? 0 : file_.pieces[piece_ - 1].shift_us;
  const auto shift = av_rescale_q(shift_us, kMicroseconds, time_base);
  for (auto* time : {&packet.pts, &packet.dts}) {
    if (*time == AV_NOPTS_VALUE) continue;
    if (__builtin_add_overflow(*time, shift, time)) *time = AV_NOPTS_VALUE;
  }
}

}  // namespace raven::media

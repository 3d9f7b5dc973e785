#include "media/joined_times.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "raven/core/error.h"

namespace raven::media {
namespace {

// Decoding times only grow. Half a second back is more than unordered times of pictures explain.
constexpr std::int64_t kBack_us = AV_TIME_BASE / 2;
// A longer silence of a broadcast is a new recording; a shorter one is a hole.
constexpr std::int64_t kAhead_us = 10LL * AV_TIME_BASE;
// Clocks may count from 1970 or from 1601; sums of some of these do not overflow.
constexpr std::int64_t kMost_us = 1000LL * 366 * 86400 * AV_TIME_BASE;
// A stream with more of them has pictures out of order.
constexpr std::size_t kMostShortSteps = 10'000;

constexpr AVRational kMicroseconds = {1, AV_TIME_BASE};

/// Empty for what no recording has.
std::optional<std::int64_t> in_us(std::int64_t time, AVRational time_base) {
  if (time == AV_NOPTS_VALUE) return std::nullopt;
  const auto us = av_rescale_q(time, time_base, kMicroseconds);
  const bool is_sane = us > -kMost_us && us < kMost_us;
  return is_sane ? std::optional(us) : std::nullopt;
}

std::int64_t decoding_time(const AVPacket& packet) {
  return packet.dts == AV_NOPTS_VALUE ? packet.pts : packet.dts;
}

/// `share` of the steps that are allowed.
bool goes_on(std::int64_t from_us, std::int64_t to_us, int share = 1) {
  return to_us >= from_us - kBack_us / share && to_us <= from_us + kAhead_us / share;
}

}  // namespace

bool follows(std::int64_t from, std::int64_t to, AVRational time_base) {
  const auto from_us = in_us(from, time_base), to_us = in_us(to, time_base);
  return !from_us || !to_us || goes_on(*from_us, *to_us, 2);
}

bool contradicts_itself(const AVPacket& packet, AVRational time_base) {
  const auto shown_us = in_us(packet.pts, time_base), decoded_us = in_us(packet.dts, time_base);
  return shown_us && decoded_us && !goes_on(*decoded_us, *shown_us);
}

void PieceFinder::Span::widen(const Span& other) {
  begin_us = std::min(begin_us, other.begin_us);
  end_us = std::max(end_us, other.end_us);
}

/// One place of the file may lie in both; a short step is of about the same length besides.
bool PieceFinder::Step::meets(const Step& other) const {
  if (place_before > other.place || other.place_before > place) return false;
  const auto difference = (to_us - from_us) - (other.to_us - other.from_us);
  return (is_long && other.is_long) || (difference <= kAhead_us && difference >= -kAhead_us);
}

/// Parsers name the place of the first of several packets that lay in one; some containers name
/// none.
std::int64_t PieceFinder::place_of(const AVPacket& packet, const Stream& stream) {
  const auto unnamed = stream.has_places ? stream.last_place : last_place_ + 1;
  const auto place = std::max(packet.pos >= 0 ? packet.pos : unnamed, stream.last_place);
  last_place_ = std::max(last_place_, place);
  return place;
}

void PieceFinder::add(const AVPacket& packet, AVRational time_base) {
  auto& stream = streams_[packet.stream_index];
  const auto number = stream.num_packets++;
  const auto place = place_of(packet, stream);
  const auto time_us = in_us(decoding_time(packet), time_base);
  if (!time_us || (may_jump_ahead_ && contradicts_itself(packet, time_base))) return;
  const auto shown_us =
      in_us(packet.pts == AV_NOPTS_VALUE ? packet.dts : packet.pts, time_base).value_or(*time_us);
  const auto duration_us = in_us(std::max<std::int64_t>(packet.duration, 0), time_base).value_or(0);
  const Unit here{.number = number,
                  .count = 1,
                  .place = place,
                  .first_us = *time_us,
                  .last_us = *time_us,
                  .shown = {.begin_us = shown_us, .end_us = shown_us + duration_us}};
  const bool is_new = stream.num_units == 0 || packet.pos >= 0 || !stream.has_places;
  stream.has_places = stream.has_places || packet.pos >= 0;
  if (is_new && stream.num_units++ == 0) {
    stream.first = here;
    stream.last_place = place;
  }
  if (!is_new && stream.num_units == 1) stream.first.count = number - stream.first.number + 1;
  if (stream.away && !is_new && goes_on(stream.away->last_us, *time_us)) {
    stream.away->count = number - stream.away->number + 1;
    stream.away->last_us = *time_us;
    stream.away->shown.widen(here.shown);
    return;
  }
  if (stream.away) {
    const bool is_back =
        goes_on(*stream.last_us, *time_us, 2) && !goes_on(stream.away->last_us, *time_us);
    if (is_back) {
      add_strays(packet.stream_index, *std::exchange(stream.away, std::nullopt));
    } else {
      confirm(stream, false);
    }
  }
  if (stream.last_us && !goes_on(*stream.last_us, *time_us, 2)) {
    stream.away = here;
    return;
  }
  stream.last_us = time_us;
  stream.last_place = place;
  stream.spans.back().widen(here.shown);
}

void PieceFinder::add_strays(int index, const Unit& unit, bool in_front) {
  auto& strays = file_[index].strays;
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(unit.count));
  std::iota(numbers.begin(), numbers.end(), unit.number);
  strays.insert(in_front ? strays.begin() : strays.end(), numbers.begin(), numbers.end());
}

void PieceFinder::confirm(Stream& stream, bool is_last) {
  const auto first = *stream.away;
  if (!is_last) stream.away.reset();
  const bool is_long = !goes_on(*stream.last_us, first.first_us);
  auto& count = is_long ? stream.num_long : stream.num_short;
  if (is_long && count == kMostSteps) {
    throw MediaError(
        fmt::format("{}: its times step back or ahead more than {} times", name_, kMostSteps),
        "unsupported");
  }
  if (is_long || count < kMostShortSteps) {
    ++count;
    if (stream.steps.empty()) stream.first_is_alone = stream.num_units == (is_last ? 2 : 3);
    stream.steps.push_back({.place_before = stream.last_place,
                            .place = first.place,
                            .from_us = *stream.last_us,
                            .to_us = first.first_us,
                            .first_packet = first.number,
                            .is_long = is_long,
                            .to_the_last = is_last});
    stream.spans.emplace_back();
  }
  stream.last_us = first.last_us;
  stream.last_place = first.place;
  stream.spans.back().widen(first.shown);
}

/// Goes through the long steps in the order of the file.
class PieceFinder::Joining {
 public:
  explicit Joining(PieceFinder& finder) : finder_(finder) {
    for (const auto& [index, stream] : finder.streams_) {
      if (stream.num_units > 0) sides_.emplace(index, Side{.stream = stream});
    }
  }

  void run() {
    std::vector<std::pair<int, std::size_t>> order;
    for (const auto& [index, side] : sides_) {
      for (std::size_t i = 0; i < side.stream.steps.size(); ++i) {
        if (side.stream.steps[i].is_long) order.emplace_back(index, i);
      }
    }
    std::ranges::stable_sort(order, {}, [&](const auto& at) {
      return sides_.at(at.first).stream.steps[at.second].place;
    });
    for (const auto& [index, i] : order) {
      if (i >= sides_.at(index).next) take(index, i);
    }
  }

 private:
  using Joint = std::map<int, std::size_t>;  // one step for each stream that has some there

  struct Side {
    const Stream& stream;
    std::size_t next = 0;       // the first step after those that were taken
    std::size_t num_spans = 0;  // that end_us knows of
    std::int64_t shift_us = 0;
    std::optional<std::int64_t> end_us = {};  // as it is moved
  };

  void take(int index, std::size_t i) {
    auto& side = sides_.at(index);
    const auto& step = side.stream.steps[i];
    const bool after_the_first = i == 0 && side.stream.first_is_alone;
    Joint joint{{index, i}};
    bool others_go_on = false;
    for (const auto& [other_index, other] : sides_) {
      if (other_index == index) continue;
      const auto met = meeting(side.stream, i, other);
      if (!met) others_go_on = others_go_on || goes_past(other.stream, step, after_the_first);
      if (met && *met < other.stream.steps.size()) joint.emplace(other_index, *met);
    }
    if (others_go_on) {
      take_alone(index, i);
    } else if (!step.is_ahead() || finder_.may_jump_ahead_) {
      join(joint);
    }
  }

  /// The last of the other stream's steps that meet step `i` of `stream`. Empty where there is
  /// none, and its number of steps where that one is left to a later step of `stream`: the other
  /// stream is then missing between the two.
  static std::optional<std::size_t> meeting(const Stream& stream, std::size_t i,
                                            const Side& other) {
    const auto& step = stream.steps[i];
    const auto& steps = other.stream.steps;
    std::optional<std::size_t> last;
    const auto first = std::ranges::lower_bound(steps, step.place_before, {}, &Step::place);
    for (auto k = static_cast<std::size_t>(first - steps.begin());
         k < steps.size() && steps[k].place_before <= step.place; ++k) {
      if (k >= other.next && steps[k].meets(step)) last = k;
    }
    if (!last) return std::nullopt;
    for (auto later = i + 1; later < stream.steps.size(); ++later) {
      if (stream.steps[later].place_before > steps[*last].place) break;
      if (stream.steps[later].is_long && stream.steps[later].meets(steps[*last]))
        return steps.size();
    }
    return last;
  }

  /// The other stream has packets on both sides of a step. Before the second packet of all it need
  /// not have begun.
  static bool goes_past(const Stream& other, const Step& step, bool after_the_first) {
    return other.last_place >= step.place &&
           (after_the_first || other.first.place <= step.place_before);
  }

  void take_alone(int index, std::size_t i) {
    auto& side = sides_.at(index);
    const auto& step = side.stream.steps[i];
    if (i == 0 && side.stream.first_is_alone && is_first_wrong(index)) {
      finder_.add_strays(index, side.stream.first, true);
      side.num_spans = side.next = 1;
    } else if (step.is_ahead() && !(step.to_the_last && finder_.may_jump_ahead_)) {
      side.next = i + 1;  // a hole
    } else if (step.to_the_last) {
      finder_.add_strays(index, *side.stream.away);
      side.next = i + 1;
    } else {
      advance(side, i + 1);
      move(index, i, *side.end_us - side.stream.spans[i + 1].begin_us);
    }
  }

  /// Of a stream whose first step follows its first packet: the rest begins earlier, or alone is
  /// near the beginnings of the others.
  [[nodiscard]] bool is_first_wrong(int index) const {
    const auto& stream = sides_.at(index).stream;
    if (!stream.steps.front().is_ahead()) return true;
    if (!finder_.may_jump_ahead_) return false;
    return std::ranges::none_of(sides_, [&](const auto& other) {
      const auto distance_us = other.second.stream.first.first_us - stream.first.first_us;
      return other.first != index && distance_us >= -kAhead_us && distance_us <= kAhead_us;
    });
  }

  void join(const Joint& joint) {
    const auto& [index, i] = *joint.begin();
    const auto place = sides_.at(index).stream.steps[i].place;
    Span meeting;  // ends where the piece before does
    bool has_pictures = false;
    for (auto& [other, side] : sides_) {
      const auto& steps = side.stream.steps;
      const auto member = joint.find(other);
      const bool before = side.stream.first.place <= place;
      const auto last =
          member != joint.end()
              ? member->second
              : static_cast<std::size_t>(std::ranges::upper_bound(steps, place, {}, &Step::place) -
                                         steps.begin());
      const bool has_some = before && advance(side, last + 1);
      if (other == finder_.video_) has_pictures = has_some && member != joint.end();
    }
    for (const auto& [other, side] : sides_) {
      if (has_pictures && other != finder_.video_) continue;
      const auto member = joint.find(other);
      if (side.end_us) meeting.end_us = std::max(meeting.end_us, *side.end_us);
      if (member != joint.end())
        meeting.begin_us =
            std::min(meeting.begin_us, side.stream.spans[member->second + 1].begin_us);
    }
    for (const auto& [member, step] : joint) move(member, step, meeting.end_us - meeting.begin_us);
  }

  /// Up to `count` spans; false where these are known already.
  static bool advance(Side& side, std::size_t count) {
    if (count <= side.num_spans) return false;
    for (; side.num_spans < count; ++side.num_spans) {
      const auto end_us = side.stream.spans[side.num_spans].end_us + side.shift_us;
      side.end_us = std::max(side.end_us.value_or(end_us), end_us);
    }
    return true;
  }

  void move(int index, std::size_t i, std::int64_t shift_us) {
    auto& side = sides_.at(index);
    if (side.end_us.value_or(0) > 4 * kMost_us) {
      throw MediaError(fmt::format("{}: its times are of no recording", finder_.name_));
    }
    side.shift_us = shift_us;
    side.next = i + 1;
    finder_.file_[index].pieces.push_back(
        {.first_packet = side.stream.steps[i].first_packet, .shift_us = shift_us});
  }

  PieceFinder& finder_;
  std::map<int, Side> sides_;
};

JoinedFile PieceFinder::finish() {
  for (auto& [index, stream] : streams_) {
    if (stream.away) confirm(stream, true);
  }
  Joining(*this).run();
  return std::move(file_);
}

bool JoinedTimes::jumps(const AVPacket& packet, AVRational time_base) {
  const auto time_us = in_us(decoding_time(packet), time_base);
  if (!time_us) return false;
  const auto last_us = std::exchange(last_us_, time_us);
  return last_us && !goes_on(*last_us, *time_us, 2);
}

void JoinedTimes::mend(AVPacket& packet, AVRational time_base) {
  const auto number = num_packets_++;
  if (is_broadcast_ && contradicts_itself(packet, time_base))
    packet.pts = packet.dts = AV_NOPTS_VALUE;
  const auto found = file_.find(packet.stream_index);
  if (found == file_.end()) return;
  const auto& [pieces, strays] = found->second;
  while (num_strays_ < strays.size() && strays[num_strays_] < number) ++num_strays_;
  if (num_strays_ < strays.size() && strays[num_strays_] == number)
    packet.pts = packet.dts = AV_NOPTS_VALUE;
  while (piece_ < pieces.size() && pieces[piece_].first_packet <= number) ++piece_;
  const auto shift_us = piece_ == 0 ? 0 : pieces[piece_ - 1].shift_us;
  const auto shift = av_rescale_q(shift_us, kMicroseconds, time_base);
  for (auto* time : {&packet.pts, &packet.dts}) {
    if (*time == AV_NOPTS_VALUE) continue;
    if (__builtin_add_overflow(*time, shift, time)) *time = AV_NOPTS_VALUE;
  }
}

}  // namespace raven::media

#include "distributed/watch.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "core/text_file.h"
#include "raven/core/error.h"
#include "raven/core/interrupt.h"
#include "raven/core/log.h"
#include "raven/core/whole_work.h"

namespace raven::distributed {
namespace {

using namespace std::chrono_literals;

constexpr auto kBeat = 500ms;
constexpr auto kSuspect = 3s;     // a rank to which a connection broke is lost after as long
constexpr auto kEndInCall = 2s;   // from the verdict on; a call cannot be called off
constexpr auto kEndOutside = 8s;  // a step may come to an end meanwhile
constexpr auto kHeardBy = 3s;     // others learn of a failure

constexpr const char* kLeft = "left";

/// What a rank tells of itself: "<beats> <step> <calls> <waits> <long> <suspects> <kind of
/// call>\t<doing>".
struct Beat {
  std::int64_t step = 0, calls = 0;
  bool waiting = false, long_work = false, left = false;
  bool suspects = false;  // a connection of its broke
  std::string doing, call_kind;
};

Beat parse(const std::string& text) {
  Beat beat;
  if (text == kLeft) {
    beat.left = true;
    return beat;
  }
  auto rest = std::string_view(text);
  const auto word = [&] {
    const auto end = std::min(rest.find(' '), rest.size());
    const auto part = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return whole_number(part).value_or(0);
  };
  word();
  beat.step = word();
  beat.calls = word();
  beat.waiting = word() != 0;
  beat.long_work = word() != 0;
  beat.suspects = word() != 0;
  const auto tab = std::min(rest.find('\t'), rest.size());
  beat.call_kind = rest.substr(0, tab);
  beat.doing = rest.substr(std::min(tab + 1, rest.size()));
  return beat;
}

std::string key_of_beat(std::int64_t rank) { return fmt::format("beat/{}", rank); }

std::int64_t seconds(std::chrono::steady_clock::duration time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time).count();
}

constexpr int kAgain = static_cast<int>(ExitCode::kStopped);

void end_with(const Verdict& verdict) {
  log::error("{}", verdict.text);
  end_at_once(verdict.code);
}

}  // namespace

Watch::Watch(Meeting meeting, Store store, const Launch& launch, const WatchSettings& settings)
    : meeting_(std::move(meeting)), store_(std::move(store)), launch_(launch), settings_(settings) {
  for (std::int64_t rank = launch.rank == 0 ? 1 : 0; rank < (launch.rank == 0 ? launch.size : 1);
       ++rank)
    watched_.push_back(rank);
  said_ = judged_at_ = Clock::now();
  heard_.assign(watched_.size(), {.beat = "", .at = said_});
}

void Watch::start() {
  beats_thread_ = std::jthread([self = shared_from_this()](const std::stop_token& stop) {
    self->beat_until(stop);
    const std::lock_guard lock(self->mutex_);
    self->beats_ended_ = true;
    self->changed_.notify_all();
  });
  judge_thread_ = std::jthread(
      [self = shared_from_this()](const std::stop_token& stop) { self->judge_until(stop); });
}

bool Watch::stop() {
  {
    const std::lock_guard lock(mutex_);
    if (verdict_) {  // it still ends the process when that does not end by itself
      beats_thread_.detach();
      judge_thread_.detach();
      return false;
    }
  }
  beats_thread_.request_stop();
  judge_thread_.request_stop();
  judge_thread_.join();
  std::unique_lock lock(mutex_);
  const std::stop_token never;
  if (changed_.wait_for(lock, never, 1s, [&] { return beats_ended_; })) {
    lock.unlock();
    beats_thread_.join();
  } else {
    beats_thread_.detach();
  }
  return true;
}

void Watch::note(std::int64_t step, const char* doing, bool long_work) {
  const std::lock_guard lock(mutex_);
  step_ = step;
  doing_ = doing;
  long_work_ = long_work;
}

Watch::Call::Call(Watch& watch, const char* kind) : watch_(watch) {
  const std::lock_guard lock(watch_.mutex_);
  ++watch_.calls_;
  watch_.call_kind_ = kind;
  watch_.waiting_ = true;
}

Watch::Call::~Call() {
  const std::lock_guard lock(watch_.mutex_);
  watch_.waiting_ = false;
}

std::string Watch::own_beat() {
  const std::lock_guard lock(mutex_);
  if (left_) return kLeft;
  return fmt::format("{} {} {} {:d} {:d} {:d} {}\t{}", ++beats_, step_, calls_, waiting_,
                     long_work_, suspicious_, call_kind_, doing_);
}

/// The store is talked to without the mutex: it may not answer for long.
void Watch::say_and_hear() {
  const auto beat = own_beat();
  store_->set(key_of_beat(launch_.rank), beat);
  std::optional<Verdict> proposed;
  {
    const std::lock_guard lock(mutex_);
    proposed = proposed_;
  }
  const auto verdict = proposed ? publish(*store_, *proposed) : read_verdict(*store_);
  std::vector<std::string> keys;
  std::vector<std::size_t> speakers;  // of watched_
  for (std::size_t i = 0; i < watched_.size(); ++i) {
    auto key = key_of_beat(watched_[i]);
    if (heard_once_ || store_->check({key})) {
      keys.push_back(std::move(key));
      speakers.push_back(i);
    }
  }
  heard_once_ = keys.size() == watched_.size();
  std::vector<std::vector<std::uint8_t>> beats;
  if (!keys.empty()) beats = store_->multiGet(keys);
  const auto now = Clock::now();
  const std::lock_guard lock(mutex_);
  said_ = now;
  said_left_ = said_left_ || beat == kLeft;
  for (std::size_t i = 0; i < beats.size(); ++i) {
    auto& heard = heard_[speakers[i]];
    std::string text(beats[i].begin(), beats[i].end());
    if (text == heard.beat) continue;
    suspicious_ = suspicious_ || parse(text).suspects;
    heard = {.beat = std::move(text), .at = now};
  }
  if (!verdict.text.empty()) take(verdict);
  changed_.notify_all();
}

void Watch::beat_until(const std::stop_token& stop) {
  while (true) {
    try {
      say_and_hear();
    } catch (const std::exception&) {
      const std::lock_guard lock(mutex_);
      // Rank 0's process is gone, or the launcher's. What it wrote before, was not read in time.
      if (!left_ && !verdict_) {
        take({.code = kAgain,
              .text = fmt::format(
                  "{} is lost: the connection to the store at {}:{} broke (seen by "
                  "{})",
                  launch_.has_store ? "the launcher's process" : name_of(0, meeting_.members[0]),
                  meeting_.host, meeting_.port, own_name())});
      }
      return;
    }
    std::unique_lock lock(mutex_);
    const auto has_news = [&] { return (proposed_ && !verdict_) || (left_ && !said_left_); };
    if (has_news()) continue;
    changed_.wait_for(lock, stop, kBeat, has_news);
    if (stop.stop_requested()) return;
  }
}

/// With the mutex held. The first one counts.
void Watch::take(Verdict verdict) {
  if (verdict_) return;
  verdict_ = std::move(verdict);
  verdict_at_ = Clock::now();
  changed_.notify_all();
}

/// With the mutex held. It counts once the store has it, or where the store does not answer.
void Watch::propose(Verdict verdict) {
  if (proposed_) return;
  proposed_ = std::move(verdict);
  changed_.notify_all();
}

std::string Watch::own_name() const {
  return name_of(launch_.rank, meeting_.members[static_cast<std::size_t>(launch_.rank)]);
}

/// With the mutex held. While this process itself stood still (SIGSTOP, a suspended job or virtual
/// machine), nobody could be heard.
void Watch::forget_own_pause(Clock::time_point now) {
  constexpr auto kPause = 3s;
  const auto gap = now - judged_at_;
  judged_at_ = now;
  if (gap < kPause) return;
  said_ += gap;
  stuck_since_ += gap;
  for (auto& heard : heard_) heard.at += gap;
}

/// With the mutex held.
void Watch::judge_silence(Clock::time_point now) {
  if (now - said_ > settings_.lost) {
    take({.code = kAgain,
          .text = fmt::format(
              "{} is lost: the store at {}:{} has not answered for {} s",
              launch_.has_store ? "the launcher's process" : name_of(0, meeting_.members[0]),
              meeting_.host, meeting_.port, seconds(now - said_))});
    return;
  }
  for (std::size_t i = 0; i < watched_.size(); ++i) {
    const auto silence = now - heard_[i].at;
    const auto limit = suspicious_ ? std::min<Clock::duration>(kSuspect, settings_.lost)
                                   : Clock::duration(settings_.lost);
    const auto beat = parse(heard_[i].beat);
    if (silence <= limit || beat.left) continue;
    const auto rank = watched_[i];
    propose({.code = kAgain,
             .text = fmt::format("{} is lost: it was not heard of for {} s, last at step {}, {}",
                                 name_of(rank, meeting_.members[static_cast<std::size_t>(rank)]),
                                 seconds(silence), beat.step,
                                 beat.doing.empty() ? "starting" : beat.doing)});
    return;
  }
}

/// With the mutex held, of rank 0. Ranks that have not come to the call in which others wait; or
/// all wait, since they made calls that do not fit each other, or a message was lost.
void Watch::judge_hang(Clock::time_point now) {
  std::vector<Beat> beats = {{.step = step_,
                              .calls = calls_,
                              .waiting = waiting_,
                              .long_work = long_work_,
                              .left = left_,
                              .doing = doing_,
                              .call_kind = call_kind_}};
  for (const auto& heard : heard_) beats.push_back(parse(heard.beat));
  std::int64_t call = 0;
  for (const auto& beat : beats) {
    if (beat.waiting) call = std::max(call, beat.calls);
  }
  std::vector<std::string> missing, kinds;
  bool may_wait = call == 0;
  for (std::size_t rank = 0; rank < beats.size(); ++rank) {
    const auto& beat = beats[rank];
    if (beat.calls >= call) continue;
    may_wait = may_wait || beat.long_work || beat.left;
    missing.push_back(fmt::format("{} (at step {}, {})",
                                  name_of(static_cast<std::int64_t>(rank), meeting_.members[rank]),
                                  beat.step, beat.doing));
  }
  const bool all_wait = std::ranges::all_of(beats, &Beat::waiting);
  if (missing.empty() && all_wait) {
    for (std::size_t rank = 0; rank < beats.size(); ++rank)
      kinds.push_back(fmt::format("rank {}: {}", rank, beats[rank].call_kind));
  }
  auto stuck =
      may_wait || (missing.empty() && kinds.empty())
          ? std::string()
          : fmt::format("{}: {} {}", call, fmt::join(missing, ", "), fmt::join(kinds, ", "));
  if (stuck != stuck_) {
    stuck_ = std::move(stuck);
    stuck_since_ = now;
  }
  if (stuck_.empty() || now - stuck_since_ <= settings_.hang) return;
  const auto waited = seconds(now - stuck_since_);
  auto text = missing.empty()
                  ? fmt::format(
                        "a hang: for {} s all ranks have waited for each other in their "
                        "collective call {} ({})",
                        waited, call, fmt::join(kinds, ", "))
                  : fmt::format(
                        "a hang: for {} s ranks have waited, in their collective call {}, "
                        "for {}",
                        waited, call, fmt::join(missing, ", "));
  propose({.code = kAgain, .text = std::move(text)});
}

void Watch::judge_until(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    const auto now = Clock::now();
    forget_own_pause(now);
    if (!verdict_ && !left_) {
      judge_silence(now);
      if (launch_.rank == 0) judge_hang(now);
    }
    if (verdict_ && now - verdict_at_ > (waiting_ ? kEndInCall : kEndOutside)) {
      const auto verdict = *verdict_;
      lock.unlock();
      settings_.end ? settings_.end(verdict) : end_with(verdict);
      return;
    }
    changed_.wait_for(lock, stop, 250ms, [] { return false; });
  }
}

void Watch::throw_if_ended() {
  const std::lock_guard lock(mutex_);
  if (verdict_) throw PeerError(verdict_->text, verdict_->code);
}

void Watch::throw_verdict(const std::string& otherwise, int code) {
  std::unique_lock lock(mutex_);
  suspicious_ = true;
  waiting_ = false;
  constexpr auto kLonger = 2s;
  const std::stop_token never;
  changed_.wait_for(lock, never, settings_.lost + kLonger, [&] { return verdict_.has_value(); });
  if (verdict_) {
    verdict_at_ = Clock::now();  // it is on its way out
    throw PeerError(verdict_->text, verdict_->code);
  }
  const Verdict own{.code = code,
                    .text = fmt::format("{}, at step {}: {}", own_name(), step_, otherwise)};
  lock.unlock();
  publish_own(own);
  throw_if_ended();
  throw PeerError(own.text, own.code);
}

void Watch::publish_own(const Verdict& verdict) {
  std::unique_lock lock(mutex_);
  propose(verdict);
  const std::stop_token never;
  changed_.wait_for(lock, never, kHeardBy, [&] { return verdict_.has_value(); });
  take(verdict);  // where the store does not answer
  lock.unlock();
  follow_verdict();
}

void Watch::follow_verdict() {
  {
    const std::lock_guard lock(mutex_);
    left_ = true;  // it ends by itself
  }
  if (keeps_store()) std::this_thread::sleep_for(3 * kBeat);
}

void Watch::leave() {
  {
    std::unique_lock lock(mutex_);
    if (verdict_) return;
    left_ = true;
    changed_.notify_all();
    const std::stop_token never;
    changed_.wait_for(lock, never, settings_.lost, [&] { return said_left_ || beats_ended_; });
  }
  try {
    auto left = store_->add(kLeft, 1);
    const auto until = Clock::now() + settings_.lost;
    while (keeps_store() && left < launch_.size && Clock::now() < until) {
      std::this_thread::sleep_for(50ms);
      left = store_->add(kLeft, 0);
    }
  } catch (const std::exception&) {  // the store is gone, and with it whom this would tell
  }
}

}  // namespace raven::distributed

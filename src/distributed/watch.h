// Whether the other ranks of a run live, and what the run ends because of.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "distributed/store.h"

namespace raven::distributed {

struct WatchSettings {
  std::chrono::seconds lost{20};    // a rank that was not heard of for as long is lost
  std::chrono::seconds hang{1800};  // ranks that wait for another one for as long are in a hang
  /// Ends a process that does not end by itself; empty: once no checkpoint is being written.
  std::function<void(const Verdict&)> end = {};
};

/// Note [Lost ranks]: collective operations cannot tell a rank that is slow from one that is gone,
/// and cannot be called off. So each rank tells the store twice a second that it lives, where it is
/// and whether it waits, from a thread of its own; rank 0 looks at all others, they at rank 0. Who
/// misses a rank for `lost`, or fails, writes a verdict into the store, the first of which counts.
/// A rank that learns of one ends with its code: by PeerError from the next call of its
/// communicator, or, where it does not come to one in time (it waits in a collective for the rank
/// that is lost), by the watch, once no checkpoint is being written (WholeWork). A hang of a rank
/// that lives shows in that the others wait in a call that it has not come to, or
/// in that all wait, in calls of other kinds.
class Watch : public std::enable_shared_from_this<Watch> {
 public:
  /// `store`: a connection of its own.
  Watch(Meeting meeting, Store store, const Launch& launch, const WatchSettings& settings);
  ~Watch() = default;
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  /// Once; the threads share this object, since one of them may wait for a store that does not
  /// answer when everything else is over.
  void start();
  /// False when there is a verdict: what waits for a lost rank cannot be joined, and the watch goes
  /// on, so that the process ends all the same.
  bool stop();

  /// Where this rank is.
  void note(std::int64_t step, const char* doing, bool long_work);
  /// While it lives, this rank waits for the others in the next of its calls.
  class Call {
   public:
    Call(Watch& watch, const char* kind);
    ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   private:
    Watch& watch_;
  };

  /// Throws PeerError when there is a verdict.
  void throw_if_ended();
  /// A connection to another rank broke, or is about to: waits for the verdict on it, a while
  /// longer than a lost rank takes, and throws it as PeerError. Where there is none, this rank's
  /// `otherwise` becomes it, with `code`.
  [[noreturn]] void throw_verdict(const std::string& otherwise, int code);
  /// This rank ends because of its own failure, or of a verdict that it was thrown: that which
  /// keeps the store goes when the others had time to read it.
  void publish_own(const Verdict& verdict);
  void follow_verdict();
  /// All ranks are done. That which keeps the store goes last.
  void leave();

 private:
  using Clock = std::chrono::steady_clock;
  struct Heard {
    std::string beat;
    Clock::time_point at;
  };

  void beat_until(const std::stop_token& stop);
  void judge_until(const std::stop_token& stop);
  void say_and_hear();
  void take(Verdict verdict);
  void judge_silence(Clock::time_point now);
  void judge_hang(Clock::time_point now);
  void propose(Verdict verdict);
  [[nodiscard]] std::string own_name() const;
  void forget_own_pause(Clock::time_point now);
  [[nodiscard]] std::string own_beat();
  [[nodiscard]] bool keeps_store() const { return launch_.rank == 0 && !launch_.has_store; }

  const Meeting meeting_;
  const Store store_;
  const Launch launch_;
  const WatchSettings settings_;
  std::vector<std::int64_t> watched_;  // ranks

  std::mutex mutex_;  // guards all below
  std::condition_variable_any changed_;
  std::int64_t step_ = 0, beats_ = 0, calls_ = 0;
  std::string doing_ = "starting", call_kind_;
  bool waiting_ = false, long_work_ = false, suspicious_ = false, left_ = false;
  bool said_left_ = false;    // to the store
  std::vector<Heard> heard_;  // of watched_
  Clock::time_point said_;    // the store answered last
  std::optional<Verdict> proposed_, verdict_;
  Clock::time_point verdict_at_;
  std::string stuck_;  // who waits for whom
  Clock::time_point stuck_since_, judged_at_;

  bool heard_once_ = false;  // all of watched_; of the thread of beats
  bool beats_ended_ = false;
  std::jthread beats_thread_, judge_thread_;
};

}  // namespace raven::distributed

#include "raven/core/interrupt.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "raven/core/log.h"
#include "raven/core/whole_work.h"

namespace raven {
namespace {

using Clock = std::chrono::steady_clock;

std::atomic<int> last_signal{0};

/// timeout(1) sends its signal to the process and to its group, terminals and launchers repeat
/// theirs, and a finger on Ctrl-C is held down: within this time it is one request.
constexpr std::chrono::milliseconds kOneRequest{1000};

/// Work that is not to be cut in two, see WholeWork. They outlive every thread.
struct Whole {
  std::mutex mutex;
  std::condition_variable done;
  int parts = 0;
};

Whole& whole() {
  static auto* one = new Whole;  // NOLINT(cppcoreguidelines-owning-memory)
  return *one;
}

/// Signals that are watched. What started us with SIGHUP ignored (nohup) wants it to stay so.
sigset_t watched_signals() {
  sigset_t watched;
  sigemptyset(&watched);
  for (const int number : {SIGINT, SIGTERM, SIGUSR1}) sigaddset(&watched, number);
  struct sigaction hangup {};
  if (::sigaction(SIGHUP, nullptr, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
    sigaddset(&watched, SIGHUP);
  return watched;
}

/// Takes signals for as long as the process lives.
class Watcher {
 public:
  Watcher(const sigset_t& watched, std::stop_source stop)
      : watched_(watched), stop_(std::move(stop)) {}

  void operator()() {
    while (true) {
      int number = 0;
      if (::sigwait(&watched_, &number) == 0) take(number);
    }
  }

 private:
  void take(int number) {
    const auto now = Clock::now();
    auto& before = last_time_[number];
    const bool again = before != Clock::time_point() && now - before > kOneRequest;
    before = now;
    const bool any_before = last_signal.exchange(number) != 0;
    // Ctrl-C is meant at once after whatever came before. A SIGTERM is not: schedulers send it
    // after SIGUSR1, launchers after SIGINT. A terminal that closes sends SIGHUP more than once.
    if (number == SIGINT ? any_before && (again || last_time_.size() > 1)
                         : number == SIGTERM && again)
      end_at_once(128 + number);
    if (!any_before) {
      const bool may_abort = number == SIGINT || number == SIGTERM;
      log::warn("stopping after this step{}", may_abort ? "; again to abort" : "");
    }
    stop_.request_stop();
  }

  sigset_t watched_;
  std::stop_source stop_;
  std::map<int, Clock::time_point> last_time_;
};

}  // namespace

WholeWork::WholeWork() {
  const std::lock_guard lock(whole().mutex);
  ++whole().parts;
}

WholeWork::~WholeWork() {
  const std::lock_guard lock(whole().mutex);
  if (--whole().parts == 0) whole().done.notify_all();
}

void end_at_once(int code) {
  constexpr std::chrono::minutes kLongest{1};
  std::unique_lock lock(whole().mutex);
  whole().done.wait_for(lock, kLongest, [] { return whole().parts == 0; });
  ::_exit(code);  // with the lock: nothing whole begins any more
}

std::stop_token watch_signals() {
  // A thread of its own takes the signals, so that no handler code is limited to what is
  // async-signal-safe; all other threads inherit the blocked mask.
  static std::stop_source source = [] {
    const auto watched = watched_signals();
    pthread_sigmask(SIG_BLOCK, &watched, nullptr);
    std::stop_source stop;
    std::thread(Watcher(watched, stop)).detach();
    return stop;
  }();
  return source.get_token();
}

int received_signal() noexcept { return last_signal.load(); }

void prepare_process() {
  for (int number = 0; number <= STDERR_FILENO; ++number) {
    if (::fcntl(number, F_GETFD) >= 0) continue;
    // open() gives the lowest free number, which is this one.
    if (::open("/dev/null", number == STDIN_FILENO ? O_RDONLY : O_WRONLY) != number) ::_exit(1);
  }
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

void restore_signals() {
  std::signal(SIGPIPE, SIG_DFL);
  std::signal(SIGXFSZ, SIG_DFL);
}

}  // namespace raven

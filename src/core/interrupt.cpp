#include "raven/core/interrupt.h"

#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <thread>

namespace raven {
namespace {

std::atomic<int> last_signal{0};

}  // namespace

std::stop_token watch_signals() {
  // A thread of its own takes the signals, so that no handler code is limited to what is
  // async-signal-safe; all other threads inherit the blocked mask.
  static std::stop_source source = [] {
    sigset_t watched;
    sigemptyset(&watched);
    for (const int number : {SIGINT, SIGTERM, SIGUSR1}) sigaddset(&watched, number);
    pthread_sigmask(SIG_BLOCK, &watched, nullptr);
    std::stop_source stop;
    std::thread([watched, stop]() mutable {
      while (true) {
        int number = 0;
        if (sigwait(&watched, &number) != 0) continue;
        if (last_signal.exchange(number) != 0 && number == SIGINT) _exit(130);
        stop.request_stop();
      }
    }).detach();
    return stop;
  }();
  return source.get_token();
}

int received_signal() noexcept { return last_signal.load(); }

}  // namespace raven

#include "raven/core/interrupt.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <functional>
#include <thread>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/log.h"
#include "raven/core/whole_work.h"
#include "support/temporary_folder.h"

namespace raven {
namespace {

using std::chrono::milliseconds;

constexpr auto kAnotherRequest = milliseconds(1300);

/// A process that watches signals, tells which one has asked for the stop, and goes on.
class Watching {
 public:
  explicit Watching(const std::function<void()>& before = [] {}) {
    if (::pipe(told_.data()) != 0) std::abort();
    child_ = ::fork();
    if (child_ == 0) {
      std::signal(SIGHUP, SIG_DFL);  // as nohup leaves it ignored
      before();
      const auto stop = watch_signals();
      tell(0);
      while (!stop.stop_requested()) std::this_thread::sleep_for(milliseconds(1));
      tell(received_signal());
      while (true) ::pause();
    }
    ::close(told_[1]);
    EXPECT_EQ(heard(), 0);
  }
  ~Watching() {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
    ::close(told_[0]);
  }

  void send(int number) const { ::kill(child_, number); }
  /// The next thing that it tells; -1 when it has ended, or tells nothing for long.
  int heard() const {
    constexpr int kLong_ms = 60'000;
    pollfd told{.fd = told_[0], .events = POLLIN, .revents = 0};
    if (::poll(&told, 1, kLong_ms) != 1) return -1;
    char number = 0;
    return ::read(told_[0], &number, 1) == 1 ? number : -1;
  }
  /// As waitpid gives it; 0 while it lives.
  int status() const {
    int status = 0;
    return ::waitpid(child_, &status, WNOHANG) == child_ ? status : 0;
  }
  int exit_code() const {
    int status = 0;
    ::waitpid(child_, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  void tell(int number) const {
    const char byte = static_cast<char>(number);
    if (::write(told_[1], &byte, 1) != 1) ::_exit(1);
  }

  std::array<int, 2> told_{};
  pid_t child_ = 0;
};

TEST(Interrupt, EachSignalAsksForAStop) {
  for (const int number : {SIGINT, SIGTERM, SIGUSR1, SIGHUP}) {
    const Watching process;
    process.send(number);
    EXPECT_EQ(process.heard(), number);
    EXPECT_EQ(process.status(), 0);
  }
}

TEST(Interrupt, ASecondOneOfAPersonEndsAtOnce) {
  for (const auto& [first, second] :
       {std::pair(SIGINT, SIGINT), std::pair(SIGTERM, SIGTERM), std::pair(SIGTERM, SIGINT)}) {
    const Watching process;
    process.send(first);
    EXPECT_EQ(process.heard(), first);
    std::this_thread::sleep_for(kAnotherRequest);
    process.send(second);
    EXPECT_EQ(process.exit_code(), 128 + second);
  }
}

TEST(Interrupt, TheSameSignalWithinASecondIsOne) {
  const Watching process;
  process.send(SIGINT);
  EXPECT_EQ(process.heard(), SIGINT);
  std::this_thread::sleep_for(milliseconds(250));
  process.send(SIGINT);
  std::this_thread::sleep_for(milliseconds(200));
  EXPECT_EQ(process.status(), 0);
}

TEST(Interrupt, ASecondOneWaitsForWholeWork) {
  const TemporaryFolder folder;
  const auto half = folder.path() / "half", whole = folder.path() / "whole";
  const Watching process([&] {
    sigset_t watched;  // as the thread would inherit it of watch_signals()
    sigemptyset(&watched);
    sigaddset(&watched, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &watched, nullptr);
    std::thread([=] {
      const WholeWork work;
      write_file_atomically(half, "");
      // Long enough for the second signal to find it at work.
      std::this_thread::sleep_for(3 * kAnotherRequest);
      std::filesystem::rename(half, whole);
    }).detach();
    while (!std::filesystem::exists(half)) std::this_thread::sleep_for(milliseconds(1));
  });
  process.send(SIGTERM);
  EXPECT_EQ(process.heard(), SIGTERM);
  std::this_thread::sleep_for(kAnotherRequest);
  process.send(SIGTERM);
  EXPECT_EQ(process.exit_code(), 128 + SIGTERM);
  EXPECT_TRUE(std::filesystem::exists(whole));
  EXPECT_FALSE(std::filesystem::exists(half));
}

TEST(Interrupt, TheFirstSaysWhatASecondDoes) {
  const TemporaryFolder folder;
  for (const auto& [number, expected] :
       {std::pair(SIGTERM, "stopping after this step; again to abort\n"),
        std::pair(SIGUSR1, "stopping after this step\n")}) {
    const auto file = folder.path() / std::to_string(number);
    const Watching process([&] {
      // Not closed: the process ends by a signal.
      const int out = ::open(file.c_str(), O_WRONLY | O_CREAT, 0600);
      ::dup2(out, STDERR_FILENO);
      log::start("info");
    });
    process.send(number);
    EXPECT_EQ(process.heard(), number);
    const auto text = read_file(file);
    EXPECT_EQ(text.substr(text.find(" W ") + 3), expected);
  }
}

TEST(Interrupt, WhatSchedulersAndLaunchersSendOneAfterAnotherIsOneRequest) {
  for (const auto& [first, second] :
       {std::pair(SIGUSR1, SIGTERM), std::pair(SIGINT, SIGTERM), std::pair(SIGHUP, SIGHUP)}) {
    const Watching process;
    process.send(first);
    EXPECT_EQ(process.heard(), first);
    std::this_thread::sleep_for(kAnotherRequest);
    process.send(second);
    std::this_thread::sleep_for(kAnotherRequest);
    EXPECT_EQ(process.status(), 0) << first << " and " << second;
  }
}

TEST(Interrupt, AHangupIgnoredFromTheStartStaysIgnored) {
  const Watching process([] { std::signal(SIGHUP, SIG_IGN); });
  process.send(SIGHUP);
  std::this_thread::sleep_for(kAnotherRequest);
  process.send(SIGTERM);
  EXPECT_EQ(process.heard(), SIGTERM);
}

int status_of(const std::function<void()>& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    work();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

TEST(PrepareProcess, NoFileTakesThePlaceOfAClosedStandardStream) {
  EXPECT_EQ(status_of([] {
              for (const int number : {0, 1, 2}) ::close(number);
              prepare_process();
              if (::open("/dev/null", O_RDONLY) <= 2) ::_exit(1);
              char byte = 0;
              if (::read(STDIN_FILENO, &byte, 1) != 0) ::_exit(2);
              if (::write(STDOUT_FILENO, "x", 1) != 1 || ::write(STDERR_FILENO, "x", 1) != 1)
                ::_exit(3);
            }),
            0);
}

TEST(PrepareProcess, AFileThatGrowsTooLargeIsAMessage) {
  const TemporaryFolder folder;
  EXPECT_EQ(status_of([&] {
              const rlimit limit{.rlim_cur = 1000, .rlim_max = 1000};
              ::setrlimit(RLIMIT_FSIZE, &limit);
              prepare_process();
              try {
                write_file_atomically(folder.path() / "a", std::string(5000, 'x'));
                ::_exit(1);
              } catch (const SystemError& error) {
                if (std::string(error.what()).find("ulimit -f") == std::string::npos) ::_exit(2);
              }
            }),
            0);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace raven

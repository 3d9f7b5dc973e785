#include "synth/workers.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <new>
#include <opencv2/core.hpp>
#include <thread>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/folder_lock.h"
#include "raven/core/interrupt.h"
#include "raven/core/log.h"
#include "raven/core/processors.h"
#include "raven/core/progress.h"

namespace raven::synth {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

enum class Failure : int { kNone, kOther, kUsage, kSystem };

/// What the processes share. Only lock-free atomics: a process may die at any point.
struct Board {
  std::atomic<std::int64_t> next{0}, made{0}, kept{0}, frames{0};
  std::atomic<bool> stop{false};
  std::atomic<bool> failed{false};  // set by the first to fail, which then owns the two below
  std::atomic<Failure> failure{Failure::kNone};
  std::array<char, 2048> message{};
};
static_assert(std::atomic<std::int64_t>::is_always_lock_free &&
              std::atomic<Failure>::is_always_lock_free);

class SharedBoard {
 public:
  SharedBoard()
      : memory_(::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                       -1, 0)) {
    if (memory_ == MAP_FAILED)
      throw SystemError(fmt::format("no shared memory: {}", std::strerror(errno)));
    new (memory_) Board;
  }
  ~SharedBoard() { ::munmap(memory_, sizeof(Board)); }
  SharedBoard(const SharedBoard&) = delete;
  SharedBoard& operator=(const SharedBoard&) = delete;
  Board* operator->() const { return static_cast<Board*>(memory_); }
  Board& operator*() const { return *static_cast<Board*>(memory_); }

 private:
  void* memory_;
};

void fail(Board& board, Failure failure, const std::string& message) {
  if (board.failed.exchange(true)) return;
  std::strncpy(board.message.data(), message.c_str(), board.message.size() - 1);
  board.failure.store(failure);
  board.stop.store(true);
}

/// The utterances of a few plans at a time, until none is left, a stop is asked for, or the parent
/// is gone.
void work(const CorpusOptions& options, const std::vector<UtterancePlan>& plans, std::int64_t share,
          Board& board, pid_t parent) {
  UtteranceMaker maker(options);
  while (true) {
    const auto first = board.next.fetch_add(share);
    const auto last = std::min(first + share, std::ssize(plans));
    for (auto i = first; i < last; ++i) {
      if (board.stop.load() || ::getppid() != parent) return;
      const auto& plan = plans[static_cast<std::size_t>(i)];
      if (files_of(options, plan).complete()) {
        ++board.kept;
        continue;
      }
      const auto cost = maker.make(plan);
      for (const auto& phoneme : cost.unknown_phonemes) {
        log::warn("utterance {}: no mouth shape for espeak-ng's phoneme '{}'", plan.name(),
                  phoneme);
      }
      board.frames += cost.frames;
      ++board.made;
    }
    if (last <= first) return;
  }
}

[[noreturn]] void run_worker(const CorpusOptions& options, const std::vector<UtterancePlan>& plans,
                             std::int64_t share, Board& board, pid_t parent,
                             const FolderLock& lock) {
  // A parent that is killed takes its workers along, and the folder is free from then on.
  lock.leave_to_parent();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) _exit(1);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGUSR1})
    std::signal(number, SIG_IGN);  // the parent asks for the stop
  cv::setNumThreads(1);
  try {
    work(options, plans, share, board, parent);
  } catch (const ConfigError& error) {
    fail(board, Failure::kUsage, full_message(error));
  } catch (const SystemError& error) {
    fail(board, Failure::kSystem, full_message(error));
  } catch (const std::exception& error) {
    fail(board, Failure::kOther, full_message(error));
  }
  _exit(0);
}

void claim_folder(const CorpusOptions& options) {
  const auto record = options.out / "synth.json";
  const auto wanted = describe(options);
  if (!fs::exists(record)) return write_file_atomically(record, wanted);
  if (read_file(record, 1 << 16) != wanted) {
    throw ConfigError(fmt::format(
        "{} holds a corpus of other options, see {}; give the same options to go on with "
        "it, or choose another --out",
        options.out.string(), record.string()));
  }
}

/// True while some worker runs. A worker that did not end by itself is a failure.
bool reap(std::vector<pid_t>& workers, Board& board) {
  for (auto& worker : workers) {
    int status = 0;
    if (worker <= 0 || ::waitpid(worker, &status, WNOHANG) == 0) continue;
    worker = 0;
    if (status == 0) continue;
    fail(board, Failure::kOther,
         WIFSIGNALED(status) ? fmt::format("a worker was ended by signal {}{}", WTERMSIG(status),
                                           WTERMSIG(status) == SIGKILL ? " (out of memory?)" : "")
                             : std::string("a worker ended early"));
  }
  return std::any_of(workers.begin(), workers.end(), [](pid_t worker) { return worker > 0; });
}

[[noreturn]] void throw_failure(const Board& board) {
  const std::string message(board.message.data());
  switch (board.failure.load()) {
    case Failure::kUsage:
      throw ConfigError(message);
    case Failure::kSystem:
      throw SystemError(message);
    default:
      throw Error(message);
  }
}

}  // namespace

CorpusReport make_corpus(const CorpusOptions& options, int num_workers) {
  const auto start = Clock::now();
  make_folders(options.out);
  const FolderLock lock(options.out);
  claim_folder(options);
  SensorNoise::tile();  // made once, before the workers
  const auto plans = plan_corpus(options);
  if (num_workers <= 0) num_workers = static_cast<int>(usable_processors());
  num_workers = static_cast<int>(std::min<std::int64_t>(num_workers, std::ssize(plans)));
  const auto share = std::clamp<std::int64_t>(std::ssize(plans) / (num_workers * 8), 1, 8);

  const SharedBoard board;
  std::vector<pid_t> workers;
  const pid_t parent = ::getpid();
  for (int i = 0; i < num_workers; ++i) {
    const pid_t worker = ::fork();
    if (worker == 0) run_worker(options, plans, share, *board, parent, lock);
    if (worker < 0) {
      fail(*board, Failure::kSystem,
           fmt::format("cannot start worker {}: {}", i, std::strerror(errno)));
      break;
    }
    workers.push_back(worker);
  }
  const auto stop = watch_signals();
  Progress progress("synth", std::ssize(plans), "utterances");
  while (reap(workers, *board)) {
    if (stop.stop_requested()) board->stop.store(true);
    const auto done = board->made.load() + board->kept.load();
    if (done < std::ssize(plans)) progress.update(done);  // the last report comes after the loop
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  if (board->failed.load()) throw_failure(*board);
  CorpusReport report;
  report.made = board->made.load();
  report.kept = board->kept.load();
  report.frames = board->frames.load();
  report.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  report.stopped = report.made + report.kept < std::ssize(plans);
  if (!report.stopped) {
    write_phonemes(options, plans);
    progress.update(std::ssize(plans));
  }
  return report;
}

}  // namespace raven::synth

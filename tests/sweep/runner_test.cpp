#include "raven/sweep/runner.h"

#include <signal.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "support/logged.h"
#include "sweep/sweep_fixture.h"

namespace raven::sweep {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kFour = "grid: {mask.prob: [0.1, 0.2]}\nseeds: [1, 2]\n";

class SweepRunner : public Sweeps {
 protected:
  /// Runs those that are not finished, by `body`.
  std::vector<Outcome> run(const std::vector<Run>& all, const std::string& body,
                           std::int64_t jobs = 1, const std::stop_token& stop = {},
                           const std::function<void(const std::vector<Outcome>&)>& tell = {}) {
    make_folders(dir());
    FinishedRuns finished(dir());
    std::vector<bool> todo;
    for (const auto& one : all) todo.push_back(!finished.has(one));
    return run_all(all, todo,
                   {.program = program(body),
                    .logs = dir() / "logs",
                    .jobs = jobs,
                    .stop = stop,
                    .tell = tell,
                    .done = [&](std::size_t i) { finished.add(all[i]); }});
  }
  static std::vector<State> states(const std::vector<Outcome>& outcomes) {
    std::vector<State> all;
    for (const auto& outcome : outcomes) all.push_back(outcome.state);
    return all;
  }
  /// sh: notes the run in a list, and makes its folder as raven would.
  [[nodiscard]] std::string note() const {
    return "echo $name >> " + (temporary_.path() / "begun").string() +
           "\nmkdir -p $dir\necho '{}' > $dir/config.json\n";
  }
  [[nodiscard]] std::string begun() const { return content(temporary_.path() / "begun"); }
};

TEST_F(SweepRunner, BeginsRunsInTheirOrderAndOnlyOnce) {
  const auto all = runs(kFour);
  EXPECT_THAT(states(run(all, note())),
              ElementsAre(State::kDone, State::kDone, State::kDone, State::kDone));
  EXPECT_EQ(begun(), "prob_0.1-seed_1\nprob_0.1-seed_2\nprob_0.2-seed_1\nprob_0.2-seed_2\n");
  EXPECT_THAT(states(run(all, note())),
              ElementsAre(State::kDone, State::kDone, State::kDone, State::kDone));
  EXPECT_EQ(begun(), "prob_0.1-seed_1\nprob_0.1-seed_2\nprob_0.2-seed_1\nprob_0.2-seed_2\n");
}

TEST_F(SweepRunner, AFailureIsToldAndDoesNotKeepTheOthers) {
  const auto all = runs(kFour);
  const std::string fails_once =
      "case $name in *1-seed_2) [ -e $dir/mended ] || { echo 12:00:00 I starts; echo no data; "
      "echo make them >&2; exit 2; };; esac\n";
  std::vector<Outcome> outcomes;
  const auto said = logged([&] { outcomes = run(all, note() + fails_once); });
  EXPECT_THAT(said, HasSubstr("prob_0.1-seed_2 failed: exit code 2: no data; make them"));
  EXPECT_THAT(states(outcomes),
              ElementsAre(State::kDone, State::kFailed, State::kDone, State::kDone));
  EXPECT_EQ(outcomes[1].reason, "exit code 2: no data; make them");
  EXPECT_THAT(content(dir() / "logs" / "prob_0.1-seed_2.txt"), HasSubstr("no data"));
  write_file_atomically(all[1].folder / "mended", "");
  EXPECT_EQ(states(run(all, note() + fails_once))[1], State::kDone);
  EXPECT_THAT(begun(), testing::EndsWith("prob_0.2-seed_2\nprob_0.1-seed_2\n"));
}

TEST_F(SweepRunner, AProgramThatCannotStartOrIsKilledHasFailed) {
  const auto all = runs("runs: {a: }\n");
  EXPECT_EQ(run(all, "kill -9 $$\n")[0].reason, "ended by signal 9");
  const auto outcomes =
      run_all(all, {true}, {.program = temporary_.path() / "none", .logs = dir() / "logs"});
  EXPECT_EQ(outcomes[0].state, State::kFailed);
  EXPECT_THAT(outcomes[0].reason, HasSubstr("none"));
}

TEST_F(SweepRunner, AStopAsksEachRunOnceAndTheSweepGoesOn) {
  const auto all = runs(kFour);
  // Ends with a "checkpoint" when it is asked; a second SIGTERM would kill it without.
  const std::string works =
      "[ -e $dir/checkpoint ] && { echo went on >> $dir/log; exit 0; }\n"
      "trap 'trap - TERM; sleep 0.3; echo saved > $dir/checkpoint; exit 75' TERM\n"
      "case $name in *1-seed_1) exit 0;; esac\n"
      "touch $dir/ready\nwhile :; do sleep 0.05; done\n";
  std::stop_source stop;
  const std::jthread asker([&] {
    while (!fs::exists(all[1].folder / "ready") || !fs::exists(all[2].folder / "ready"))
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    stop.request_stop();
  });
  EXPECT_THAT(states(run(all, note() + works, /*jobs=*/2, stop.get_token())),
              ElementsAre(State::kDone, State::kStopped, State::kStopped, State::kNotBegun));
  EXPECT_EQ(content(all[1].folder / "checkpoint"), "saved\n");
  EXPECT_EQ(content(all[2].folder / "checkpoint"), "saved\n");
  EXPECT_FALSE(fs::exists(all[3].folder));

  write_file_atomically(temporary_.path() / "begun", "");
  make_folders(all[3].folder);
  write_file_atomically(all[3].folder / "checkpoint", "");
  EXPECT_THAT(states(run(all, note() + works)),
              ElementsAre(State::kDone, State::kDone, State::kDone, State::kDone));
  EXPECT_EQ(content(all[1].folder / "log"), "went on\n");
  EXPECT_EQ(begun(), "prob_0.1-seed_2\nprob_0.2-seed_1\nprob_0.2-seed_2\n");
}

TEST_F(SweepRunner, KeepsTheNumberOfJobs) {
  std::size_t most = 0;
  run(runs(kFour), "sleep 0.2\n", /*jobs=*/3, {}, [&](const std::vector<Outcome>& outcomes) {
    most =
        std::max<std::size_t>(most, std::ranges::count(outcomes, State::kRunning, &Outcome::state));
  });
  EXPECT_EQ(most, 3U);
}

/// As `raven` has its signals: SIGTERM for the thread that watches, SIGPIPE for nobody.
class SignalsOfRaven {
 public:
  SignalsOfRaven() {
    sigset_t watched;
    sigemptyset(&watched);
    sigaddset(&watched, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &watched, &mask_);
    pipe_ = std::signal(SIGPIPE, SIG_IGN);
  }
  ~SignalsOfRaven() {
    pthread_sigmask(SIG_SETMASK, &mask_, nullptr);
    std::signal(SIGPIPE, pipe_);
  }
  SignalsOfRaven(const SignalsOfRaven&) = delete;
  SignalsOfRaven& operator=(const SignalsOfRaven&) = delete;

 private:
  sigset_t mask_{};
  void (*pipe_)(int) = SIG_DFL;
};

TEST_F(SweepRunner, RunsReadNothingAndGetSignalsAsFromAShell) {
  const SignalsOfRaven signals;
  const auto all = runs("runs: {a: }\n");
  run(all, "cat\ngrep SigBlk /proc/self/status\ngrep SigIgn /proc/self/status\n");
  const auto output = content(dir() / "logs" / "a.txt");
  const auto has = [&](const std::string& line, int number) {
    const auto mask = std::stoull(output.substr(output.find(line) + line.size()), nullptr, 16);
    return (mask >> (number - 1) & 1) != 0;
  };
  EXPECT_EQ(output.find("SigBlk:\t"), 0U) << output;
  EXPECT_FALSE(has("SigBlk:\t", SIGTERM)) << output;
  EXPECT_FALSE(has("SigIgn:\t", SIGPIPE)) << output;
}

}  // namespace
}  // namespace raven::sweep

#include "distributed/watch.h"

#include <gmock/gmock.h>

#include <chrono>
#include <memory>
#include <thread>
#include <torch/csrc/distributed/c10d/HashStore.hpp>

#include "raven/core/error.h"

namespace raven::distributed {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;

class WatchTest : public testing::Test {
 protected:
  /// Ranks of one store, which is a launcher's.
  [[nodiscard]] std::shared_ptr<Watch> watch(std::int64_t rank,
                                             const WatchSettings& settings) const {
    Meeting meeting{.host = "n1", .port = 1, .room = "r", .store = store_, .members = {}};
    for (std::int64_t i = 0; i < 2; ++i)
      meeting.members.push_back({.host = fmt::format("n{}", i + 1), .process = 70 + i});
    const Launch launch{.rank = rank, .size = 2, .host = "n1", .port = 1, .has_store = true};
    auto watch = std::make_shared<Watch>(meeting, store_, launch, settings);
    watch->start();
    return watch;
  }
  /// "<code> <message>" of the verdict, once there is one.
  static std::string verdict_of(Watch& watch) {
    for (int i = 0; i < 400; ++i) {
      try {
        watch.throw_if_ended();
      } catch (const PeerError& error) {
        return fmt::format("{} {}", exit_code_of(error), error.what());
      }
      std::this_thread::sleep_for(50ms);
    }
    return "none";
  }

  Store store_ = c10::make_intrusive<c10d::HashStore>();
};

WatchSettings settings(std::chrono::seconds lost, std::chrono::seconds hang) {
  return {.lost = lost, .hang = hang, .end = [](const Verdict&) {}};
}

const WatchSettings kShortHang = settings(60s, 1s);

TEST_F(WatchTest, ARankThatDoesNotComeIsAHang) {
  const auto first = watch(0, kShortHang), second = watch(1, kShortHang);
  second->note(7, "reading a batch", false);
  {
    const Watch::Call call(*first, "sum");
    EXPECT_THAT(verdict_of(*first), AllOf(HasSubstr("75 a hang"), HasSubstr("call 1, for rank 1"),
                                          HasSubstr("at step 7, reading a batch")));
  }
  EXPECT_THAT(verdict_of(*second), HasSubstr("a hang")) << "both hear of it";
  first->follow_verdict(), second->follow_verdict();
}

TEST_F(WatchTest, RanksThatWaitInOtherCallsAreAHang) {
  const auto first = watch(0, kShortHang), second = watch(1, kShortHang);
  {
    const Watch::Call one(*first, "sum"), other(*second, "broadcast");
    EXPECT_THAT(verdict_of(*first),
                AllOf(HasSubstr("all ranks have waited"), HasSubstr("rank 0: sum"),
                      HasSubstr("rank 1: broadcast")));
  }
  first->follow_verdict(), second->follow_verdict();
}

TEST_F(WatchTest, LongWorkIsNoHang) {
  const auto first = watch(0, kShortHang), second = watch(1, kShortHang);
  second->note(7, "evaluating", /*long_work=*/true);
  const auto call = std::make_unique<Watch::Call>(*first, "sum");
  std::this_thread::sleep_for(2500ms);
  EXPECT_NO_THROW(first->throw_if_ended());
  EXPECT_NO_THROW(second->throw_if_ended());
}

TEST_F(WatchTest, ARankThatIsNotHeardOfIsLost) {
  const auto first = watch(0, settings(1s, 60s));  // rank 1 has died before its first word
  EXPECT_THAT(verdict_of(*first),
              AllOf(HasSubstr("75 rank 1 (n2, process 71) is lost"), HasSubstr("starting")));
  first->follow_verdict();
}

TEST_F(WatchTest, ARankThatHasLeftIsNotLost) {
  const auto first = watch(0, settings(1s, 60s)), second = watch(1, settings(1s, 60s));
  std::this_thread::sleep_for(600ms);
  second->leave();
  EXPECT_TRUE(second->stop());
  std::this_thread::sleep_for(3s);
  EXPECT_NO_THROW(first->throw_if_ended());
  EXPECT_TRUE(first->stop());
}

TEST_F(WatchTest, WhatNobodyNamesIsTheVerdictOfTheRankThatSawIt) {
  const auto soon = settings(3s, 60s);
  const auto first = watch(0, soon), second = watch(1, soon);
  second->note(3, "training", false);
  try {
    second->throw_verdict("a connection broke", 75);
  } catch (const PeerError& error) {
    EXPECT_STREQ(error.what(), "rank 1 (n2, process 71), at step 3: a connection broke");
  }
  EXPECT_THAT(verdict_of(*first), HasSubstr("75 rank 1 (n2, process 71), at step 3: a connection"));
  first->follow_verdict();
}

}  // namespace
}  // namespace raven::distributed

#include "distributed/store.h"

#include <gmock/gmock.h>

#include <chrono>
#include <functional>
#include <stop_token>
#include <thread>

#include "raven/core/error.h"
#include "raven/core/interrupt.h"

namespace raven::distributed {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

/// A store that a launcher keeps, and ranks that are threads.
class MeetingTest : public testing::Test {
 protected:
  void SetUp() override {
    c10d::TCPStoreOptions options;
    options.isServer = true;
    options.port = 0;
    options.waitWorkers = false;
    kept_ = c10::make_intrusive<c10d::TCPStore>("127.0.0.1", options);
  }

  [[nodiscard]] Launch launch(std::int64_t rank, std::int64_t size = 2) const {
    return {.by = "torchrun",
            .rank = rank,
            .size = size,
            .host = "127.0.0.1",
            .port = kept_->getPort(),
            .has_store = true};
  }

  /// What each rank meets, or how it fails: "<code> <message>".
  struct Met {
    std::string room, problem;
    std::vector<Member> members;
  };
  static Met met(const Launch& launch, std::chrono::seconds longest,
                 const std::stop_token& stop = {}) {
    try {
      const auto meeting = meet(launch, longest, stop);
      return {.room = meeting.room, .problem = {}, .members = meeting.members};
    } catch (const std::exception& error) {
      return {.room = {},
              .problem = fmt::format("{} {}", exit_code_of(error), error.what()),
              .members = {}};
    }
  }
  static std::vector<Met> all_meet(const std::vector<Launch>& launches,
                                   std::chrono::seconds longest = 20s) {
    std::vector<Met> all(launches.size());
    {
      std::vector<std::jthread> threads;
      for (std::size_t i = 0; i < launches.size(); ++i)
        threads.emplace_back([&, i] { all[i] = met(launches[i], longest); });
    }
    return all;
  }

  c10::intrusive_ptr<c10d::TCPStore> kept_;
};

TEST_F(MeetingTest, RanksMeetAgainInTheSameStore) {
  const auto first = all_meet({launch(0), launch(1)});
  ASSERT_EQ(first[0].problem, "");
  EXPECT_EQ(first[0].room, first[1].room);
  EXPECT_EQ(first[1].members.size(), 2U);
  EXPECT_EQ(first[1].members[0].address, "127.0.0.1");
  const auto second = all_meet({launch(1), launch(0)});  // started again, of which no rank is told
  EXPECT_EQ(second[0].problem, "");
  EXPECT_EQ(second[0].room, second[1].room);
  EXPECT_NE(second[0].room, first[0].room);
}

TEST_F(MeetingTest, ARankThatDiedBeforeIsNotHeard) {
  {
    std::stop_source stop;
    std::jthread late([&] {
      std::this_thread::sleep_for(300ms);
      stop.request_stop();
    });
    EXPECT_THAT(met(launch(1), 20s, stop.get_token()).problem, HasSubstr("75 stopped before"));
  }
  const auto now = all_meet({launch(0), launch(1)});
  EXPECT_EQ(now[0].problem, "");
  EXPECT_EQ(now[1].problem, "");
}

TEST_F(MeetingTest, TwoOfOneRankAreRefused) {
  for (const std::int64_t twice : {0, 1}) {
    const auto all = all_meet({launch(0, 3), launch(1, 3), launch(twice, 3)});
    const auto refused = std::ranges::count_if(all, [&](const Met& one) {
      return one.problem.find(fmt::format("two processes were started as rank {}", twice)) !=
             std::string::npos;
    });
    EXPECT_GE(refused, 1) << all[0].problem << all[1].problem << all[2].problem;
  }
}

TEST_F(MeetingTest, AnotherNumberOfRanksIsRefused) {
  const auto all = all_meet({launch(0, 2), launch(1, 3)}, 3s);
  EXPECT_THAT(all[0].problem + all[1].problem, HasSubstr("WORLD_SIZE must be the same for all"));
}

TEST_F(MeetingTest, WhoIsMissingIsNamed) {
  EXPECT_THAT(met(launch(0, 3), 1s).problem,
              HasSubstr("1 of 3 ranks are here; missing: 1, 2 after 1 s"));
  EXPECT_THAT(met(launch(1, 3), 1s).problem, HasSubstr("rank 0 has not come"));
}

TEST_F(MeetingTest, OneThatFailsBeforeItJoinsIsHeard) {
  for (const std::int64_t failing : {0, 1}) {
    Met other;
    {
      std::jthread waits([&] { other = met(launch(1 - failing), 30s); });
      tell_waiting_ranks(launch(failing), {.code = 2, .text = "rank failed: no list"}, 10s);
    }
    EXPECT_EQ(other.problem, "2 rank failed: no list");
  }
}

}  // namespace
}  // namespace raven::distributed

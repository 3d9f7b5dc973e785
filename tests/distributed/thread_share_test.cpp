#include "raven/distributed/thread_share.h"

#include <gtest/gtest.h>

#include <optional>

#include "support/ranks_in_threads.h"

namespace raven::distributed {
namespace {

TEST(ThreadShare, RanksDivideTheCoresThatTheyShare) {
  const RankCores all{.host = "n1", .mask = "ff", .cores = 8};
  EXPECT_EQ(threads_of_each({all, all}), 4) << "torchrun: all may run on all";
  EXPECT_EQ(threads_of_each({all, all, all}), 2);
  EXPECT_EQ(threads_of_each({all, {.host = "n2", .mask = "ff", .cores = 8}}), 8) << "two hosts";
}

TEST(ThreadShare, RanksThatAreBoundKeepTheirOwn) {
  EXPECT_EQ(threads_of_each({{.host = "n1", .mask = "0f", .cores = 4},
                             {.host = "n1", .mask = "f0", .cores = 4}}),
            4);
  EXPECT_EQ(threads_of_each({{.host = "n1", .mask = "00000000,0000000f", .cores = 4},
                             {.host = "n1", .mask = "0000000f,00000000", .cores = 4}}),
            4)
      << "processors 0 to 3, and 32 to 35";
  EXPECT_EQ(threads_of_each({{.host = "n1", .mask = "00000001,00000000", .cores = 1},
                             {.host = "n1", .mask = "3,00000000", .cores = 2}}),
            1);
}

TEST(ThreadShare, AllTakeAsManyAsTheSmallestHas) {
  const RankCores two{.host = "n1", .mask = "ff", .cores = 8};
  EXPECT_EQ(threads_of_each({two, two, {.host = "n2", .mask = "ff", .cores = 8}}), 4)
      << "two tasks on one host, one on the other";
  EXPECT_EQ(threads_of_each({{.host = "pod-0", .mask = "ffff", .cores = 3},
                             {.host = "pod-1", .mask = "ffff", .cores = 5}}),
            3)
      << "quotas of containers";
  const RankCores many{.host = "n1", .mask = "3", .cores = 2};
  EXPECT_EQ(threads_of_each({many, many, many}), 1);
}

TEST(ThreadShare, OfAllRanksIsTheSame) {
  std::vector<std::int64_t> threads(2);
  RanksInThreads(2).run([&](Communicator& ranks) {
    threads[static_cast<std::size_t>(ranks.rank())] = agree_on_threads(ranks, 0);
    EXPECT_EQ(agree_on_threads(ranks, 5), 5);
  });
  EXPECT_GE(threads[0], 1);
  EXPECT_EQ(threads[0], threads[1]);
  EXPECT_EQ(agree_on_threads(one_rank(), 0), 0) << "LibTorch's own choice";
}

}  // namespace
}  // namespace raven::distributed

#include "raven/doctor/ranks.h"

#include <gmock/gmock.h>

#include "doctor/find.h"
#include "raven/core/error.h"

namespace raven::doctor {
namespace {

using testing::HasSubstr;

constexpr BaseStep kBase{.gradient_bytes = 478.5e6, .batch_norm_sums = 338};

/// Four ranks on two hosts.
std::vector<RankFacts> four() {
  std::vector<RankFacts> ranks;
  for (std::int64_t rank = 0; rank < 4; ++rank) {
    ranks.push_back({.rank = rank,
                     .host = rank < 2 ? "n1" : "n2",
                     .machine = rank < 2 ? "boot1" : "boot2",
                     .raven = "0.1.0 abc",
                     .torch = "2.11.0",
                     .threads = 8,
                     .vectors = "AVX2",
                     .device = "cpu"});
  }
  return ranks;
}

TEST(Ranks, ThatAreAlikeAreFine) {
  const auto findings = check_ranks(four(), 0.5);
  for (const auto& finding : findings)
    EXPECT_EQ(finding.level, Level::kOk) << finding.id << " " << finding.what;
  EXPECT_EQ(find(findings, "ranks.meeting").what,
            "4 ranks on 2 hosts met within 0.5 s: ranks 0-1 (n1), 2-3 (n2)");
}

TEST(Ranks, OfOtherVersionsOrThreadsAreNamed) {
  auto ranks = four();
  ranks[2].raven = "0.1.0 def";
  ranks[3].threads = 4;
  const auto findings = check_ranks(ranks, 0.5);
  expect_explained(findings);
  EXPECT_EQ(level(findings, "ranks.versions"), Level::kFailure);
  EXPECT_THAT(find(findings, "ranks.versions").what,
              HasSubstr("raven 0.1.0 def, LibTorch 2.11.0 of rank 2 (n2)"));
  EXPECT_EQ(level(findings, "ranks.threads"), Level::kFailure);
  EXPECT_THAT(find(findings, "ranks.threads").what,
              HasSubstr("8 threads of ranks 0-1 (n1), 2 (n2)"));
  EXPECT_THAT(find(findings, "ranks.threads").remedy, HasSubstr("threads=4"));
}

TEST(Ranks, OfOtherMachinesAreSlower) {
  auto ranks = four();
  ranks[3].vectors = "AVX512";
  ranks[3].device = "NVIDIA H200";
  const auto findings = check_ranks(ranks, 0.5);
  expect_explained(findings);
  EXPECT_EQ(level(findings, "ranks.threads"), Level::kWarning);
  EXPECT_EQ(level(findings, "ranks.devices"), Level::kWarning);
}

TEST(Ranks, HaveAGpuEach) {
  auto ranks = four();
  for (auto& rank : ranks) {
    rank.device = "NVIDIA H200";
    rank.gpu = rank.rank % 2 == 0 ? "cuda:0 of all" : "cuda:1 of all";
  }
  EXPECT_EQ(level(check_ranks(ranks, 0), "ranks.devices"), Level::kOk);
  ranks[3].gpu = "cuda:0 of all";
  const auto findings = check_ranks(ranks, 0);
  expect_explained(findings);
  EXPECT_THAT(find(findings, "ranks.devices").what, HasSubstr("ranks 2-3 (n2) have one GPU"));
}

TEST(Ranks, OfHostsWithOneNameAreHardToTellApart) {
  auto ranks = four();
  for (auto& rank : ranks) rank.host = "localhost";
  const auto findings = check_ranks(ranks, 0);
  expect_explained(findings);
  EXPECT_THAT(find(findings, "ranks.meeting").means, HasSubstr("2 hosts are called localhost"));
}

TEST(Ranks, TellTheirTroublesOnce) {
  auto ranks = four();
  const Finding fine{.id = "launcher.rank", .what = "RANK=0"},
      full{.id = "memory.available",
           .level = Level::kFailure,
           .what = "1 MiB free",
           .means = "x",
           .remedy = "y"},
      blocking{.id = "ranks.variables",
               .level = Level::kWarning,
               .what = "CUDA_LAUNCH_BLOCKING=1",
               .means = "x",
               .remedy = "y"};
  for (auto& rank : ranks) rank.findings = {fine, blocking};
  ranks[1].findings.push_back(full);
  ranks[3].findings.push_back(full);
  const auto findings = findings_of(ranks);
  ASSERT_EQ(findings.size(), 3U);
  EXPECT_EQ(findings[0].what, "RANK=0");
  EXPECT_EQ(findings[1].what, "all ranks: CUDA_LAUNCH_BLOCKING=1");
  EXPECT_EQ(findings[2].what, "ranks 1 (n1), 3 (n2): 1 MiB free");
  EXPECT_FALSE(can_run(findings));
}

TEST(Ranks, ComeThroughATextAsTheyAre) {
  auto rank = four()[2];
  rank.gpu = "cuda:1 of \"0,1\"\n";
  rank.findings = {{.id = "a", .level = Level::kFailure, .what = "b", .means = "c", .remedy = "d"}};
  const auto read = parse_rank(rank_text(rank));
  EXPECT_EQ(rank_text(read), rank_text(rank));
  EXPECT_EQ(read.rank, 2);
  EXPECT_EQ(read.gpu, rank.gpu);
  EXPECT_EQ(read.findings.front().level, Level::kFailure);
  EXPECT_THROW(parse_rank("x"), InternalError);
}

TEST(Links, TellWhatTheyMeanForABaseStep) {
  const LinkSpeed fast{
      .ranks = 2,
      .latency_median_s = 50e-6,
      .latency_p95_s = 90e-6,
      .sums = {{.bytes = 1 << 20, .seconds = 1e-3}, {.bytes = 64 << 20, .seconds = 0.064}}};
  const auto findings = check_links(fast, kBase);
  EXPECT_EQ(level(findings, "ranks.latency"), Level::kOk);
  EXPECT_EQ(level(findings, "ranks.bandwidth"), Level::kOk);
  EXPECT_THAT(find(findings, "ranks.latency").what, HasSubstr("50 us (median; 95 % within 90 us)"));
  const auto what = find(findings, "ranks.bandwidth").what;
  EXPECT_THAT(what, HasSubstr("1 MiB in 1.0 ms (1.05 GB/s), 64 MiB in 64.0 ms (1.05 GB/s)"));
  EXPECT_THAT(what, HasSubstr("(456 MiB): 456.3 ms"));
  // Of two ranks each sends and receives what it sums: 1.05 GB/s are 8.39 Gbit/s.
  EXPECT_THAT(what, HasSubstr("--link 8.39 --link-latency 40"));
}

TEST(Links, ThatAreSlowAreNamed) {
  const LinkSpeed slow{.ranks = 4,
                       .latency_median_s = 5e-3,
                       .latency_p95_s = 9e-3,
                       .sums = {{.bytes = 1 << 20, .seconds = 1}}};
  const auto findings = check_links(slow, kBase);
  expect_explained(findings);
  EXPECT_EQ(level(findings, "ranks.latency"), Level::kWarning);
  EXPECT_THAT(find(findings, "ranks.latency").means, HasSubstr("1.69 s"));
  EXPECT_EQ(level(findings, "ranks.bandwidth"), Level::kWarning);
  EXPECT_THAT(find(findings, "ranks.bandwidth").means, HasSubstr("456"));
}

}  // namespace
}  // namespace raven::doctor

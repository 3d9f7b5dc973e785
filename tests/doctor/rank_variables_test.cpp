#include "raven/doctor/rank_variables.h"

#include <gmock/gmock.h>

#include "doctor/find.h"

namespace raven::doctor {
namespace {

using testing::HasSubstr;

const RankUse kGpu{.gpu = true, .local_ranks = 4, .infiniband = {"mlx5_0"}};

TEST(RankVariables, OfNobodyAreFine) {
  EXPECT_EQ(level(check_rank_variables({}, kGpu), "ranks.variables"), Level::kOk);
  const Variables torchrun = {{"OMP_NUM_THREADS", "1"}, {"TORCH_NCCL_ASYNC_ERROR_HANDLING", "1"}};
  EXPECT_EQ(level(check_rank_variables(torchrun, kGpu), "ranks.variables"), Level::kOk);
  const Variables off = {{"NCCL_P2P_DISABLE", "0"},      {"TORCH_NCCL_BLOCKING_WAIT", "false"},
                         {"CUDA_LAUNCH_BLOCKING", ""},   {"NCCL_LAUNCH_MODE", "PARALLEL"},
                         {"NCCL_IB_DISABLE", "0"},       {"OMP_PROC_BIND", "false"},
                         {"NCCL_SOCKET_IFNAME", "eth0"}, {"TORCH_NCCL_ENABLE_MONITORING", "1"}};
  EXPECT_EQ(level(check_rank_variables(off, kGpu), "ranks.variables"), Level::kOk);
}

TEST(RankVariables, ThatHangOrSlowAreNamed) {
  const std::pair<const char*, const char*> harmful[] = {{"NCCL_P2P_DISABLE", "1"},
                                                         {"NCCL_P2P_LEVEL", "LOC"},
                                                         {"NCCL_SHM_DISABLE", "1"},
                                                         {"NCCL_IB_DISABLE", "1"},
                                                         {"NCCL_ALGO", "Ring"},
                                                         {"NCCL_PROTO", "LL128"},
                                                         {"NCCL_LAUNCH_MODE", "GROUP"},
                                                         {"NCCL_ASYNC_ERROR_HANDLING", "0"},
                                                         {"TORCH_NCCL_ASYNC_ERROR_HANDLING", "2"},
                                                         {"NCCL_BLOCKING_WAIT", "1"},
                                                         {"TORCH_NCCL_BLOCKING_WAIT", "true"},
                                                         {"TORCH_NCCL_ENABLE_MONITORING", "0"},
                                                         {"TORCH_NCCL_DESYNC_DEBUG", "1"},
                                                         {"TORCH_NCCL_NAN_CHECK", "1"},
                                                         {"CUDA_LAUNCH_BLOCKING", "1"},
                                                         {"OMP_PROC_BIND", "close"},
                                                         {"GOMP_CPU_AFFINITY", "0-3"},
                                                         {"KMP_AFFINITY", "compact"}};
  for (const auto& [name, value] : harmful) {
    const auto findings = check_rank_variables({{name, value}}, kGpu);
    ASSERT_EQ(findings.size(), 1U) << name;
    EXPECT_EQ(findings[0].level, Level::kWarning) << name;
    EXPECT_EQ(findings[0].what, std::string(name) + "=" + value);
    EXPECT_THAT(findings[0].remedy, HasSubstr(name));
    expect_explained(findings);
  }
  EXPECT_EQ(
      check_rank_variables({{"NCCL_P2P_DISABLE", "1"}, {"CUDA_LAUNCH_BLOCKING", "1"}}, kGpu).size(),
      2U);
}

TEST(RankVariables, MatterWhereTheyAct) {
  const RankUse cpu{.gpu = false, .local_ranks = 4};
  EXPECT_EQ(level(check_rank_variables({{"NCCL_P2P_DISABLE", "1"}}, cpu), "ranks.variables"),
            Level::kOk);
  const Variables bound = {{"OMP_PROC_BIND", "true"}};
  EXPECT_EQ(level(check_rank_variables(bound, cpu), "ranks.variables"), Level::kWarning);
  EXPECT_EQ(level(check_rank_variables(bound, {.local_ranks = 1}), "ranks.variables"), Level::kOk);
  const RankUse no_infiniband{.gpu = true};
  EXPECT_EQ(
      level(check_rank_variables({{"NCCL_IB_DISABLE", "1"}}, no_infiniband), "ranks.variables"),
      Level::kOk);
}

}  // namespace
}  // namespace raven::doctor

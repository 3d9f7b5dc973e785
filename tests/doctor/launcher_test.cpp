#include "raven/doctor/launcher.h"

#include <gmock/gmock.h>

#include "doctor/find.h"

namespace raven::doctor {
namespace {

using testing::HasSubstr;

/// The variables that torchrun gives to the second of four processes on two nodes.
Variables torchrun() {
  return {{"RANK", "1"},
          {"WORLD_SIZE", "4"},
          {"LOCAL_RANK", "1"},
          {"LOCAL_WORLD_SIZE", "2"},
          {"MASTER_ADDR", "node1"},
          {"MASTER_PORT", "29500"},
          {"SLURM_JOB_ID", "7"},
          {"SLURM_NTASKS", "2"},
          {"SLURM_NNODES", "2"},
          {"SLURM_PROCID", "0"},
          {"TORCHELASTIC_RUN_ID", "none"}};
}

Variables with(Variables variables, const std::string& name, const std::string& value) {
  variables[name] = value;
  return variables;
}

Variables without(Variables variables, const std::string& name) {
  variables.erase(name);
  return variables;
}

TEST(Launcher, OneProcessAndTorchrunAreFine) {
  for (const auto& variables : {Variables{}, torchrun()}) {
    for (const auto& finding : check_launcher(variables, 2))
      EXPECT_EQ(finding.level, Level::kOk) << finding.id << " " << finding.what;
  }
  EXPECT_EQ(world_size({}), 1);
  EXPECT_EQ(world_size(torchrun()), 4);
  EXPECT_EQ(world_size({{"WORLD_SIZE", "x"}}), 1);
}

TEST(Launcher, RankAndWorldSizeGoTogether) {
  for (const auto& variables :
       {without(torchrun(), "RANK"), without(torchrun(), "WORLD_SIZE"),
        with(torchrun(), "RANK", "4"), with(torchrun(), "RANK", "-1"), with(torchrun(), "RANK", ""),
        with(torchrun(), "WORLD_SIZE", "0"), with(torchrun(), "WORLD_SIZE", "four"),
        with(torchrun(), "RANK", "99999999999999999999")}) {
    const auto findings = check_launcher(variables, 2);
    EXPECT_EQ(level(findings, "launcher.rank"), Level::kFailure);
    expect_explained(findings);
  }
}

TEST(Launcher, SeveralProcessesNeedAPlaceToMeet) {
  EXPECT_THAT(
      find(check_launcher(without(torchrun(), "MASTER_ADDR"), 2), "launcher.rendezvous").what,
      HasSubstr("MASTER_ADDR is not set"));
  EXPECT_THAT(
      find(check_launcher(with(torchrun(), "MASTER_ADDR", " "), 2), "launcher.rendezvous").what,
      HasSubstr("is empty"));
  EXPECT_EQ(level(check_launcher(without(torchrun(), "MASTER_PORT"), 2), "launcher.rendezvous"),
            Level::kFailure);
  for (const auto* port : {"0", "65536", "http"})
    EXPECT_EQ(
        level(check_launcher(with(torchrun(), "MASTER_PORT", port), 2), "launcher.rendezvous"),
        Level::kFailure)
        << port;
}

TEST(Launcher, EachProcessNeedsItsGpu) {
  EXPECT_THAT(find(check_launcher(torchrun(), 1), "launcher.local_rank").what,
              HasSubstr("LOCAL_RANK is 1, but this process sees 1 GPU"));
  EXPECT_EQ(level(check_launcher(torchrun(), 0), "launcher.local_rank"), Level::kOk);  // on CPUs
  EXPECT_EQ(level(check_launcher(with(torchrun(), "LOCAL_RANK", "2"), 0), "launcher.local_rank"),
            Level::kFailure);
  EXPECT_EQ(
      level(check_launcher(without(torchrun(), "LOCAL_WORLD_SIZE"), 2), "launcher.local_rank"),
      Level::kOk);
}

TEST(Launcher, SlurmAndTheVariablesAgree) {
  const Variables srun = {{"RANK", "1"},         {"WORLD_SIZE", "4"},   {"MASTER_ADDR", "a"},
                          {"MASTER_PORT", "1"},  {"SLURM_JOB_ID", "7"}, {"SLURM_NTASKS", "4"},
                          {"SLURM_NNODES", "2"}, {"SLURM_PROCID", "1"}};
  EXPECT_EQ(level(check_launcher(srun, 0), "launcher.slurm"), Level::kOk);
  for (const auto& variables :
       {with(srun, "SLURM_NTASKS", "8"), with(srun, "SLURM_PROCID", "2"),
        without(without(srun, "RANK"), "WORLD_SIZE"), with(torchrun(), "WORLD_SIZE", "3")}) {
    EXPECT_EQ(level(check_launcher(variables, 0), "launcher.slurm"), Level::kWarning);
    expect_explained(check_launcher(variables, 0));
  }
}

TEST(Launcher, TasksOfSrunAreRanksByThemselves) {
  const Variables task = {{"SLURM_JOB_ID", "7"}, {"SLURM_NTASKS", "4"},
                          {"SLURM_PROCID", "1"}, {"SLURM_STEP_ID", "0"},
                          {"SLURM_NNODES", "2"}, {"SLURM_STEP_NUM_TASKS", "4"}};
  const auto findings = check_launcher(task, 0);
  EXPECT_EQ(level(findings, "launcher.slurm"), Level::kOk);
  EXPECT_THAT(find(findings, "launcher.rank").what,
              HasSubstr("no RANK, but SLURM_STEP_NUM_TASKS=4"));
  const auto script = check_launcher(without(task, "SLURM_STEP_NUM_TASKS"), 0);
  EXPECT_THAT(find(script, "launcher.slurm").remedy, HasSubstr("srun raven"));
  EXPECT_THAT(find(script, "launcher.rank").what, HasSubstr("one process alone"));
}

}  // namespace
}  // namespace raven::doctor

#include "raven/distributed/launch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "raven/core/error.h"

namespace raven::distributed {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string problem(const Variables& variables) {
  try {
    read_launch(variables);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

TEST(ReadLaunch, OneProcessWhereNothingIsSaid) {
  EXPECT_EQ(read_launch({}).size, 1);
  EXPECT_EQ(read_launch({{"WORLD_SIZE", "1"}}).size, 1);
  EXPECT_EQ(read_launch({{"MASTER_ADDR", "n1"}, {"WORLD_SIZE", ""}}).by, "");
}

TEST(ReadLaunch, TorchrunTellsRanks) {
  const auto launch = read_launch({{"RANK", "5"},
                                   {"WORLD_SIZE", "8"},
                                   {"LOCAL_RANK", "1"},
                                   {"MASTER_ADDR", "n1"},
                                   {"MASTER_PORT", "1234"},
                                   {"TORCHELASTIC_RUN_ID", "x"},
                                   {"SLURM_STEP_ID", "0"},
                                   {"SLURM_STEP_NUM_TASKS", "2"},
                                   {"SLURM_PROCID", "1"}});
  EXPECT_EQ(launch.by, "torchrun");
  EXPECT_EQ(launch.rank, 5);
  EXPECT_EQ(launch.size, 8);
  EXPECT_EQ(launch.local_rank, 1);
  EXPECT_EQ(launch.host, "n1");
  EXPECT_EQ(launch.port, 1234);
}

// Kubeflow's operator sets these, and nothing about the pod's own host (PET_... are torchrun's).
TEST(ReadLaunch, APodOfAPyTorchJobIsARank) {
  const auto launch = read_launch({{"MASTER_ADDR", "raven-lrs3-master-0"},
                                   {"MASTER_PORT", "23456"},
                                   {"WORLD_SIZE", "8"},
                                   {"RANK", "3"},
                                   {"PET_NODE_RANK", "3"},
                                   {"PET_NNODES", "8"},
                                   {"PYTHONUNBUFFERED", "1"},
                                   {"KUBERNETES_SERVICE_HOST", "10.96.0.1"}});
  EXPECT_EQ(launch.by, "the launcher");
  EXPECT_EQ(launch.rank, 3);
  EXPECT_EQ(launch.size, 8);
  EXPECT_EQ(launch.local_rank, 0) << "the only one of its pod takes the first GPU it sees";
  EXPECT_EQ(launch.local_size, 1) << "and all of the pod's cores";
  EXPECT_EQ(launch.host, "raven-lrs3-master-0");
  EXPECT_EQ(launch.port, 23456);
  EXPECT_FALSE(launch.has_store);
}

TEST(ReadLaunch, TasksOfSrunMeetAtTheirFirstNode) {
  const Variables task = {{"SLURM_STEP_ID", "0"},         {"SLURM_STEP_NUM_TASKS", "4"},
                          {"SLURM_PROCID", "3"},          {"SLURM_LOCALID", "1"},
                          {"SLURM_NODELIST", "n[08-10]"}, {"SLURM_STEP_NODELIST", "n[09,10]"},
                          {"SLURM_JOB_ID", "30007"}};
  const auto launch = read_launch(task);
  EXPECT_EQ(launch.by, "srun");
  EXPECT_EQ(launch.rank, 3);
  EXPECT_EQ(launch.size, 4);
  EXPECT_EQ(launch.local_rank, 1);
  EXPECT_EQ(launch.host, "n09");
  EXPECT_EQ(launch.port, 15007);
  auto elsewhere = task;
  elsewhere["MASTER_ADDR"] = "10.0.0.1";
  EXPECT_EQ(read_launch(elsewhere).host, "10.0.0.1");
  // The script of the job is no task, whatever the job has.
  EXPECT_EQ(read_launch({{"SLURM_JOB_ID", "7"}, {"SLURM_NTASKS", "4"}, {"SLURM_PROCID", "0"}}).size,
            1);
}

TEST(ReadLaunch, MpirunOnOneHostNeedsNoAddress) {
  Variables task = {{"OMPI_COMM_WORLD_RANK", "1"},
                    {"OMPI_COMM_WORLD_SIZE", "2"},
                    {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
                    {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"}};
  EXPECT_EQ(read_launch(task).host, "127.0.0.1");
  EXPECT_EQ(read_launch(task).rank, 1);
  task["OMPI_COMM_WORLD_LOCAL_SIZE"] = "1";
  EXPECT_EQ(read_launch(task).host, "");
  task["MASTER_ADDR"] = "n1";
  EXPECT_EQ(read_launch(task).host, "n1");
}

TEST(ReadLaunch, MpirunInAJobOfSlurmIsNoTaskOfSrun) {
  const auto launch = read_launch({{"SLURM_STEP_ID", "1"},
                                   {"SLURM_STEP_NUM_TASKS", "1"},
                                   {"SLURM_PROCID", "0"},
                                   {"OMPI_COMM_WORLD_RANK", "3"},
                                   {"OMPI_COMM_WORLD_SIZE", "4"},
                                   {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"},
                                   {"MASTER_ADDR", "n1"}});
  EXPECT_EQ(launch.by, "mpirun");
  EXPECT_EQ(launch.rank, 3);
  EXPECT_EQ(launch.local_size, 2);
}

TEST(ReadLaunch, RanksThatMpirunDidNotStartDoNotCountByIt) {
  const auto launch = read_launch({{"RANK", "1"},
                                   {"WORLD_SIZE", "4"},
                                   {"LOCAL_WORLD_SIZE", "4"},
                                   {"OMPI_COMM_WORLD_SIZE", "1"},
                                   {"OMPI_COMM_WORLD_LOCAL_SIZE", "1"}});
  EXPECT_EQ(launch.local_size, 4);
}

TEST(ReadLaunch, StepsOfOneJobMeetAtTheirOwnPorts) {
  Variables task = {{"SLURM_STEP_ID", "0"},
                    {"SLURM_STEP_NUM_TASKS", "2"},
                    {"SLURM_PROCID", "0"},
                    {"SLURM_STEP_NODELIST", "n[1-2]"},
                    {"SLURM_JOB_ID", "30007"}};
  const auto first = read_launch(task).port;
  task["SLURM_STEP_ID"] = "1";
  EXPECT_NE(read_launch(task).port, first);
}

TEST(ReadLaunch, WhatDoesNotFitIsNamed) {
  EXPECT_THAT(problem({{"WORLD_SIZE", "2"}}), HasSubstr("RANK is not set"));
  EXPECT_THAT(problem({{"RANK", "2"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "n1"}}),
              HasSubstr("RANK is '2', expected a whole number from 0 to 1"));
  EXPECT_THAT(problem({{"RANK", "0"}, {"WORLD_SIZE", "two"}}), HasSubstr("WORLD_SIZE is 'two'"));
  EXPECT_THAT(
      problem({{"RANK", "0"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "n1"}, {"MASTER_PORT", "0"}}),
      HasSubstr("MASTER_PORT is '0', expected a whole number from 1 to 65535"));
}

TEST(ExpandHosts, ReadsSlurmsLists) {
  EXPECT_THAT(expand_hosts("n1"), ElementsAre("n1"));
  EXPECT_THAT(expand_hosts("n[1-2,07-09],gpu3"),
              ElementsAre("n1", "n2", "n07", "n08", "n09", "gpu3"));
  EXPECT_THAT(expand_hosts("r[1-2]n[8-10]"),
              ElementsAre("r1n8", "r1n9", "r1n10", "r2n8", "r2n9", "r2n10"));
  EXPECT_THAT(expand_hosts("a-b.c[3]"), ElementsAre("a-b.c3"));
  for (const auto* list : {"", "n[", "n]", "n[1-", "n[2-1]", "n[x]", "n1,,n2", "n[[1]]", "n[]",
                           "n[0-99999999]", "n[0-999]m[0-999]"})
    EXPECT_THROW(expand_hosts(list), ConfigError) << list;
}

TEST(ReadLaunch, TellsHowManyShareAHost) {
  const auto of = [](const std::string& tasks, const std::string& node) {
    return read_launch({{"SLURM_STEP_ID", "0"},
                        {"SLURM_STEP_NUM_TASKS", "7"},
                        {"SLURM_PROCID", "3"},
                        {"SLURM_NODEID", node},
                        {"SLURM_STEP_TASKS_PER_NODE", tasks}})
        .local_size;
  };
  EXPECT_EQ(of("2(x3),1", "0"), 2);
  EXPECT_EQ(of("2(x3),1", "2"), 2);
  EXPECT_EQ(of("2(x3),1", "3"), 1);
  EXPECT_EQ(of("7", "0"), 7);
  EXPECT_EQ(of("7", "5"), 1) << "not in the list";
  EXPECT_EQ(of("what", "0"), 1);
  const Variables torchrun = {{"RANK", "1"}, {"WORLD_SIZE", "4"}, {"LOCAL_WORLD_SIZE", "2"}};
  EXPECT_EQ(read_launch(torchrun).local_size, 2);
}

TEST(ReadLaunch, KnowsTheStoreOfTorchrunAndItsAttempts) {
  Variables variables = {{"RANK", "1"},
                         {"WORLD_SIZE", "4"},
                         {"TORCHELASTIC_RUN_ID", "x"},
                         {"TORCHELASTIC_USE_AGENT_STORE", "True"},
                         {"TORCHELASTIC_RESTART_COUNT", "3"}};
  EXPECT_TRUE(read_launch(variables).has_store);
  variables["TORCHELASTIC_USE_AGENT_STORE"] = "False";
  EXPECT_FALSE(read_launch(variables).has_store);
}

TEST(ReadLaunch, HasTheAddressOfTheNodeThatSrunRunsOn) {
  const Variables task = {{"SLURM_STEP_ID", "0"},
                          {"SLURM_STEP_NUM_TASKS", "2"},
                          {"SLURM_PROCID", "1"},
                          {"SLURM_STEP_NODELIST", "n[1-2]"},
                          {"SLURM_LAUNCH_NODE_IPADDR", "10.0.0.7"}};
  EXPECT_EQ(read_launch(task).host, "n1");
  EXPECT_EQ(read_launch(task).other_host, "10.0.0.7");
}

TEST(ReadLaunch, KnowsRanksThatRavenStarted) {
  EXPECT_EQ(read_launch({{"RANK", "0"}, {"WORLD_SIZE", "2"}, {kRanksOf, "77"}}).by, "raven");
}

}  // namespace
}  // namespace raven::distributed

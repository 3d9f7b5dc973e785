// `raven doctor --ranks`: ranks that it starts itself, and ranks as launchers start them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <nlohmann/json.hpp>

#include "e2e/faulty_machine.h"

namespace raven {
namespace {

using Json = nlohmann::json;
using Variables = std::map<std::string, std::string>;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kRaven = std::string(RAVEN_BINARY_DIR) + "/bin/raven";

/// Of one rank.
class Started {
 public:
  Started(const std::vector<std::string>& more, Variables variables) {
    std::vector<std::string> command = {kRaven, "doctor", "--ranks", "device=cpu"};
    command.insert(command.end(), more.begin(), more.end());
    if (::pipe2(ends_.data(), O_CLOEXEC) != 0) throw std::runtime_error("cannot make a pipe");
    // Its warnings, too.
    child_ = start(command,
                   {.variables = std::move(variables),
                    .before = [] { return ::dup2(STDOUT_FILENO, STDERR_FILENO) >= 0; }},
                   ends_[1]);
    ::close(ends_[1]);
  }
  Ended wait() {
    Ended ended;
    std::array<char, 4096> buffer{};
    for (ssize_t count = 0; (count = ::read(ends_[0], buffer.data(), buffer.size())) > 0;)
      ended.output.append(buffer.data(), static_cast<std::size_t>(count));
    ::close(ends_[0]);
    ended.code = wait_for(child_);
    return ended;
  }

 private:
  std::array<int, 2> ends_{};
  pid_t child_ = -1;
};

Json finding(const Json& report, const std::string& id) {
  Json found = {{"level", "none"}, {"what", ""}, {"means", ""}, {"remedy", ""}};
  for (const auto& one : report.at("findings")) {
    if (one.at("id") == id && (found.at("level") == "none" || one.at("level") != "ok")) found = one;
  }
  return found;
}

int next_port() {
  static int port = 20000 + static_cast<int>(::getpid() % 20000);
  return ++port;
}

Variables rank_of(int rank, int size, int port) {
  return {{"RANK", std::to_string(rank)},
          {"WORLD_SIZE", std::to_string(size)},
          {"MASTER_ADDR", "127.0.0.1"},
          {"MASTER_PORT", std::to_string(port)}};
}

TEST(DoctorRanks, AreStartedOnThisMachine) {
  const auto ended = run({kRaven, "doctor", "--ranks", "--json", "device=cpu"}, {});
  ASSERT_EQ(ended.code, 0) << ended.output.substr(0, 500);
  const auto report = Json::parse(ended.output);
  EXPECT_EQ(report.at("ranks"), 2);
  EXPECT_THAT(finding(report, "ranks.meeting").at("what").get<std::string>(),
              HasSubstr("2 ranks on 1 host met within"));
  for (const auto* id :
       {"ranks.versions", "ranks.threads", "ranks.devices", "ranks.address", "ranks.port",
        "ranks.interfaces", "ranks.variables", "launcher.rank", "limits.open_files"})
    EXPECT_EQ(finding(report, id).at("level"), "ok") << finding(report, id).dump().substr(0, 300);
  EXPECT_GT(report.at("latency_s").at("median").get<double>(), 0);
  EXPECT_GE(report.at("latency_s").at("p95"), report.at("latency_s").at("median"));
  ASSERT_GE(report.at("sums").size(), 1U);
  EXPECT_EQ(report.at("sums")[0].at("bytes"), 1 << 20);
  EXPECT_GT(report.at("sums")[0].at("bytes_per_s").get<double>(), 0);
}

TEST(DoctorRanks, OfALauncherPrintOnePage) {
  const int port = next_port();
  std::vector<std::unique_ptr<Started>> ranks;
  for (int rank = 0; rank < 3; ++rank) {
    auto variables = rank_of(rank, 3, port);
    variables["TORCHELASTIC_RUN_ID"] = "x";
    variables["OMP_NUM_THREADS"] = "1";
    variables["LOCAL_RANK"] = std::to_string(rank);
    variables["LOCAL_WORLD_SIZE"] = "3";
    if (rank == 2) variables["OMP_PROC_BIND"] = "close";
    ranks.push_back(std::make_unique<Started>(std::vector<std::string>{"threads=1"}, variables));
  }
  const auto first = ranks[0]->wait();
  EXPECT_EQ(first.code, 0) << first.output.substr(0, 1000);
  EXPECT_THAT(first.output, AllOf(HasSubstr("3 ranks on 1 host"), HasSubstr("1 in each"),
                                  HasSubstr("for raven plan: --link"), HasSubstr("rank 2 ("),
                                  HasSubstr("OMP_PROC_BIND=close")));
  for (const auto rank : {1, 2}) {
    const auto other = ranks[static_cast<std::size_t>(rank)]->wait();
    EXPECT_EQ(other.code, 0);
    EXPECT_THAT(other.output, IsEmpty());
  }
}

TEST(DoctorRanks, ThatAreUnlikeAllFail) {
  const int port = next_port();
  Started first({"--json", "threads=1"}, rank_of(0, 2, port)),
      second({"threads=2"}, rank_of(1, 2, port));
  const auto ended = first.wait();
  EXPECT_EQ(second.wait().code, 1);
  ASSERT_EQ(ended.code, 1) << ended.output.substr(0, 500);
  const auto threads = finding(Json::parse(ended.output), "ranks.threads");
  EXPECT_EQ(threads.at("level"), "failure");
  EXPECT_THAT(threads.at("what").get<std::string>(),
              AllOf(HasSubstr("1 threads of rank 0"), HasSubstr("2 threads of rank 1")));
}

TEST(DoctorRanks, ThatDoNotComeAreNamed) {
  Started first({"--json", "--wait", "2"}, rank_of(0, 3, next_port()));
  auto ended = first.wait();
  EXPECT_EQ(ended.code, 1);
  const auto json = ended.output.substr(ended.output.find("{\n"));  // behind warnings
  EXPECT_THAT(finding(Json::parse(json), "ranks.meeting").at("what").get<std::string>(),
              HasSubstr("1 of 3 ranks are here; missing: 1, 2"));
  Started late({"--wait", "1"}, rank_of(1, 3, next_port()));
  ended = late.wait();
  EXPECT_EQ(ended.code, 1);
  EXPECT_THAT(ended.output,
              AllOf(HasSubstr("rank 1 ("), HasSubstr("could not reach rank 0 at 127.0.0.1")));
}

TEST(DoctorRanks, MeetAtAPlaceThatIsLookedAtBefore) {
  auto variables = rank_of(0, 2, next_port());
  variables["MASTER_ADDR"] = "no.such.host.invalid";
  Started unknown({"--json"}, variables);
  auto ended = unknown.wait();
  EXPECT_EQ(ended.code, 1);
  EXPECT_EQ(finding(Json::parse(ended.output), "ranks.address").at("level"), "failure");

  variables = rank_of(0, 4, next_port());
  variables["LOCAL_WORLD_SIZE"] = "2";
  variables["GLOO_SOCKET_IFNAME"] = "eth99";
  Started loopback({"--json"}, variables);
  ended = loopback.wait();
  EXPECT_EQ(ended.code, 1);
  EXPECT_THAT(finding(Json::parse(ended.output), "ranks.interfaces").at("what").get<std::string>(),
              HasSubstr("GLOO_SOCKET_IFNAME=eth99, but this host has"));

  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in address {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ASSERT_EQ(::bind(socket, reinterpret_cast<struct sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(socket, 1), 0);
  ASSERT_EQ(::getsockname(socket, reinterpret_cast<struct sockaddr*>(&address), &size), 0);
  Started taken({"--json"}, rank_of(0, 2, ntohs(address.sin_port)));
  ended = taken.wait();
  ::close(socket);
  EXPECT_EQ(ended.code, 1);
  const auto report = Json::parse(ended.output);
  EXPECT_THAT(finding(report, "ranks.port").at("what").get<std::string>(),
              HasSubstr("Address already in use"));
  EXPECT_THAT(finding(report, "ranks.meeting").at("what").get<std::string>(),
              HasSubstr("not tried"));
}

TEST(DoctorRanks, NeedVariablesThatFitEachOther) {
  Started half({"--json"}, {{"RANK", "0"}});
  const auto ended = half.wait();
  EXPECT_EQ(ended.code, 1);
  const auto report = Json::parse(ended.output);
  EXPECT_EQ(finding(report, "launcher.rank").at("level"), "failure");
  EXPECT_EQ(finding(report, "ranks.meeting").at("level"), "failure");
  EXPECT_EQ(Started({"ranks=1"}, {}).wait().code, 2);
  Started alone({}, {{"RANK", "0"}, {"WORLD_SIZE", "1"}, {"TORCHELASTIC_RUN_ID", "x"}});
  const auto refused = alone.wait();
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.output, HasSubstr("torchrun started one process"));
  EXPECT_EQ(Started({"ranks=3"}, rank_of(0, 2, next_port())).wait().code, 2);
}

}  // namespace
}  // namespace raven

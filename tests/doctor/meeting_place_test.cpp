#include "raven/doctor/meeting_place.h"

#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "doctor/find.h"

namespace raven::doctor {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

MeetingPlace somewhere() {
  return {.host = "n1",
          .port = 29500,
          .keeps_store = true,
          .several_hosts = true,
          .addresses = {"10.0.0.1"},
          .interfaces = {"lo", "eth0", "eth1", "ib0", "docker0"}};
}

TEST(MeetingPlace, ThatAllCanReachIsFine) {
  for (const auto& finding : check_meeting_place(somewhere(), {}))
    EXPECT_EQ(finding.level, Level::kOk) << finding.id << " " << finding.what;
}

TEST(MeetingPlace, NeedsAnAddress) {
  auto place = somewhere();
  place.addresses = {};
  auto findings = check_meeting_place(place, {});
  EXPECT_EQ(level(findings, "ranks.address"), Level::kFailure);
  EXPECT_THAT(find(findings, "ranks.address").what, HasSubstr("n1"));
  expect_explained(findings);
  place.host = "";
  findings = check_meeting_place(place, {});
  EXPECT_EQ(level(findings, "ranks.address"), Level::kFailure);
  EXPECT_THAT(find(findings, "ranks.address").remedy, HasSubstr("MASTER_ADDR"));
}

TEST(MeetingPlace, OfSeveralHostsIsNoLoopback) {
  auto place = somewhere();
  place.addresses = {"127.0.1.1"};  // Debian's, of a host's own name
  EXPECT_EQ(level(check_meeting_place(place, {}), "ranks.address"), Level::kOk);
  place.keeps_store = false;  // whoever looks for rank 0 there finds itself
  expect_explained(check_meeting_place(place, {}));
  EXPECT_EQ(level(check_meeting_place(place, {}), "ranks.address"), Level::kFailure);
  place.several_hosts = false;
  EXPECT_EQ(level(check_meeting_place(place, {}), "ranks.address"), Level::kOk);
  place.several_hosts = std::nullopt;
  EXPECT_THAT(find(check_meeting_place(place, {}), "ranks.address").what,
              HasSubstr("this host alone"));
  place.several_hosts = true;
  place.addresses = {"::1", "10.0.0.1"};
  EXPECT_EQ(level(check_meeting_place(place, {}), "ranks.address"), Level::kOk);
}

TEST(MeetingPlace, NeedsAFreePort) {
  auto place = somewhere();
  place.port_error = EADDRINUSE;
  EXPECT_EQ(level(check_meeting_place(place, {}), "ranks.port"), Level::kFailure);
  EXPECT_THAT(find(check_meeting_place(place, {}), "ranks.port").what, HasSubstr("29500"));
  expect_explained(check_meeting_place(place, {}));
}

TEST(MeetingPlace, NamesInterfacesOfThisHost) {
  const auto of = [](const char* name, const char* value) {
    const auto findings = check_meeting_place(somewhere(), {{name, value}});
    expect_explained(findings);
    return level(findings, "ranks.interfaces");
  };
  EXPECT_EQ(of("GLOO_SOCKET_IFNAME", "eth0"), Level::kOk);
  EXPECT_EQ(of("GLOO_SOCKET_IFNAME", "eth9"), Level::kFailure);
  EXPECT_EQ(of("GLOO_SOCKET_IFNAME", "eth"), Level::kFailure) << "Gloo takes whole names";
  EXPECT_EQ(of("GLOO_SOCKET_IFNAME", "lo"), Level::kFailure);
  EXPECT_EQ(of("NCCL_SOCKET_IFNAME", "eth,ib"), Level::kOk);
  EXPECT_EQ(of("NCCL_SOCKET_IFNAME", "=eth"), Level::kWarning);
  EXPECT_EQ(of("NCCL_SOCKET_IFNAME", "lo"), Level::kWarning);
}

TEST(MeantInterfaces, AreThoseOfNcclsRules) {
  const std::vector<std::string> here = {"lo", "eth0", "eth1", "ib0", "docker0"};
  EXPECT_THAT(meant_interfaces("eth", here), ElementsAre("eth0", "eth1"));
  EXPECT_THAT(meant_interfaces("=eth0,ib0", here), ElementsAre("eth0", "ib0"));
  EXPECT_THAT(meant_interfaces("^docker,ib", here), ElementsAre("eth0", "eth1"));
  EXPECT_THAT(meant_interfaces("^=docker0", here), ElementsAre("eth0", "eth1", "ib0"));
  EXPECT_THAT(meant_interfaces("wlan", here), IsEmpty());
}

TEST(OnSeveralHosts, IsToldByLaunchers) {
  EXPECT_EQ(on_several_hosts({{"WORLD_SIZE", "8"}, {"LOCAL_WORLD_SIZE", "8"}}), false);
  EXPECT_EQ(on_several_hosts({{"WORLD_SIZE", "8"}, {"LOCAL_WORLD_SIZE", "4"}}), true);
  EXPECT_EQ(on_several_hosts({{"WORLD_SIZE", "8"}}), std::nullopt) << "a PyTorchJob";
  EXPECT_EQ(on_several_hosts({{"SLURM_STEP_NUM_NODES", "2"}}), true);
  EXPECT_EQ(on_several_hosts({{"OMPI_COMM_WORLD_SIZE", "4"}, {"OMPI_COMM_WORLD_LOCAL_SIZE", "4"}}),
            false);
  EXPECT_EQ(on_several_hosts({}), std::nullopt);
}

TEST(ReadMeetingPlace, LooksAddressPortAndInterfacesUp) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in address {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ASSERT_EQ(::bind(socket, reinterpret_cast<struct sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(socket, 1), 0);
  ASSERT_EQ(::getsockname(socket, reinterpret_cast<struct sockaddr*>(&address), &size), 0);
  const auto port = ntohs(address.sin_port);
  const auto taken = read_meeting_place("127.0.0.1", port, /*keeps_store=*/true);
  EXPECT_EQ(taken.port_error, EADDRINUSE);
  EXPECT_THAT(taken.addresses, ElementsAre("127.0.0.1"));
  EXPECT_THAT(taken.interfaces, Contains("lo"));
  EXPECT_EQ(read_meeting_place("127.0.0.1", port, /*keeps_store=*/false).port_error, 0);
  ::close(socket);
  EXPECT_EQ(read_meeting_place("127.0.0.1", port, /*keeps_store=*/true).port_error, 0);
  EXPECT_THAT(read_meeting_place("no.such.host.invalid", port, false).addresses, IsEmpty());
}

}  // namespace
}  // namespace raven::doctor

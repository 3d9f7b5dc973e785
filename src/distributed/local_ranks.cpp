#include "raven/distributed/local_ranks.h"

#include <netinet/in.h>
#include <spdlog/fmt/fmt.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <system_error>
#include <thread>

#include "core/text_file.h"
#include "raven/core/child.h"
#include "raven/core/error.h"
#include "raven/core/interrupt.h"
#include "raven/core/log.h"
#include "raven/distributed/launch.h"

namespace raven::distributed {
namespace {

/// That nobody uses now, and hardly will until rank 0 listens there.
std::int64_t free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in address {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  const bool bound =
      socket >= 0 &&
      ::bind(socket, reinterpret_cast<const struct sockaddr*>(&address), size) == 0 &&
      ::getsockname(socket, reinterpret_cast<struct sockaddr*>(&address), &size) == 0;
  const int problem = errno;
  if (socket >= 0) ::close(socket);
  if (!bound)
    throw SystemError(
        fmt::format("no free port for ranks: {}", std::generic_category().message(problem)));
  return ntohs(address.sin_port);
}

}  // namespace

int run_local_ranks(const std::filesystem::path& program, const std::vector<std::string>& arguments,
                    std::int64_t count, const std::stop_token& stop) {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::milliseconds kPollEvery{50};
  constexpr std::chrono::seconds kFromThemselves{10};  // after one has failed
  const auto port = free_port();
  std::vector<std::unique_ptr<Child>> ranks;
  for (std::int64_t rank = 0; rank < count; ++rank) {
    ranks.push_back(std::make_unique<Child>(
        program, arguments,
        Child::Settings{.variables = {{"RANK", fmt::format("{}", rank)},
                                      {"WORLD_SIZE", fmt::format("{}", count)},
                                      {"LOCAL_RANK", fmt::format("{}", rank)},
                                      {"LOCAL_WORLD_SIZE", fmt::format("{}", count)},
                                      {"MASTER_ADDR", "127.0.0.1"},
                                      {"MASTER_PORT", fmt::format("{}", port)},
                                      {"TORCHELASTIC_USE_AGENT_STORE", "False"},
                                      {kRanksOf, fmt::format("{}", ::getpid())}}}));
  }
  int result = 0;
  std::size_t running = ranks.size();
  std::vector<bool> ended(ranks.size());
  std::optional<Clock::time_point> failed_at;
  while (running > 0) {
    for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
      const bool is_left_over = failed_at && Clock::now() - *failed_at > kFromThemselves;
      if (stop.stop_requested() || is_left_over) ranks[rank]->ask_to_stop();
      if (ended[rank]) continue;
      const auto code = ranks[rank]->poll();
      if (!code) continue;
      ended[rank] = true;
      --running;
      if (*code < 0) log::error("rank {} was ended by signal {}", rank, -*code);
      if (*code != 0 && !failed_at) failed_at = Clock::now();
      if (result == 0) result = *code < 0 ? static_cast<int>(ExitCode::kStopped) : *code;
    }
    std::this_thread::sleep_for(kPollEvery);
  }
  return result;
}

void end_with_parent() {
  const auto variables = read_variables();
  const auto found = variables.find(kRanksOf);
  if (found == variables.end()) return;
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  const auto parent = whole_number(found->second);
  if (parent && *parent != ::getppid()) ::kill(::getpid(), SIGTERM);  // it has ended meanwhile
}

}  // namespace raven::distributed

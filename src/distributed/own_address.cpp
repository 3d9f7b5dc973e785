#include "distributed/own_address.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace raven::distributed {

std::string address_towards(const std::string& host, std::uint16_t port) {
  struct addrinfo hints {};
  hints.ai_socktype = SOCK_DGRAM;
  struct addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return "";
  std::string address;
  for (auto* one = found; one != nullptr && address.empty(); one = one->ai_next) {
    const int socket = ::socket(one->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (socket < 0) continue;
    struct sockaddr_storage own {};
    socklen_t size = sizeof(own);
    std::array<char, NI_MAXHOST> text{};
    if (::connect(socket, one->ai_addr, one->ai_addrlen) == 0 &&  // sends nothing
        ::getsockname(socket, reinterpret_cast<struct sockaddr*>(&own), &size) == 0 &&
        ::getnameinfo(reinterpret_cast<struct sockaddr*>(&own), size, text.data(), text.size(),
                      nullptr, 0, NI_NUMERICHOST) == 0)
      address = text.data();
    ::close(socket);
  }
  ::freeaddrinfo(found);
  return address;
}

bool is_loopback(const std::string& address) {
  return address.starts_with("127.") || address == "::1";
}

std::string farther_host(const std::string& own, const std::vector<std::string>& others) {
  if (!own.empty() && !is_loopback(own)) return "";
  const auto found = std::ranges::find_if(
      others, [](const auto& one) { return !one.empty() && !is_loopback(one); });
  return found == others.end() ? "" : *found;
}

}  // namespace raven::distributed

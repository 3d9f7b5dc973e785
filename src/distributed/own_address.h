// By which address the other ranks reach this host.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace raven::distributed {

/// Of this host, on the way to another one; empty where there is no way.
std::string address_towards(const std::string& host, std::uint16_t port);

/// "127.0.1.1", "::1"
bool is_loopback(const std::string& address);

/// Which of `others`, the addresses of all ranks, a host that knows itself by `own` should look
/// towards for an address that they can reach: empty where `own` is one, or where all are on one
/// host. Debian gives a host's own name 127.0.1.1, by which rank 0 finds its own store.
std::string farther_host(const std::string& own, const std::vector<std::string>& others);

}  // namespace raven::distributed

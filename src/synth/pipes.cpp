#include "synth/pipes.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "raven/core/error.h"

namespace raven::synth {

void open_pipe(std::array<int, 2>& ends) {
  std::signal(SIGPIPE, SIG_IGN);
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    throw SystemError(fmt::format("cannot open a pipe: {}", std::strerror(errno)));
  }
}

bool write_bytes(int descriptor, const void* bytes, std::size_t count) noexcept {
  const char* at = static_cast<const char*>(bytes);
  while (count > 0) {
    const auto written = ::write(descriptor, at, count);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    at += written;
    count -= static_cast<std::size_t>(written);
  }
  return true;
}

bool read_bytes(int descriptor, void* bytes, std::size_t count) noexcept {
  char* at = static_cast<char*>(bytes);
  while (count > 0) {
    const auto got = ::read(descriptor, at, count);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got;
    count -= static_cast<std::size_t>(got);
  }
  return true;
}

}  // namespace raven::synth

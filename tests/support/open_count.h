// How often files are opened, by this process and by others.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <filesystem>

namespace raven {

/// Counts from its making on. Openings between which nobody reads or closes the file count as one.
class OpenCount {
 public:
  explicit OpenCount(const std::filesystem::path& file)
      : descriptor_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
    EXPECT_GE(::inotify_add_watch(descriptor_, file.c_str(), IN_OPEN | IN_ACCESS | IN_CLOSE), 0)
        << file;
  }
  ~OpenCount() { ::close(descriptor_); }
  OpenCount(const OpenCount&) = delete;
  OpenCount& operator=(const OpenCount&) = delete;

  /// True once something has happened to the file; false when nothing did for so long.
  [[nodiscard]] bool wait(int milliseconds) const {
    struct pollfd one {
      .fd = descriptor_, .events = POLLIN, .revents = 0
    };
    return ::poll(&one, 1, milliseconds) > 0;
  }

  /// Since the last call, or the making.
  int take() {
    int count = 0;
    alignas(struct inotify_event) std::array<char, 1 << 14> events{};
    for (;;) {
      const auto size = ::read(descriptor_, events.data(), events.size());
      if (size <= 0) return count;
      for (ssize_t at = 0; at < size;) {
        const auto* event = reinterpret_cast<const struct inotify_event*>(events.data() + at);
        count += (event->mask & IN_OPEN) != 0 ? 1 : 0;
        at += static_cast<ssize_t>(sizeof(struct inotify_event) + event->len);
      }
    }
  }

 private:
  int descriptor_;
};

}  // namespace raven

// A program that runs beside this one, started without a shell.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "raven/core/variables.h"

namespace raven {

class Child {
 public:
  struct Settings {
    std::filesystem::path log = {};  // its output is added to it; empty: our own
    Variables variables = {};        // beside ours, or in the place of those of the same names
  };
  /// Starts `program`; its input is empty. It has a process group of its own: Ctrl-C reaches us
  /// alone, and it is asked to stop once. Throws SystemError.
  Child(const std::filesystem::path& program, const std::vector<std::string>& arguments,
        const Settings& settings);
  /// Asks to stop and waits.
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// Exit code, or minus the signal that ended it; empty while it runs.
  std::optional<int> poll();
  /// SIGTERM, at the first call.
  void ask_to_stop();
  [[nodiscard]] bool was_asked() const { return asked_; }

 private:
  void take(int status);

  pid_t process_ = -1;
  bool asked_ = false;
  std::optional<int> code_;
};

}  // namespace raven

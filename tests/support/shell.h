// Programs run as a user runs them: through a shell, with what they print and their exit code.
#pragma once

#include <stdio.h>
#include <sys/wait.h>

#include <array>
#include <stdexcept>
#include <string>

namespace raven {

struct ShellResult {
  int code = 0;        // of the exit; 128 + number when a signal ended it
  std::string output;  // stdout; append "2>&1" to the command for both
};

inline ShellResult shell(const std::string& command) {
  ShellResult result;
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("cannot run " + command);
  std::array<char, 4096> buffer{};
  while (const std::size_t size = fread(buffer.data(), 1, buffer.size(), pipe)) {
    result.output.append(buffer.data(), size);
  }
  const int status = pclose(pipe);
  result.code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return result;
}

/// A shell has this program.
inline bool has_program(const std::string& name) {
  return shell("command -v " + name + " > /dev/null").code == 0;
}

}  // namespace raven

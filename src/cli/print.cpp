#include "cli/print.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

#include "raven/core/utf8.h"

namespace raven::cli {
namespace {

void put(std::string_view text) {
  errno = 0;
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) {
    throw std::system_error(errno == 0 ? EIO : errno, std::generic_category(),
                            "cannot write to stdout");
  }
}

}  // namespace

void print(std::string_view text) { put(for_terminal(text)); }

void print_content(std::string_view text) {
  ::isatty(STDOUT_FILENO) == 1 ? print(text) : put(text);
}

}  // namespace raven::cli

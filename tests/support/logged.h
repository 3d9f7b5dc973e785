// What is said in the log.
#pragma once

#include <functional>
#include <string>

#include "raven/core/files.h"
#include "raven/core/log.h"
#include "support/temporary_folder.h"

namespace raven {

/// What `work` logs, a message a line, each with its time and level before it.
inline std::string logged(const std::function<void()>& work) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "log.txt";
  {
    const log::AlsoTo also(file);
    work();
  }
  return read_file(file);
}

}  // namespace raven

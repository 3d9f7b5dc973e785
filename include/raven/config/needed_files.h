// Files that a configuration names.
#pragma once

#include <string>
#include <vector>

#include "raven/config/schema.h"

namespace raven::config {

struct NamedFile {
  std::string key, path;
};

/// Files and folders that a run would read and that are not there: what texts of the configuration
/// name, but for what is written and for names of other things.
std::vector<NamedFile> missing_files(const Schema& schema);

}  // namespace raven::config

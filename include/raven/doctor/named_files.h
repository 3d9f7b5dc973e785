// Files that a configuration names.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "raven/doctor/finding.h"

namespace raven::doctor {

struct NamedFile {
  std::string key;  // "data.manifest"
  std::filesystem::path path;
  std::string problem = {};  // why it cannot be read; empty: it can
};

/// A file, or a folder for keys that take one (a run, a checkpoint).
NamedFile try_file(const std::string& key, const std::filesystem::path& path);

/// config.files: one finding for each that cannot be read, or one for all.
Findings check_named_files(const std::vector<NamedFile>& files);

}  // namespace raven::doctor

// Files that are named after utterances, below one folder.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "raven/data/manifest.h"

namespace raven::data {

/// Whether `<id><ending>` can be a file of a folder for every utterance and each of `endings`: `/`
/// in an id makes a folder. `own_files`: what else lies there; `folder`: what it is called in
/// messages. Throws DataError ("id") naming the manifest and an id that would lead out of the
/// folder, is too long for a file system, holds control characters, or would make a folder of what
/// is a file.
void check_file_names(const Manifest& manifest, const std::vector<std::string>& endings,
                      const std::set<std::string>& own_files, const std::string& folder);

}  // namespace raven::data

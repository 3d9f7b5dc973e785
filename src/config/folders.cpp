#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cstdlib>

#include "raven/config/load.h"
#include "raven/config/nearest.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/home.h"

namespace raven::config {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() == ".yaml") {
      names.push_back(fs::relative(entry->path(), folder, error).replace_extension().string());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool is_file(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error) && !fs::is_directory(path, error);
}

}  // namespace

std::vector<fs::path> config_folders() {
  std::vector<fs::path> folders;
  if (const char* named = std::getenv("RAVEN_CONFIGS"); named != nullptr && *named != '\0') {
    folders.emplace_back(named);
  }
  if (const auto programs = program_folder(); !programs.empty()) {
    folders.push_back((programs / "../share/raven/configs").lexically_normal());
  }
  return folders;
}

fs::path find_config(const fs::path& given) {
  const fs::path name = expand_home(given.native());
  const auto with_ending = [](fs::path path) { return path += ".yaml"; };
  if (is_file(name)) return name;
  if (is_file(with_ending(name))) return with_ending(name);
  std::vector<std::string> searched = {"here"}, known;
  if (name.is_relative()) {
    for (const fs::path& folder : config_folders()) {
      if (is_file(folder / name)) return folder / name;
      if (is_file(with_ending(folder / name))) return with_ending(folder / name);
      searched.push_back("in " + folder.string());
      for (std::string& found : names_in(folder)) known.push_back(std::move(found));
    }
  }
  auto bare = name;
  if (bare.extension() == ".yaml") bare.replace_extension();
  const auto best = nearest(bare.string(), known);
  throw ConfigError(fmt::format(
      "{}: no such configuration file (looked {}){}", name.string(), fmt::join(searched, " and "),
      best.empty() ? "" : fmt::format("; did you mean '{}.yaml'?", best)));
}

}  // namespace raven::config

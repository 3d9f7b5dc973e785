#include "raven/doctor/named_files.h"

#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace raven::doctor {
namespace {

std::string remedy_for(const NamedFile& file) {
  if (file.key.rfind("data.", 0) == 0) {
    const auto folder = file.path.has_parent_path() ? file.path.parent_path().string() : ".";
    return fmt::format(
        "prepare the data (raven prepare <folder of the corpus> --out {}), or give {}= another "
        "list",
        folder, file.key);
  }
  if (file.key.rfind("text.", 0) == 0)
    return fmt::format("make a vocabulary (raven tokenizer train), or give {}= another file",
                       file.key);
  return fmt::format("give {}= a file or run that exists", file.key);
}

}  // namespace

NamedFile try_file(const std::string& key, const std::filesystem::path& path) {
  NamedFile file{.key = key, .path = path};
  if (::access(path.c_str(), R_OK) != 0) file.problem = std::strerror(errno);
  return file;
}

Findings check_named_files(const std::vector<NamedFile>& files) {
  Findings findings;
  std::string fine;
  for (const auto& file : files) {
    if (file.problem.empty()) {
      fine += fmt::format("{}{}={}", fine.empty() ? "" : " ", file.key, file.path.string());
      continue;
    }
    findings.push_back(
        {.id = "config.files",
         .level = Level::kFailure,
         .what = fmt::format("{}={}: {}", file.key, file.path.string(), file.problem),
         .means = "the command that this configuration is for would end at once",
         .remedy = remedy_for(file)});
  }
  if (findings.empty())
    findings.push_back({.id = "config.files", .what = fine.empty() ? "none is named" : fine});
  return findings;
}

}  // namespace raven::doctor

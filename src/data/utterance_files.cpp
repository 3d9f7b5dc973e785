#include "raven/data/utterance_files.h"

#include <algorithm>
#include <string_view>

#include "raven/core/error.h"
#include "raven/core/utf8.h"

namespace raven::data {
namespace {

constexpr std::size_t kMaxNameBytes = 255;       // of a file, on common file systems
constexpr std::string_view kTemporary = ".tmp";  // what a name ends in while the file is written

bool has_control_characters(std::string_view text) {
  return std::ranges::any_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7F; });
}

/// Parts between slashes.
std::vector<std::string> parts_of(const std::string& id) {
  std::vector<std::string> parts(1);
  for (const char c : id) {
    if (c == '/') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

/// Empty: the id may name a file.
std::string problem_with(const std::string& id, std::size_t longest_ending,
                         const std::string& folder) {
  if (has_control_characters(id)) return "holds control characters";
  const auto parts = parts_of(id);
  for (const auto& part : parts) {
    if (part.empty() || part == "." || part == "..") return "would leave " + folder;
    if (part.size() > kMaxNameBytes) return "is longer than a file's name may be";
  }
  if (parts.back().size() + longest_ending + kTemporary.size() > kMaxNameBytes)
    return "is longer than a file's name may be";
  return "";
}

[[noreturn]] void refuse_id(const Manifest& manifest, const std::string& id,
                            const std::string& problem) {
  throw DataError(
      fmt::format("{}: id '{}' {}; rename it", manifest.file.string(), printable(id), problem),
      "id");
}

}  // namespace

void check_file_names(const Manifest& manifest, const std::vector<std::string>& endings,
                      const std::set<std::string>& own_files, const std::string& folder) {
  std::set<std::string> taken;  // by files, also while they are written
  const auto take = [&](const std::string& name) {
    taken.insert({name, name + std::string(kTemporary)});
  };
  std::size_t longest_ending = 0;
  for (const auto& ending : endings) longest_ending = std::max(longest_ending, ending.size());
  for (const auto& name : own_files) take(name);
  for (const auto& utterance : manifest.utterances) {
    const auto problem = problem_with(utterance.id, longest_ending, folder);
    if (!problem.empty()) refuse_id(manifest, utterance.id, problem);
    for (const auto& ending : endings) take(utterance.id + ending);
  }
  for (const auto& utterance : manifest.utterances) {
    const auto& id = utterance.id;
    for (auto slash = id.find('/'); slash != std::string::npos; slash = id.find('/', slash + 1)) {
      const auto name = id.substr(0, slash);
      if (taken.contains(name))
        refuse_id(manifest, id, fmt::format("would make a folder of the file {}", name));
    }
  }
}

}  // namespace raven::data

#include "data/clip_list.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/lines.h"
#include "raven/core/utf8.h"

namespace raven::data {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxListBytes = 1ULL << 30;
constexpr std::size_t kMostParts = 8;  // of a clip's path, in which names are looked for
constexpr std::size_t kEnough = 3;     // of its id, to tell it where other folders stand before
constexpr std::array<std::string_view, 4> kHeads = {"id", "path", "video", "file"};

std::string_view first_word(std::string_view line) {
  line = line.substr(0, line.find('#'));
  const auto begin = line.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  line.remove_prefix(begin);
  return line.substr(0, line.find_first_of(" \t,"));
}

/// Folders and name, without an ending of three or four letters.
std::vector<std::string> parts_of(std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    const auto end = std::min(path.find('/'), path.size());
    const auto part = path.substr(0, end);
    if (!part.empty() && part != ".") parts.emplace_back(part);
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  if (parts.empty()) return parts;
  auto& name = parts.back();
  const auto dot = name.rfind('.');
  if (dot != std::string::npos && dot > 0 && name.size() - dot >= 4 && name.size() - dot <= 5)
    name.resize(dot);
  return parts;
}

std::string joined(const std::vector<std::string>& parts, std::size_t begin, std::size_t end) {
  std::string text;
  for (auto i = begin; i < end; ++i) text += (i > begin ? "/" : "") + parts[i];
  return text;
}

}  // namespace

ClipList::ClipList(const fs::path& file) : file_(file) {
  const auto content = read_file(file, kMaxListBytes, FileKind::kAny);
  bool is_first = true;
  Lines lines(content, file.string());
  while (const auto line = lines.next()) {
    const auto word = first_word(*line);
    if (word.empty()) continue;
    const bool is_head = is_first && std::ranges::find(kHeads, word) != kHeads.end();
    is_first = false;
    if (is_head) continue;
    const auto parts = parts_of(word);
    if (parts.empty()) continue;
    const auto [known, is_new] = by_parts_.emplace(joined(parts, 0, parts.size()), names_.size());
    if (!is_new) continue;
    for (auto begin = parts.size() - std::min(parts.size(), kEnough); begin < parts.size(); ++begin)
      by_end_[joined(parts, begin, parts.size())].push_back(names_.size());
    names_.push_back({.written = std::string(word)});
  }
  if (names_.empty())
    throw ConfigError(fmt::format("{}: names no clip; expected a name a line", file.string()));
}

bool ClipList::find(const std::vector<std::string>& parts) {
  bool found = false;
  for (std::size_t begin = 0; begin < parts.size(); ++begin) {
    for (auto end = begin + 1; end <= parts.size(); ++end) {
      const auto name = by_parts_.find(joined(parts, begin, end));
      if (name == by_parts_.end()) continue;
      names_[name->second].found = found = true;
    }
  }
  return found;
}

bool ClipList::find_end(const std::string& end) {
  const auto named = by_end_.find(end);
  if (named == by_end_.end()) return false;
  for (const auto number : named->second) names_[number].found = true;
  return true;
}

void ClipList::keep_named(std::vector<corpus::SourceClip>& clips) {
  const auto last = [](std::vector<std::string> parts, std::size_t count) {
    if (parts.size() > count)
      parts.erase(parts.begin(), parts.end() - static_cast<std::ptrdiff_t>(count));
    return parts;
  };
  const auto count = clips.size();
  const auto first = clips.empty() ? "" : clips.front().id;
  std::erase_if(clips, [&](const corpus::SourceClip& clip) {
    const bool named = find(last(parts_of(clip.file().string()), kMostParts));
    const auto own = last(parts_of(clip.id), kEnough);
    return !find_end(joined(own, 0, own.size())) && !named;
  });
  if (!clips.empty()) return;
  throw ConfigError(
      fmt::format("{}: names none of the {} clips; its first line is '{}', a clip is "
                  "called '{}'",
                  file_.string(), count, printable(names_.front().written), first));
}

std::vector<std::string> ClipList::missing() const {
  std::vector<std::string> missing;
  for (const auto& name : names_)
    if (!name.found) missing.push_back(name.written);
  return missing;
}

}  // namespace raven::data

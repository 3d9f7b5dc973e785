#include "raven/data/subset.h"

#include <algorithm>
#include <unordered_map>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/lines.h"
#include "raven/core/utf8.h"
#include "raven/media/media.h"

namespace raven::data {
namespace {

constexpr std::uint64_t kMaxListBytes = 1ULL << 30;

/// The utterances at `chosen`, in the manifest's order.
Manifest pick(const Manifest& manifest, std::vector<std::size_t> chosen) {
  std::sort(chosen.begin(), chosen.end());
  chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
  Manifest subset{.file = manifest.file, .utterances = {}, .lists = manifest.lists};
  for (const auto i : chosen) subset.utterances.push_back(manifest.utterances[i]);
  return subset;
}

}  // namespace

Manifest subset_of_hours(const Manifest& manifest, double hours, const std::string& key) {
  if (media::hours(manifest.total_frames()) < hours) {
    throw ConfigError(fmt::format(
        "{0}: lasts {1:.3f} hours, {2} asks for {3}; ask for less, or for all ({2}=all)",
        manifest.names(), media::hours(manifest.total_frames()), key, hours));
  }
  std::vector<std::pair<std::uint64_t, std::size_t>> lots;
  for (std::size_t i = 0; i < manifest.utterances.size(); ++i)
    lots.emplace_back(checksum("labelled subset " + manifest.utterances[i].id), i);
  std::sort(lots.begin(), lots.end(), [&](const auto& a, const auto& b) {
    if (a.first != b.first) return a.first < b.first;
    return manifest.utterances[a.second].id < manifest.utterances[b.second].id;
  });
  std::vector<std::size_t> chosen;
  std::int64_t frames = 0;
  for (const auto& [lot, i] : lots) {
    if (media::hours(frames) >= hours) break;
    frames += manifest.utterances[i].frames;
    chosen.push_back(i);
  }
  return pick(manifest, std::move(chosen));
}

Manifest subset_of_list(const Manifest& manifest, const std::filesystem::path& list) {
  if (!std::filesystem::exists(list) || std::filesystem::is_directory(list)) {
    throw ConfigError(fmt::format("data.labelled_list: there is no file {}", list.string()));
  }
  std::unordered_map<std::string_view, std::size_t> index;
  for (std::size_t i = 0; i < manifest.utterances.size(); ++i)
    index.emplace(manifest.utterances[i].id, i);
  const auto content = read_file(list, kMaxListBytes, FileKind::kAny);
  std::vector<std::size_t> chosen;
  Lines lines(content, list.string());
  while (const auto id = lines.next()) {
    if (id->empty()) continue;
    const auto found = index.find(*id);
    if (found == index.end()) {
      throw DataError(
          fmt::format("{}:{}: no utterance '{}' in {}{}", list.string(), lines.number(),
                      printable(id->substr(0, 200)), manifest.names(),
                      is_utf8(*id) ? "" : "; this is not UTF-8 text, save the list as UTF-8"),
          "missing");
    }
    chosen.push_back(found->second);
  }
  if (chosen.empty()) {
    throw ConfigError(fmt::format("data.labelled_list: {} names no utterance", list.string()));
  }
  return pick(manifest, std::move(chosen));
}

Manifest spread(const Manifest& manifest, std::int64_t count) {
  const auto size = manifest.utterances.size(), wanted = static_cast<std::size_t>(count);
  if (size <= wanted) return manifest;
  std::vector<std::size_t> chosen;
  for (std::size_t i = 0; i < wanted; ++i) chosen.push_back(i * size / wanted);
  return pick(manifest, std::move(chosen));
}

}  // namespace raven::data

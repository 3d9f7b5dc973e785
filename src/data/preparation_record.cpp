#include "data/preparation_record.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/json_nesting.h"

namespace raven::data {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kVerdictHeader = "id\tverdict\tmessage\tfile";
constexpr std::string_view kVerdictEnding = ".verdicts.tsv";
constexpr std::string_view kNoSubset = "clips";
constexpr std::uint64_t kMaxVerdictBytes = 4ULL << 30;
constexpr std::uint64_t kMaxOptionsBytes = 1ULL << 20;
constexpr std::size_t kMaxNesting = 8;  // ours has 1

struct ShardName {
  std::string subset;  // "clips" for none
  std::int64_t number = 0;
};

/// "trainval-00012" -> trainval, 12. Other names are not ours.
bool parse_shard_name(std::string_view name, ShardName& parsed) {
  const auto dash = name.rfind('-');
  if (dash == std::string_view::npos || dash == 0) return false;
  const auto digits = name.substr(dash + 1);
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), parsed.number);
  parsed.subset = std::string(name.substr(0, dash));
  return error == std::errc() && end == digits.data() + digits.size() && digits.size() >= 5;
}

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

/// Names in a folder, sorted.
std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code code;
  for (fs::directory_iterator entry(folder, code), end; !code && entry != end;
       entry.increment(code)) {
    names.push_back(entry->path().filename().string());
  }
  if (code)
    throw SystemError(fmt::format("cannot list folder {}: {}", folder.string(), code.message()));
  std::sort(names.begin(), names.end());
  return names;
}

/// Removes files of shards that were not finished; other people's files stay.
void remove_unfinished(const fs::path& shards, const std::vector<std::string>& names,
                       const std::set<std::string>& finished) {
  for (const auto& name : names) {
    const auto stem = name.substr(0, name.find('.'));
    ShardName parsed;
    const bool is_temporary = ends_with(name, ".tmp");
    if (!parse_shard_name(stem, parsed) || (finished.count(stem) > 0 && !is_temporary)) continue;
    std::error_code code;
    fs::remove(shards / name, code);
    if (code)
      throw SystemError(
          fmt::format("cannot remove {}: {}", (shards / name).string(), code.message()));
  }
}

std::vector<std::string_view> split_at_tabs(std::string_view line) {
  std::vector<std::string_view> fields;
  while (true) {
    const auto tab = line.find('\t');
    fields.push_back(line.substr(0, tab));
    if (tab == std::string_view::npos) return fields;
    line.remove_prefix(tab + 1);
  }
}

constexpr const char* kMaxDamaged = "max-damaged";

nlohmann::ordered_json described(const PreparationOptions& options) {
  const auto& clip = options.clip;
  nlohmann::ordered_json json;
  json["version"] = 1;
  json["format"] = clip.format == corpus::StorageFormat::kRaw ? "raw" : "h264";
  if (clip.format == corpus::StorageFormat::kH264) {
    json["crf"] = clip.h264.crf;
    json["preset"] = clip.h264.preset;
  }
  json["min-frames"] = clip.segments.min_frames;
  json["max-frames"] = clip.segments.max_frames;
  json["shard-size"] = options.shard_bytes;
  json["rotation"] = corpus::name_of(clip.landmark_picture);
  json["speaker"] = options.speaker_rule;
  json[kMaxDamaged] = clip.limits.max_damaged;
  json["min-sound"] = clip.min_sound;
  return json;
}

/// What a folder was prepared with that does not say so: it is older than the option.
nlohmann::ordered_json before_options() {
  const PreparationOptions defaults;
  return {{"rotation", corpus::name_of(defaults.clip.landmark_picture)},
          {"speaker", defaults.speaker_rule},
          {kMaxDamaged, defaults.clip.limits.max_damaged},
          {"min-sound", defaults.clip.min_sound}};
}

}  // namespace

std::vector<ClipVerdict> read_verdicts(const fs::path& file) {
  const auto content = read_file(file, kMaxVerdictBytes);
  std::vector<ClipVerdict> verdicts;
  std::string_view rest = content;
  for (std::size_t number = 1; !rest.empty(); ++number) {
    const auto end = std::min(rest.find('\n'), rest.size());
    const auto line = rest.substr(0, end);
    rest.remove_prefix(std::min(rest.size(), end + 1));
    const auto fields = split_at_tabs(line);
    if (fields.size() != 4 || (number == 1 && line != kVerdictHeader)) {
      throw DataError(
          fmt::format("{}:{}: expected id, verdict, message and file; remove this file, "
                      "and its shard is prepared again",
                      file.string(), number));
    }
    if (number == 1) continue;
    verdicts.push_back({.id = std::string(fields[0]),
                        .verdict = std::string(fields[1]),
                        .message = std::string(fields[2]),
                        .file = std::string(fields[3])});
  }
  return verdicts;
}

void write_verdicts(const fs::path& file, const std::vector<ClipVerdict>& verdicts) {
  auto content = std::string(kVerdictHeader) + "\n";
  for (const auto& v : verdicts)
    content += fmt::format("{}\t{}\t{}\t{}\n", v.id, v.verdict, v.message, v.file);
  write_file_atomically(file, content);
}

ShardFiles shard_files(const fs::path& shards, const std::string& subset, std::int64_t number) {
  const auto name = fmt::format("{}-{:05}", subset.empty() ? kNoSubset : subset, number);
  return {.tar = shards / (name + ".tar"),
          .manifest = shards / (name + ".tsv"),
          .verdicts = shards / (name + std::string(kVerdictEnding))};
}

PreparationRecord::PreparationRecord(const fs::path& shards) {
  const auto names = names_in(shards);
  std::vector<ShardName> finished;
  std::set<std::string> finished_stems;
  for (const auto& name : names) {
    ShardName parsed;
    const auto stem = name.substr(0, name.find('.'));
    if (name != stem + std::string(kVerdictEnding) || !parse_shard_name(stem, parsed)) continue;
    finished.push_back(parsed);
    finished_stems.insert(stem);
  }
  remove_unfinished(shards, names, finished_stems);
  for (const auto& [subset, number] : finished) {
    const auto files = shard_files(shards, subset, number);
    std::vector<Utterance> utterances;
    if (fs::exists(files.manifest)) utterances = read_manifest(files.manifest).utterances;
    next_number_[subset] = std::max(next_number_[subset], number);
    add(subset, read_verdicts(files.verdicts), std::move(utterances));
  }
}

const ClipVerdict* PreparationRecord::find(const std::string& id) const {
  const auto found = verdicts_.find(id);
  return found == verdicts_.end() ? nullptr : &found->second;
}

std::int64_t PreparationRecord::next_number(const std::string& subset) const {
  const auto found = next_number_.find(subset.empty() ? std::string(kNoSubset) : subset);
  return found == next_number_.end() ? 0 : found->second;
}

std::vector<ClipVerdict> PreparationRecord::verdicts() const {
  std::vector<ClipVerdict> all;
  for (const auto& [id, verdict] : verdicts_) all.push_back(verdict);
  return all;
}

void PreparationRecord::add(const std::string& subset, const std::vector<ClipVerdict>& verdicts,
                            std::vector<Utterance> utterances) {
  for (const auto& verdict : verdicts) verdicts_[verdict.id] = verdict;
  std::move(utterances.begin(), utterances.end(), std::back_inserter(utterances_));
  ++next_number_[subset.empty() ? std::string(kNoSubset) : subset];
}

void settle_options(const PreparationOptions& options) {
  const auto file = options.output / kOptionsFile;
  const auto wanted = described(options);
  if (!fs::exists(file)) return write_file_atomically(file, wanted.dump(2) + "\n");
  const auto text = read_file(file, kMaxOptionsBytes);
  const bool sound = json_nesting(text) <= kMaxNesting;
  const auto found = nlohmann::ordered_json::parse(sound ? text : "", nullptr, false);
  if (!found.is_object()) {
    throw ConfigError(
        fmt::format("{}: damaged; use another folder for the prepared data", file.string()));
  }
  const auto defaults = before_options();
  for (const auto& [key, value] : wanted.items()) {
    const auto& said = found.contains(key) ? found : defaults;
    const auto before = said.contains(key) ? said.at(key).dump() : std::string("not set");
    if (before == value.dump()) continue;
    throw ConfigError(fmt::format(
        "{} was prepared with {} {}, now it is {}; use another folder or the same options",
        options.output.string(), key, before, value.dump()));
  }
}

}  // namespace raven::data

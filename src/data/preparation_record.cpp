#include "data/preparation_record.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "core/parse_json.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/new_file.h"
#include "raven/core/utf8.h"

namespace raven::data {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::string_view kVerdictHeader = "id\tverdict\tmessage\tfile";
constexpr std::string_view kVerdictEnding = ".verdicts.tsv";
constexpr std::string_view kNoSubset = "clips";
constexpr const char* kBegun = "begun";  // all shards that were ever begun here
constexpr const char* kValidation = "validation";
constexpr std::uint64_t kMaxVerdictBytes = 4ULL << 30;
constexpr std::uint64_t kMaxOptionsBytes = 64ULL << 20;

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

std::string stem_of(const std::string& name) { return name.substr(0, name.find('.')); }

/// What a shard's files are called after its stem; while they are written with more behind it,
/// .tmp in earlier versions.
bool is_ending_of_shard(std::string_view ending) {
  if (is_name_of_new_file(ending)) return true;
  if (ending.ends_with(".tmp")) ending.remove_suffix(4);
  return ending == ".tar" || ending == ".tar.index" || ending == ".tsv" || ending == kVerdictEnding;
}

void remove_file(const fs::path& file) {
  std::error_code code;
  fs::remove(file, code);
  if (code) throw_system_error("remove", file, code.value());
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
constexpr const char* kGrey = "grey";

Json described(const PreparationOptions& options) {
  const auto& clip = options.clip;
  Json json;
  json["version"] = 1;
  json["format"] = clip.format == corpus::StorageFormat::kRaw ? "raw" : "h264";
  if (clip.format == corpus::StorageFormat::kH264) {
    json["crf"] = clip.h264.crf;
    json["preset"] = clip.h264.preset;
  }
  json[kGrey] = corpus::name_of(clip.grey);
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
Json before_options() {
  const PreparationOptions defaults;
  return {{kGrey, corpus::name_of(defaults.clip.grey)},
          {"rotation", corpus::name_of(defaults.clip.landmark_picture)},
          {"speaker", defaults.speaker_rule},
          {kMaxDamaged, defaults.clip.limits.max_damaged},
          {"min-sound", defaults.clip.min_sound}};
}

[[noreturn]] void refuse_damaged(const fs::path& file) {
  throw ConfigError(
      fmt::format("{}: damaged; use another folder for the prepared data", file.string()));
}

Json read_options(const fs::path& file) {
  auto found = parse_json<Json>(read_file(file, kMaxOptionsBytes));
  if (!found.is_object()) refuse_damaged(file);
  return found;
}

void check_options(const Json& wanted, const Json& there, const fs::path& output) {
  const auto defaults = before_options();
  for (const auto& [key, value] : wanted.items()) {
    const auto& said = there.contains(key) ? there : defaults;
    const auto before = said.contains(key) ? said.at(key).dump() : std::string("not set");
    if (before == value.dump()) continue;
    throw ConfigError(fmt::format(
        "{} was prepared with {} {}, now it is {}; use another folder or the same options",
        output.string(), key, before, value.dump()));
  }
}

std::set<std::string> begun_shards(const Json& options, const fs::path& file) {
  std::set<std::string> stems;
  if (!options.at(kBegun).is_array()) refuse_damaged(file);
  for (const auto& stem : options.at(kBegun)) {
    if (!stem.is_string()) refuse_damaged(file);
    stems.insert(stem.get<std::string>());
  }
  return stems;
}

[[noreturn]] void refuse(const fs::path& file) {
  throw ConfigError(fmt::format(
      "{} is called like a part of prepared data but was not begun by this preparation; move it "
      "away or choose another folder",
      file.string()));
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

PreparationRecord::PreparationRecord(const PreparationOptions& options,
                                     const std::set<std::string>& subsets)
    : file_(options.output / kOptionsFile), shards_(options.output / "shards") {
  const auto wanted = described(options);
  const bool is_new = !fs::exists(file_);
  const auto there = is_new ? wanted : read_options(file_);
  check_options(wanted, there, options.output);
  // Earlier versions did not say what they had begun.
  const bool is_old = !is_new && !there.contains(kBegun);
  options_ = there.dump();
  if (!is_new && !is_old) begun_ = begun_shards(there, file_);
  if (there.contains(kValidation)) {
    validation_ = ValidationFold::from_json(there.at(kValidation));
    if (!validation_) refuse_damaged(file_);
  }

  const auto names = names_in(shards_);
  std::set<std::string> finished;
  for (const auto& name : names) {
    ShardName parsed;
    const auto stem = stem_of(name);
    if (name != stem + std::string(kVerdictEnding) || !parse_shard_name(stem, parsed)) continue;
    finished.insert(stem);
    read_finished(parsed);
  }
  const auto is_known = [&](const std::string& subset) {
    return next_number_.count(subset) > 0 || subsets.count(subset) > 0 ||
           (subset == kNoSubset && subsets.count("") > 0);
  };
  std::vector<fs::path> left_over;
  for (const auto& name : names) {
    const auto stem = stem_of(name);
    ShardName parsed;
    if (!parse_shard_name(stem, parsed)) continue;
    const bool is_ours = is_ending_of_shard(std::string_view(name).substr(stem.size()));
    if (finished.count(stem) > 0) {
      if (is_ours && name.ends_with(".tmp")) left_over.push_back(shards_ / name);
      continue;
    }
    const bool is_begun =
        is_old ? is_known(parsed.subset) && parsed.number <= next_number(parsed.subset)
               : begun_.count(printable(stem)) > 0;
    if (!is_ours || !is_begun) refuse(shards_ / name);
    left_over.push_back(shards_ / name);
  }
  for (const auto& file : left_over) remove_file(file);
  if (is_new || is_old) {
    for (const auto& stem : finished) begun_.insert(printable(stem));
    write();
  }
}

void PreparationRecord::read_finished(const ShardName& shard) {
  const auto files = shard_files(shards_, shard.subset, shard.number);
  std::vector<Utterance> utterances;
  if (fs::exists(files.manifest)) utterances = read_manifest(files.manifest).utterances;
  next_number_[shard.subset] = std::max(next_number_[shard.subset], shard.number);
  add(shard.subset, read_verdicts(files.verdicts), std::move(utterances));
}

void PreparationRecord::write() const {
  auto json = parse_json<Json>(options_);
  json[kBegun] = begun_;
  if (validation_) json[kValidation] = validation_->to_json();
  write_file_atomically(file_, json.dump(2) + "\n");
}

ShardFiles PreparationRecord::begin(const std::string& subset) {
  auto files = shard_files(shards_, subset, next_number(subset));
  if (begun_.insert(printable(stem_of(files.tar.filename().string()))).second) write();
  return files;
}

void PreparationRecord::keep(const ValidationFold& fold) {
  validation_ = fold;
  write();
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

}  // namespace raven::data

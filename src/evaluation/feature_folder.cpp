#include "evaluation/feature_folder.h"

#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "core/parse_json.h"
#include "evaluation/utterance_groups.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/log.h"
#include "raven/core/utf8.h"

namespace raven::evaluation {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::string_view kHeader = "id\tfile\tframes\twidth\tchecksum\tsource\n";
constexpr const char* kSettings = "features.json";
constexpr const char* kIndex = "index.tsv";
constexpr const char* kSkipped = "skipped.tsv";

std::string line_of(const std::string& id, const FeatureRow& row) {
  return fmt::format("{}\t{}\t{}\t{}\t{}\t{}\n", id, row.file, row.frames, row.width, row.checksum,
                     row.source);
}

std::optional<std::int64_t> count_of(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 1) return std::nullopt;
  return value;
}

std::vector<std::string_view> fields_of(std::string_view line) {
  std::vector<std::string_view> fields;
  while (true) {
    const auto end = line.find('\t');
    fields.push_back(line.substr(0, end));
    if (end == std::string_view::npos) return fields;
    line.remove_prefix(end + 1);
  }
}

std::optional<std::pair<std::string, FeatureRow>> row_of(std::string_view line) {
  const auto fields = fields_of(line);
  if (fields.size() != 6 || fields[0].empty() || fields[1].empty()) return std::nullopt;
  const auto frames = count_of(fields[2]), width = count_of(fields[3]);
  if (!frames || !width) return std::nullopt;
  return std::pair(std::string(fields[0]), FeatureRow{.file = std::string(fields[1]),
                                                      .frames = *frames,
                                                      .width = *width,
                                                      .checksum = std::string(fields[4]),
                                                      .source = std::string(fields[5])});
}

/// What a features.json says of a setting; empty when it says nothing.
std::string said(const Json& json, const std::string& setting) {
  const auto found = json.find(setting);
  return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

std::map<std::string, FeatureRow> parse_index(std::string_view content) {
  std::map<std::string, FeatureRow> rows;
  if (!content.starts_with(kHeader)) return rows;
  content.remove_prefix(kHeader.size());
  while (true) {
    const auto end = content.find('\n');
    if (end == std::string_view::npos) return rows;
    auto row = row_of(content.substr(0, end));
    if (!row) return rows;
    rows.insert_or_assign(std::move(row->first), std::move(row->second));
    content.remove_prefix(end + 1);
  }
}

FeatureFolder::FeatureFolder(fs::path folder, const Settings& settings, const Settings& notes)
    : folder_(std::move(folder)) {
  claim(settings, notes);
  read_index();
  listed_in_ = folder_ / kIndex;
  write_file_atomically(listed_in_, index());
  out_.open(listed_in_, std::ios::app);
  take_over_parts();
}

FeatureFolder::FeatureFolder(fs::path folder, std::int64_t rank) : folder_(std::move(folder)) {
  listed_in_ = part_of_rank(folder_ / kIndex, rank);
  write_file_atomically(listed_in_, std::string(kHeader));
  out_.open(listed_in_, std::ios::app);
}

void FeatureFolder::take_over_parts() {
  for (const auto& part : parts_of_ranks(folder_ / kIndex)) {
    for (auto& [id, row] : parse_index(read_file(part))) {
      if (!rows_.contains(id) && fs::is_regular_file(folder_ / row.file)) add(id, row);
    }
    flush_to_disk(folder_ / kIndex);  // before the part goes
    fs::remove(part);
  }
}

void FeatureFolder::claim(const Settings& settings, const Settings& notes) const {
  const auto file = folder_ / kSettings;
  if (!fs::exists(file)) {
    if (fs::exists(folder_ / kIndex)) {
      throw ConfigError(
          fmt::format("{}: there is {} but no {}, which says what it lists; give "
                      "another folder",
                      folder_.string(), kIndex, kSettings));
    }
    Json json = {{"format", "raven-features"}, {"format_version", "1"}};
    for (const auto* part : {&settings, &notes}) {
      for (const auto& [key, value] : *part) json[key] = as_utf8(value);
    }
    write_file_atomically(file, json.dump(2) + "\n");
    return;
  }
  const auto json = parse_json<Json>(read_file(file));
  if (!json.is_object()) {
    throw ConfigError(fmt::format("{}: is damaged; give another folder", file.string()));
  }
  std::vector<std::string> lines;
  for (const auto& [setting, value] : settings) {
    if (const auto there = said(json, setting); there != as_utf8(value))
      lines.push_back(fmt::format("{}: {} there, {} here", setting, there, value));
  }
  if (lines.empty()) return;
  throw ConfigError(fmt::format(
      "{} holds other features; give another folder, or what they were made with:\n  {}",
      folder_.string(), fmt::join(lines, "\n  ")));
}

void FeatureFolder::read_index() {
  if (!fs::exists(folder_ / kIndex)) return;
  rows_ = parse_index(read_file(folder_ / kIndex));
  const auto lost = std::erase_if(
      rows_, [&](const auto& row) { return !fs::is_regular_file(folder_ / row.second.file); });
  if (lost > 0) log::warn("{}: {} files that it lists are gone", kIndex, lost);
}

std::string FeatureFolder::index() const {
  std::string content(kHeader);
  for (const auto& [id, row] : rows_) content += line_of(id, row);
  return content;
}

void FeatureFolder::add(const std::string& id, FeatureRow row) {
  out_ << line_of(id, row) << std::flush;
  if (!out_) throw SystemError(fmt::format("cannot write {}", listed_in_.string()));
  rows_.insert_or_assign(id, std::move(row));
}

void FeatureFolder::flush() {
  if (fs::exists(listed_in_)) flush_to_disk(listed_in_);  // else another rank has given up
}

void FeatureFolder::finish() {
  out_.close();
  write_file_atomically(folder_ / kIndex, index());
}

void FeatureFolder::write_skipped(const std::vector<std::string>& lines) const {
  if (!lines.empty()) {
    write_file_atomically(folder_ / kSkipped, fmt::format("{}\n", fmt::join(lines, "\n")));
    return;
  }
  std::error_code ignored;
  fs::remove(folder_ / kSkipped, ignored);
}

}  // namespace raven::evaluation

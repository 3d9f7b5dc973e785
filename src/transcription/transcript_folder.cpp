#include "transcription/transcript_folder.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/parse_json.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/log.h"
#include "raven/core/utf8.h"

namespace raven::transcription {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kList = "transcripts.jsonl";
constexpr const char* kPartEnding = ".part.jsonl";

std::string key_of(const fs::path& file) {
  return as_utf8(fs::absolute(file).lexically_normal().string());
}

std::string line_of(const FileRecord& record) {
  const Json json = {{"file", record.file},           {"name", record.name},
                     {"state", record.state},         {"identity", record.identity},
                     {"verdict", record.verdict},     {"message", record.message},
                     {"files", record.files},         {"film", record.film},
                     {"duration", record.duration_s}, {"words", record.words}};
  return json.dump() + "\n";
}

/// Throws Json::exception for a line that is none.
FileRecord record_of(const Json& json) {
  return {.file = json.at("file").get<std::string>(),
          .name = json.at("name").get<std::string>(),
          .state = json.at("state").get<std::string>(),
          .identity = json.at("identity").get<std::string>(),
          .verdict = json.at("verdict").get<std::string>(),
          .message = json.at("message").get<std::string>(),
          .files = json.at("files").get<std::vector<std::string>>(),
          .film = json.value("film", ""),
          .duration_s = json.at("duration").get<double>(),
          .words = json.at("words").get<std::int64_t>()};
}

fs::path made(fs::path folder) {
  make_folders(folder);
  return folder;
}

/// A list that someone has changed leads out of the folder no more than a file's name does.
bool is_plain(const std::string& name) {
  return !name.empty() && name.find('/') == std::string::npos && name != "." && name != "..";
}

}  // namespace

TranscriptFolder::TranscriptFolder(fs::path folder, const std::vector<fs::path>& files,
                                   const std::vector<std::string>& endings, bool replace)
    : folder_(made(std::move(folder))), lock_(folder_) {
  read();
  const auto fresh = name_all(files);
  if (!replace) refuse_foreign(fresh, endings);
  rewrite();
}

void TranscriptFolder::read() {
  std::ifstream in(folder_ / kList);
  std::string line;
  while (std::getline(in, line) && !in.eof()) {  // a line without its end was cut short
    try {
      auto record = record_of(parse_json<Json>(line));
      if (!is_plain(record.name)) continue;
      std::erase_if(record.files, [](const auto& file) { return !is_plain(file); });
      records_.insert_or_assign(record.file, std::move(record));
    } catch (const std::exception&) {
      log::warn("{}: a line is damaged; its file is transcribed again", (folder_ / kList).string());
    }
  }
}

std::vector<std::string> TranscriptFolder::name_all(const std::vector<fs::path>& files) {
  std::set<std::string> taken;
  for (const auto& [file, record] : records_) taken.insert(record.name);
  std::vector<std::string> fresh;
  for (const auto& file : files) {
    const auto key = key_of(file);
    if (records_.contains(key)) continue;
    auto stem = as_utf8(file.stem().string());
    if (!is_plain(stem)) stem = "file";
    auto name = stem;
    for (int number = 2; !taken.insert(name).second; ++number)
      name = fmt::format("{}-{}", stem, number);
    records_[key] = {.file = key, .name = name};
    fresh.push_back(name);
  }
  return fresh;
}

void TranscriptFolder::refuse_foreign(const std::vector<std::string>& names,
                                      const std::vector<std::string>& endings) const {
  for (const auto& name : names) {
    for (const auto& ending : endings) {
      const auto target = folder_ / (name + ending);
      if (!fs::exists(target)) continue;
      throw ConfigError(fmt::format(
          "{}: is there already and is no transcript that this folder's {} lists; give another "
          "folder with --out, or --replace",
          target.string(), kList));
    }
  }
}

std::string TranscriptFolder::name_of(const fs::path& file) const {
  const std::lock_guard lock(mutex_);
  return records_.at(key_of(file)).name;
}

FileRecord TranscriptFolder::record(const fs::path& file) const {
  const std::lock_guard lock(mutex_);
  return records_.at(key_of(file));
}

bool TranscriptFolder::is_done(const fs::path& file, const std::string& identity) const {
  const auto known = record(file);
  return known.verdict == "ok" && known.identity == identity &&
         (known.film.empty() || fs::is_regular_file(known.film)) &&
         std::ranges::all_of(known.files,
                             [&](const auto& name) { return fs::is_regular_file(folder_ / name); });
}

fs::path TranscriptFolder::part_file(const fs::path& file) const {
  return folder_ / (name_of(file) + kPartEnding);
}

void TranscriptFolder::begin(const fs::path& file, const std::string& state) {
  auto record = this->record(file);
  record.state = state;
  record.identity = record.verdict = "";
  add(std::move(record));
}

void TranscriptFolder::write(FileRecord record, const std::vector<NamedContent>& contents) {
  const auto before = this->record(record.file).files;
  record.files.clear();
  for (const auto& [name, content] : contents) {
    write_file_atomically(folder_ / name, content);
    record.files.push_back(name);
  }
  for (const auto& old : before) {
    std::error_code ignored;
    if (std::ranges::find(record.files, old) == record.files.end())
      fs::remove(folder_ / old, ignored);
  }
  add(std::move(record));
}

void TranscriptFolder::note(FileRecord record) {
  record.files = this->record(record.file).files;
  record.film = this->record(record.file).film;
  add(std::move(record));
}

void TranscriptFolder::add(FileRecord record) {
  const std::lock_guard lock(mutex_);
  out_ << line_of(record) << std::flush;
  if (!out_) throw SystemError(fmt::format("cannot write {}", (folder_ / kList).string()));
  records_.insert_or_assign(record.file, std::move(record));
}

void TranscriptFolder::rewrite() {
  std::string content;
  for (const auto& [file, record] : records_) content += line_of(record);
  out_.close();
  write_file_atomically(folder_ / kList, content);
  out_.open(folder_ / kList, std::ios::app);
}

void TranscriptFolder::finish() {
  const std::lock_guard lock(mutex_);
  rewrite();
}

}  // namespace raven::transcription

#include "data/export_record.h"

#include <charconv>
#include <string_view>
#include <utility>
#include <vector>

#include "raven/core/error.h"
#include "raven/core/files.h"

namespace raven::data {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kHeader =
    "clip\tframes\tvideo_bytes\taudio_bytes\tvideo_source\taudio_source\n";

std::string line_of(const std::string& name, const ExportedClip& clip) {
  return fmt::format("{}\t{}\t{}\t{}\t{}\t{}\n", name, clip.frames, clip.video_bytes,
                     clip.audio_bytes, clip.video, clip.audio);
}

template <class Number>
bool parse(std::string_view text, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

std::optional<std::pair<std::string, ExportedClip>> row_of(std::string_view line) {
  std::vector<std::string_view> fields;
  for (auto end = line.find('\t'); end != std::string_view::npos; end = line.find('\t')) {
    fields.push_back(line.substr(0, end));
    line.remove_prefix(end + 1);
  }
  fields.push_back(line);
  ExportedClip clip;
  if (fields.size() != 6 || !parse(fields[1], clip.frames) || !parse(fields[2], clip.video_bytes) ||
      !parse(fields[3], clip.audio_bytes))
    return std::nullopt;
  clip.video = fields[4];
  clip.audio = fields[5];
  return std::pair(std::string(fields[0]), std::move(clip));
}

bool has_size(const fs::path& file, std::uint64_t bytes) {
  if (bytes == 0) return true;
  std::error_code missing;
  return fs::file_size(file, missing) == bytes && !missing;
}

}  // namespace

ExportRecord::ExportRecord(fs::path folder) : folder_(std::move(folder)) {
  const auto file = folder_ / kFile;
  std::string kept(kHeader);
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  while (std::getline(in, line) && !in.eof()) {  // a line without its end was cut short
    auto row = row_of(line);
    if (!row) break;
    if (!files_are_there(row->first, row->second)) continue;
    kept += line + "\n";
    clips_.insert_or_assign(std::move(row->first), std::move(row->second));
  }
  in.close();
  write_file_atomically(file, kept);
  out_.open(file, std::ios::app);
}

bool ExportRecord::files_are_there(const std::string& name, const ExportedClip& clip) const {
  return has_size(folder_ / (name + ".avi"), clip.video_bytes) &&
         has_size(folder_ / (name + ".wav"), clip.audio_bytes);
}

const ExportedClip* ExportRecord::find(const std::string& name) const {
  const auto found = clips_.find(name);
  return found == clips_.end() ? nullptr : &found->second;
}

void ExportRecord::add(const std::string& name, const ExportedClip& clip) {
  out_ << line_of(name, clip) << std::flush;
  if (!out_) {
    throw SystemError(
        fmt::format("cannot write {}; is the disk full?", (folder_ / kFile).string()));
  }
  clips_.insert_or_assign(name, clip);
}

}  // namespace raven::data

#include "raven/data/manifest.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <unordered_set>

#include "raven/core/error.h"
#include "raven/core/files.h"

namespace raven::data {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxFileBytes = 4ULL << 30;
constexpr std::size_t kMaxLineBytes = 1 << 20;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// Where in a manifest something stands; prefix of every message.
struct Place {
  const fs::path& file;
  std::size_t line;
};

[[noreturn]] void refuse(const Place& place, const std::string& why, const std::string& reason) {
  throw DataError(fmt::format("{}:{}: {}", place.file.string(), place.line, why), reason);
}

/// Bytes of a foreign file as they may appear in a message: short, control characters escaped.
std::string in_quotes(std::string_view text) {
  constexpr std::size_t kLongest = 60;
  std::string out = "'";
  for (const char c : text.substr(0, kLongest)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out + (text.size() > kLongest ? "...'" : "'");
}

/// Goes through lines without their ends (LF or CRLF), counting from 1.
class Lines {
 public:
  Lines(std::string_view content, const fs::path& file) : rest_(content), file_(file) {}

  std::optional<std::string_view> next() {
    if (rest_.empty()) return std::nullopt;
    ++number_;
    const auto end = rest_.find('\n');
    auto line = rest_.substr(0, end);
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.size() > kMaxLineBytes) {
      refuse(place(),
             fmt::format("line of {} bytes, at most {} are read; is this a manifest?", line.size(),
                         kMaxLineBytes),
             "corrupt");
    }
    if (line.find('\0') != std::string_view::npos) {
      refuse(place(), "holds a NUL byte; is this a manifest?", "corrupt");
    }
    return line;
  }

  [[nodiscard]] Place place() const { return {file_, number_}; }

 private:
  std::string_view rest_;
  const fs::path& file_;
  std::size_t number_ = 0;
};

std::vector<std::string_view> split(std::string_view line, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto end = line.find(separator);
    parts.push_back(line.substr(0, end));
    if (end == std::string_view::npos) return parts;
    line.remove_prefix(end + 1);
  }
}

std::int64_t parse_frames(std::string_view text, const Place& place) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 1 ||
      value > kMaxListedFrames) {
    refuse(place,
           fmt::format("frames is {}, expected a whole number from 1 to {}", in_quotes(text),
                       kMaxListedFrames),
           "frame-count");
  }
  return value;
}

/// `a/b.tar/c/d.mp4` -> file `<folder>/a/b.tar`, member `c/d.mp4`; anything else is a plain file.
Location parse_location(std::string_view text, const fs::path& folder) {
  constexpr std::string_view kInside = ".tar/";
  Location location;
  if (text.empty()) return location;
  const auto inside = text.find(kInside);
  auto file = text;
  if (inside != std::string_view::npos && inside + kInside.size() < text.size()) {
    file = text.substr(0, inside + kInside.size() - 1);
    location.member = std::string(text.substr(inside + kInside.size()));
  }
  location.file = (folder / fs::path(file)).lexically_normal();
  return location;
}

/// Keeps ids apart; views into the manifest's content.
class Ids {
 public:
  void add(std::string_view id, const Place& place) {
    if (id.empty()) refuse(place, "id is empty", "missing");
    if (!seen_.insert(id).second) {
      refuse(place,
             fmt::format("id {} is listed twice; every utterance needs an id of its own",
                         in_quotes(id)),
             "duplicate");
    }
  }

 private:
  std::unordered_set<std::string_view> seen_;
};

enum Column { kId, kVideo, kAudio, kFrames, kText, kSpeaker, kSubset, kSource, kNumColumns };
constexpr std::array<std::string_view, kNumColumns> kColumnNames = {
    "id", "video", "audio", "frames", "text", "speaker", "subset", "source"};

/// Which field of a line holds which column.
struct Header {
  std::array<std::optional<std::size_t>, kNumColumns> field_of;
  std::size_t num_fields = 0;

  [[nodiscard]] std::string_view get(const std::vector<std::string_view>& fields,
                                     Column column) const {
    return field_of[column] ? fields[*field_of[column]] : std::string_view();
  }
};

Header parse_header(std::string_view line, const Place& place) {
  Header header;
  const auto names = split(line, '\t');
  header.num_fields = names.size();
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto found = std::find(kColumnNames.begin(), kColumnNames.end(), names[i]);
    if (found == kColumnNames.end()) continue;
    auto& field = header.field_of[static_cast<std::size_t>(found - kColumnNames.begin())];
    if (field)
      refuse(place, fmt::format("two columns are called {}", in_quotes(names[i])), "columns");
    field = i;
  }
  for (const auto column : {kId, kVideo, kFrames}) {
    if (!header.field_of[column]) {
      refuse(place,
             fmt::format(
                 "no column '{}' in the first line {}; it names the columns, separated by tabs: "
                 "id, video, audio, frames, text, ...",
                 kColumnNames[column], in_quotes(line)),
             "columns");
    }
  }
  return header;
}

Manifest parse_tsv(std::string_view content, const fs::path& file) {
  Manifest manifest{.file = file, .utterances = {}};
  Lines lines(content, file);
  const auto first = lines.next();
  if (!first)
    throw DataError(fmt::format("{}: empty, expected a line that names the columns", file.string()),
                    "columns");
  const auto header = parse_header(*first, lines.place());
  const auto folder = file.parent_path();
  Ids ids;
  while (const auto line = lines.next()) {
    if (line->empty()) continue;
    const auto place = lines.place();
    const auto fields = split(*line, '\t');
    if (fields.size() != header.num_fields) {
      refuse(
          place,
          fmt::format("{} columns, but the first line names {}", fields.size(), header.num_fields),
          "columns");
    }
    const auto text = [&](Column column) { return std::string(header.get(fields, column)); };
    ids.add(header.get(fields, kId), place);
    if (header.get(fields, kVideo).empty()) {
      refuse(place, fmt::format("{} has no video", in_quotes(header.get(fields, kId))), "missing");
    }
    manifest.utterances.push_back({.id = text(kId),
                                   .video = parse_location(header.get(fields, kVideo), folder),
                                   .audio = parse_location(header.get(fields, kAudio), folder),
                                   .frames = parse_frames(header.get(fields, kFrames), place),
                                   .text = text(kText),
                                   .speaker = text(kSpeaker),
                                   .subset = text(kSubset),
                                   .source = text(kSource),
                                   .text_is_units = false,
                                   .labels = {}});
  }
  return manifest;
}

/// The folder that a tag of a published list stands for; looked up once for each tag.
class TagFolders {
 public:
  explicit TagFolders(fs::path folder) : folder_(std::move(folder)) {}

  const fs::path& of(std::string_view tag) {
    auto& known = known_[std::string(tag)];
    if (known.empty()) {
      std::error_code ignored;
      const auto own = folder_ / fs::path(tag);
      known = !tag.empty() && fs::is_directory(own, ignored) ? own : folder_;
    }
    return known;
  }

 private:
  fs::path folder_;
  std::map<std::string, fs::path> known_;
};

Manifest parse_published(std::string_view content, const fs::path& file) {
  constexpr std::size_t kNumFields = 4;
  Manifest manifest{.file = file, .utterances = {}};
  Lines lines(content, file);
  TagFolders folders(file.parent_path());
  Ids ids;
  while (const auto line = lines.next()) {
    if (line->empty()) continue;
    const auto place = lines.place();
    const auto fields = split(*line, ',');
    if (fields.size() != kNumFields) {
      refuse(
          place,
          fmt::format("{} fields, expected 4: tag,relative path,frames,label ids", fields.size()),
          "columns");
    }
    const auto path = fields[1];
    const auto dot = path.rfind('.');
    const auto slash = path.rfind('/');
    if (dot == std::string_view::npos || (slash != std::string_view::npos && dot < slash) ||
        dot == 0) {
      refuse(place, fmt::format("path {} has no ending such as .avi", in_quotes(path)), "columns");
    }
    const auto id = path.substr(0, dot);
    ids.add(id, place);
    const auto& folder = folders.of(fields[0]);
    manifest.utterances.push_back({.id = std::string(id),
                                   .video = parse_location(path, folder),
                                   .audio = parse_location(std::string(id) + ".wav", folder),
                                   .frames = parse_frames(fields[2], place),
                                   .text = std::string(fields[3]),
                                   .speaker = {},
                                   .subset = {},
                                   .source = std::string(fields[0]),
                                   .text_is_units = true,
                                   .labels = {}});
  }
  return manifest;
}

/// A location as a manifest in `folder` spells it.
std::string relative_text(const Location& location, const fs::path& folder) {
  if (location.empty()) return {};
  const auto relative = location.file.lexically_relative(folder);
  Location spelled{.file = relative.empty() ? location.file : relative, .member = location.member};
  return spelled.text();
}

std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(),
      [](char c) { return c == '\t' || c == '\n' || c == '\r' || c == '\0'; }, ' ');
  return text;
}

const std::string& exact(const std::string& text, const fs::path& file) {
  if (text.find_first_of(std::string_view("\t\n\r\0", 4)) != std::string::npos) {
    throw DataError(fmt::format("{}: {} holds a tab, a line end or a NUL byte; rename it",
                                file.string(), in_quotes(text)));
  }
  return text;
}

}  // namespace

std::string Location::text() const {
  return member.empty() ? file.string() : file.string() + "/" + member;
}

std::int64_t Manifest::total_frames() const {
  std::int64_t total = 0;
  for (const auto& utterance : utterances) total += utterance.frames;
  return total;
}

Manifest parse_manifest(std::string_view content, const fs::path& file) {
  if (content.substr(0, kByteOrderMark.size()) == kByteOrderMark)
    content.remove_prefix(kByteOrderMark.size());
  return file.extension() == ".csv" ? parse_published(content, file) : parse_tsv(content, file);
}

Manifest read_manifest(const fs::path& file) {
  std::error_code ignored;
  if (!fs::exists(file, ignored)) {
    throw ConfigError(
        fmt::format("{}: no such manifest; `raven prepare` makes one from media files, "
                    "`raven synth` a corpus to try",
                    file.string()));
  }
  if (fs::is_directory(file, ignored)) {
    throw ConfigError(
        fmt::format("{}: is a folder, expected a manifest; name the .tsv in it", file.string()));
  }
  return parse_manifest(read_file(file, kMaxFileBytes, FileKind::kAny),
                        fs::absolute(file).lexically_normal());
}

Manifest read_manifests(const std::vector<fs::path>& files) {
  Manifest all;
  for (const auto& file : files) {
    auto next = read_manifest(file);
    if (all.file.empty()) all.file = next.file;
    std::move(next.utterances.begin(), next.utterances.end(), std::back_inserter(all.utterances));
  }
  if (files.size() > 1) {
    std::unordered_set<std::string_view> seen;
    for (const auto& utterance : all.utterances) {
      if (!seen.insert(utterance.id).second) {
        throw DataError(
            fmt::format("{}: id {} is listed by two of the {} manifests that are read together",
                        all.file.string(), in_quotes(utterance.id), files.size()),
            "duplicate");
      }
    }
  }
  return all;
}

void write_manifest(const Manifest& manifest) {
  const auto file = fs::absolute(manifest.file).lexically_normal();
  const auto folder = file.parent_path();
  std::string content = "id\tvideo\taudio\tframes\ttext\tspeaker\tsubset\tsource\n";
  for (const auto& u : manifest.utterances) {
    content += fmt::format("{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n", exact(u.id, file),
                           exact(relative_text(u.video, folder), file),
                           exact(relative_text(u.audio, folder), file), u.frames, one_line(u.text),
                           one_line(u.speaker), one_line(u.subset), one_line(u.source));
  }
  write_file_atomically(file, content);
}

}  // namespace raven::data

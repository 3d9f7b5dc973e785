#include "raven/data/manifest.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/home.h"
#include "raven/core/lines.h"
#include "raven/core/new_file.h"
#include "raven/core/utf8.h"

namespace raven::data {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxFileBytes = 4ULL << 30;
constexpr std::size_t kMaxLineBytes = 1 << 20;

/// Where in a manifest something stands; prefix of every message.
struct Place {
  const fs::path& file;
  std::size_t line;
};

[[noreturn]] void refuse(const Place& place, const std::string& why, const std::string& reason) {
  throw DataError(fmt::format("{}:{}: {}", place.file.string(), place.line, why), reason);
}

/// Bytes of a foreign file as they may appear in a message: short, control characters and what is
/// not UTF-8 escaped.
std::string in_quotes(std::string_view text) {
  constexpr std::size_t kLongest = 60;
  std::string out = "'";
  auto rest = text;
  while (!rest.empty() && text.size() - rest.size() < kLongest) {
    const bool is_text = utf8_length(rest) > 0;
    const auto [code, bytes] = take_character(rest);
    const bool is_control = code < 0x20 || (code >= 0x7F && code < 0xA0);
    if (is_text && !is_control) {
      out += bytes;
    } else {
      for (const char c : bytes) out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return out + (rest.empty() ? "'" : "...'");
}

/// Lines that a manifest may have.
class ManifestLines {
 public:
  ManifestLines(std::string_view content, const fs::path& file)
      : lines_(content, file.string()), file_(file) {}

  std::optional<std::string_view> next() {
    const auto line = lines_.next();
    if (!line) return line;
    if (line->size() > kMaxLineBytes) {
      refuse(place(),
             fmt::format("line of {} bytes, at most {} are read; is this a manifest?", line->size(),
                         kMaxLineBytes),
             "corrupt");
    }
    return line;
  }

  [[nodiscard]] Place place() const { return {file_, lines_.number()}; }

 private:
  Lines lines_;
  const fs::path& file_;
};

/// What is kept as text, and written again elsewhere; paths may be any bytes.
std::string text_of(std::string_view field, std::string_view column, const Place& place) {
  if (is_utf8(field)) return std::string(field);
  auto rest = field;
  while (utf8_length(rest) > 0) rest.remove_prefix(utf8_length(rest));
  refuse(place,
         fmt::format("{} {} is not UTF-8 text (byte {} of it); save the list as UTF-8, or rename",
                     column, in_quotes(field), field.size() - rest.size() + 1),
         "text");
}

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

corpus::Grey parse_grey(std::string_view text, const Place& place) {
  const auto grey = text.empty() ? corpus::Grey::kLuma : corpus::grey_of(text);
  if (!grey) {
    refuse(place,
           fmt::format("grey is {}, expected luma, published, colour or nothing", in_quotes(text)),
           "columns");
  }
  return *grey;
}

/// What paths of a list mean.
class Paths {
 public:
  /// `a/b.tar/c/d.mp4` below `folder` -> file `<folder>/a/b.tar`, member `c/d.mp4`, unless b.tar is
  /// a folder; anything else is a plain file.
  Location find(std::string_view text, const fs::path& folder, const Place& place) {
    constexpr std::string_view kInside = ".tar/";
    Location location;
    if (text.empty()) return location;
    for (auto inside = text.find(kInside); inside != std::string_view::npos;
         inside = text.find(kInside, inside + 1)) {
      const auto member = text.substr(inside + kInside.size());
      if (member.empty()) break;
      location.file = below(folder, text.substr(0, inside + kInside.size() - 1), place);
      if (is_folder(location.file)) continue;
      location.member = std::string(member);
      return location;
    }
    location.file = below(folder, text, place);
    return location;
  }

 private:
  static fs::path below(const fs::path& folder, std::string_view path, const Place& place) {
    try {
      return (folder / fs::path(expand_home(path))).lexically_normal();
    } catch (const ConfigError& error) {
      throw ConfigError(fmt::format("{}:{}: {}", place.file.string(), place.line, error.what()));
    }
  }

  bool is_folder(const fs::path& tar) {
    if (tar != last_tar_) {  // a list names its shards one after another
      std::error_code ignored;
      last_is_folder_ = fs::is_directory(tar, ignored);
      last_tar_ = tar;
    }
    return last_is_folder_;
  }

  fs::path last_tar_;
  bool last_is_folder_ = false;
};

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

enum Column { kId, kVideo, kAudio, kFrames, kText, kSpeaker, kSubset, kSource, kGrey, kNumColumns };
constexpr std::array<std::string_view, kNumColumns> kColumnNames = {
    "id", "video", "audio", "frames", "text", "speaker", "subset", "source", "grey"};

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
  const auto require = [&](bool is_there, std::string_view column) {
    if (is_there) return;
    refuse(place,
           fmt::format("no column '{}' in the first line {}; it names the columns, separated by "
                       "tabs: id, video, audio, frames, text, ...",
                       column, in_quotes(line)),
           "columns");
  };
  require(header.field_of[kId].has_value(), "id");
  require(header.field_of[kVideo] || header.field_of[kAudio], "video");
  require(header.field_of[kFrames].has_value(), "frames");
  return header;
}

Manifest parse_tsv(std::string_view content, const fs::path& file) {
  Manifest manifest{.file = file, .utterances = {}};
  ManifestLines lines(content, file);
  const auto first = lines.next();
  if (!first)
    throw DataError(fmt::format("{}: empty, expected a line that names the columns", file.string()),
                    "columns");
  const auto header = parse_header(*first, lines.place());
  const auto folder = file.parent_path();
  const auto list = std::make_shared<const fs::path>(file);
  Paths paths;
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
    const auto text = [&](Column column) {
      return text_of(header.get(fields, column), kColumnNames[column], place);
    };
    ids.add(header.get(fields, kId), place);
    if (header.get(fields, kVideo).empty() && header.get(fields, kAudio).empty()) {
      refuse(place,
             fmt::format("{} has neither video nor audio", in_quotes(header.get(fields, kId))),
             "missing");
    }
    manifest.utterances.push_back({.id = text(kId),
                                   .video = paths.find(header.get(fields, kVideo), folder, place),
                                   .audio = paths.find(header.get(fields, kAudio), folder, place),
                                   .frames = parse_frames(header.get(fields, kFrames), place),
                                   .text = text(kText),
                                   .speaker = text(kSpeaker),
                                   .subset = text(kSubset),
                                   .source = text(kSource),
                                   .grey = parse_grey(header.get(fields, kGrey), place),
                                   .text_is_units = false,
                                   .length_is_approximate = false,
                                   .labels = {},
                                   .origin = {.list = list, .line = place.line}});
  }
  return manifest;
}

/// The folder below a root that a tag of a published list stands for; looked up once for each tag.
class TagFolders {
 public:
  TagFolders(const fs::path& root, const fs::path& list)
      : folder_(root.empty() ? list.parent_path() : fs::absolute(root).lexically_normal()) {}

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

Manifest parse_published(std::string_view content, const fs::path& file, const MediaRoots& roots) {
  constexpr std::size_t kNumFields = 4;
  Manifest manifest{.file = file, .utterances = {}};
  ManifestLines lines(content, file);
  const auto list = std::make_shared<const fs::path>(file);
  Paths paths;
  TagFolders videos(roots.video, file), sounds(roots.audio, file);
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
    const auto sound = std::string(id) + ".wav";
    manifest.utterances.push_back({.id = text_of(id, "path", place),
                                   .video = paths.find(path, videos.of(fields[0]), place),
                                   .audio = paths.find(sound, sounds.of(fields[0]), place),
                                   .frames = parse_frames(fields[2], place),
                                   .text = text_of(fields[3], "label ids", place),
                                   .speaker = {},
                                   .subset = {},
                                   .source = text_of(fields[0], "tag", place),
                                   .grey = corpus::Grey::kColour,
                                   .text_is_units = true,
                                   .length_is_approximate = true,
                                   .labels = {},
                                   .origin = {.list = list, .line = place.line}});
  }
  return manifest;
}

/// A location as a manifest in `folder` spells it.
std::string relative_text(const Location& location, const fs::path& folder) {
  if (location.empty()) return {};
  const auto relative = location.file.lexically_relative(folder);
  Location spelled{.file = relative.empty() ? location.file : relative, .member = location.member};
  auto text = spelled.text();
  return text.starts_with("~/") ? "./" + text : text;  // a folder of that name, not the home folder
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

/// As it lies in `file`, an absolute path.
std::string content_of(const Manifest& manifest, const fs::path& file) {
  const auto folder = file.parent_path();
  const bool tells_grey = std::ranges::any_of(
      manifest.utterances, [](const auto& u) { return u.grey != corpus::Grey::kLuma; });
  std::string content = "id\tvideo\taudio\tframes\ttext\tspeaker\tsubset\tsource";
  content += tells_grey ? "\tgrey\n" : "\n";
  for (const auto& u : manifest.utterances) {
    content += fmt::format("{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}", exact(u.id, file),
                           exact(relative_text(u.video, folder), file),
                           exact(relative_text(u.audio, folder), file), u.frames, one_line(u.text),
                           one_line(u.speaker), one_line(u.subset), one_line(u.source));
    if (tells_grey) content += fmt::format("\t{}", corpus::name_of(u.grey));
    content += "\n";
  }
  return content;
}

}  // namespace

std::string Location::text() const {
  return member.empty() ? file.string() : file.string() + "/" + member;
}

std::string Origin::text(const fs::path& otherwise) const {
  return list == nullptr ? otherwise.string() : fmt::format("{}:{}", list->string(), line);
}

std::string Manifest::names() const {
  std::unordered_set<const fs::path*> seen;  // utterances of several lists may stand mixed
  std::string text;
  for (const auto& utterance : utterances) {
    const auto* list = utterance.origin.list.get();
    if (list == nullptr || !seen.insert(list).second) continue;
    text += (text.empty() ? "" : ", ") + list->string();
  }
  return text.empty() ? file.string() : text;
}

std::int64_t Manifest::total_frames() const {
  std::int64_t total = 0;
  for (const auto& utterance : utterances) total += utterance.frames;
  return total;
}

Manifest parse_manifest(std::string_view content, const fs::path& file, const MediaRoots& roots) {
  return file.extension() == ".csv" ? parse_published(content, file, roots)
                                    : parse_tsv(content, file);
}

Manifest read_manifest(const fs::path& file, const MediaRoots& roots) {
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
  const auto content = read_file(file, kMaxFileBytes, FileKind::kAny);
  auto manifest = parse_manifest(content, fs::absolute(file).lexically_normal(), roots);
  if (manifest.utterances.empty()) {
    throw DataError(fmt::format("{}: lists no utterances", file.string()), "empty");
  }
  manifest.lists = {{.file = manifest.file,
                     .utterances = std::ssize(manifest.utterances),
                     .checksum = checksum(content)}};
  return manifest;
}

Manifest read_manifests(const std::vector<fs::path>& files, const MediaRoots& roots) {
  std::vector<Manifest> read;
  for (const auto& file : files) read.push_back(read_manifest(file, roots));
  return joined(std::move(read));
}

Manifest joined(std::vector<Manifest> manifests) {
  Manifest all;
  for (auto& next : manifests) {
    if (all.file.empty()) all.file = next.file;
    std::ranges::move(next.utterances, std::back_inserter(all.utterances));
    std::ranges::move(next.lists, std::back_inserter(all.lists));
  }
  if (manifests.size() < 2) return all;
  std::unordered_map<std::string_view, const Utterance*> seen;
  for (const auto& utterance : all.utterances) {
    const auto [known, is_new] = seen.emplace(utterance.id, &utterance);
    if (is_new) continue;
    throw DataError(
        fmt::format("{}: id {} stands in {} as well; utterances that are read together "
                    "need ids of their own",
                    utterance.origin.text(), in_quotes(utterance.id), known->second->origin.text()),
        "duplicate");
  }
  return all;
}

void write_manifest(const Manifest& manifest) { write_manifests({manifest}); }

void write_manifests(const std::vector<Manifest>& manifests) {
  std::vector<std::unique_ptr<NewFile>> files;
  for (const auto& manifest : manifests) {
    const auto file = fs::absolute(manifest.file).lexically_normal();
    files.push_back(std::make_unique<NewFile>(file));
    files.back()->write(content_of(manifest, file));
    files.back()->flush();
  }
  for (const auto& file : files) file->commit();
}

}  // namespace raven::data

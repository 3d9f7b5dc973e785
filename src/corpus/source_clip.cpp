#include "raven/corpus/source_clip.h"

#include <regex.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/utf8.h"

namespace raven::corpus {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::pair<std::string_view, Layout>, 5> kLayouts = {
    {{"auto", Layout::kAuto},
     {"lrs3", Layout::kLrs3},
     {"lrs2", Layout::kLrs2},
     {"voxceleb2", Layout::kVoxCeleb2},
     {"folder", Layout::kFolder}}};

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

bool is_video(const fs::path& file) {
  static const std::set<std::string> kEndings = {".3gp",  ".avi", ".flv",  ".m4v", ".mkv",
                                                 ".mov",  ".mp4", ".mpg",  ".mts", ".ogv",
                                                 ".mpeg", ".ts",  ".webm", ".wmv"};
  auto ending = file.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return kEndings.count(ending) > 0;
}

[[noreturn]] void cannot_list(const fs::path& folder, const std::error_code& code) {
  throw ConfigError(fmt::format("cannot list folder {}: {}", folder.string(), code.message()));
}

/// Calls `found` for every video below a folder, with its path relative to it.
template <class Found>
class VideoFinder {
 public:
  VideoFinder(fs::path root, const fs::path& left_out, Found found)
      : root_(std::move(root)), found_(std::move(found)) {
    std::error_code ignored;
    seen_.insert(fs::weakly_canonical(left_out, ignored));
  }

  void look_in(const fs::path& relative) {
    const auto folder = root_ / relative;
    std::error_code code;
    const auto canonical = fs::canonical(folder, code);
    if (code) cannot_list(folder, code);
    if (!seen_.insert(canonical).second)
      return;  // a link to a folder seen before, or around in a circle
    for (fs::directory_iterator entry(folder, code), end; !code && entry != end;
         entry.increment(code)) {
      const auto name = entry->path().filename();
      if (name.native().front() == '.') continue;
      if (is_folder(entry->path())) {
        look_in(relative / name);
      } else if (is_video(name)) {
        found_(relative / name);
      }
    }
    if (code) cannot_list(folder, code);
  }

 private:
  fs::path root_;
  Found found_;
  std::set<fs::path> seen_;
};

/// What all layouts have in common; ids lose the `mp4` folder of VoxCeleb2 later.
class Lister {
 public:
  Lister(fs::path folder, fs::path landmarks)
      : folder_(std::move(folder)), landmarks_(std::move(landmarks)) {}

  /// Adds the clips below `part` ("" for all); `finish` sets what the layout knows of a clip.
  template <class Finish>
  void add(const fs::path& part, Layout layout, Finish finish) {
    if (!is_folder(folder_ / part)) return;
    VideoFinder finder(folder_, landmarks_, [&](const fs::path& relative) {
      auto stem = relative;
      stem.replace_extension();
      SourceClip clip;
      clip.id = printable(stem.generic_string());
      clip.video = folder_ / relative;
      clip.landmarks = landmarks_ / stem;
      clip.landmarks += ".npy";
      clip.layout = layout;
      auto text = folder_ / stem;
      text += ".txt";
      if (is_file(text)) clip.text = text;
      finish(clip, stem);
      clips_.push_back(std::move(clip));
    });
    finder.look_in(part);
  }

  [[nodiscard]] const fs::path& folder() const { return folder_; }

  std::vector<SourceClip> sorted() {
    std::sort(clips_.begin(), clips_.end(), [](const SourceClip& a, const SourceClip& b) {
      return std::tie(a.subset, a.id, a.video) < std::tie(b.subset, b.id, b.video);
    });
    return std::move(clips_);
  }

 private:
  fs::path folder_, landmarks_;
  std::vector<SourceClip> clips_;
};

std::string parent_name(const fs::path& stem) {
  return printable(stem.parent_path().filename().string());
}

void list_lrs3(Lister& lister) {
  for (const std::string part : {"pretrain", "trainval", "test"}) {
    lister.add(part, Layout::kLrs3, [&](SourceClip& clip, const fs::path& stem) {
      clip.subset = part;
      clip.speaker = parent_name(stem);
    });
  }
}

/// `<speaker>/<number>` -> subset, from LRS2's lists; the test list has a second column.
std::map<std::string, std::string> read_lrs2_lists(const fs::path& folder) {
  std::map<std::string, std::string> subset_of;
  for (const std::string subset : {"train", "val", "test"}) {
    const auto file = folder / (subset + ".txt");
    if (!is_file(file)) continue;
    const auto content = read_file(file);
    for (std::size_t begin = 0; begin < content.size();) {
      const auto end = std::min(content.find('\n', begin), content.size());
      const auto line = content.substr(begin, end - begin);
      const auto name = line.substr(0, line.find_first_of(" \t\r"));
      if (!name.empty()) subset_of[name] = subset;
      begin = end + 1;
    }
  }
  return subset_of;
}

void list_lrs2(Lister& lister) {
  const auto subset_of = read_lrs2_lists(lister.folder());
  for (const std::string part : {"pretrain", "main"}) {
    lister.add(part, Layout::kLrs2, [&](SourceClip& clip, const fs::path& stem) {
      const auto listed = subset_of.find(stem.lexically_relative(part).generic_string());
      clip.subset = part == "main" && listed != subset_of.end() ? listed->second : part;
      clip.speaker = parent_name(stem);
    });
  }
}

void list_voxceleb2(Lister& lister) {
  for (const std::string part : {"dev", "test"}) {
    const auto videos = fs::path(part) / "mp4";
    lister.add(videos, Layout::kVoxCeleb2, [&](SourceClip& clip, const fs::path& stem) {
      const auto name = stem.lexically_relative(videos);
      clip.id = part + "/" + printable(name.generic_string());
      clip.subset = part;
      clip.speaker = printable(name.begin()->string());
      auto audio = lister.folder() / part / "aac" / name;
      audio += ".m4a";
      if (is_file(audio)) clip.audio = audio;
    });
  }
}

Layout detect(const fs::path& folder) {
  if (is_folder(folder / "dev" / "mp4") || is_folder(folder / "test" / "mp4"))
    return Layout::kVoxCeleb2;
  if (is_folder(folder / "main")) return Layout::kLrs2;
  for (const auto* part : {"pretrain", "trainval", "test"}) {
    if (is_folder(folder / part)) return Layout::kLrs3;
  }
  return Layout::kFolder;
}

}  // namespace

std::optional<Layout> layout_of(std::string_view name) {
  for (const auto& [known, layout] : kLayouts) {
    if (known == name) return layout;
  }
  return std::nullopt;
}

std::string_view name_of(Layout layout) {
  for (const auto& [name, known] : kLayouts) {
    if (known == layout) return name;
  }
  return "unknown";
}

struct SpeakerRule::Pattern {
  explicit Pattern(const std::string& text) {
    const int code = regcomp(&expression, text.c_str(), REG_EXTENDED);
    if (code == 0 && expression.re_nsub > 0) return;
    std::array<char, 256> why{};
    if (code != 0) regerror(code, &expression, why.data(), why.size());
    if (code == 0) regfree(&expression);
    throw ConfigError(fmt::format(
        "speaker is '{}', expected parent, top, file, none or a regular expression with a group in "
        "parentheses, e.g. '^([^_]+)_'{}{}",
        text, code == 0 ? "" : ": ", why.data()));
  }
  ~Pattern() { regfree(&expression); }
  Pattern(const Pattern&) = delete;
  Pattern& operator=(const Pattern&) = delete;

  [[nodiscard]] std::string first_group(const std::string& text) const {
    std::array<regmatch_t, 2> matches{};
    if (regexec(&expression, text.c_str(), matches.size(), matches.data(), 0) != 0) return "";
    const auto [begin, end] = matches[1];
    return begin < 0 ? ""
                     : text.substr(static_cast<std::size_t>(begin),
                                   static_cast<std::size_t>(end - begin));
  }

  regex_t expression{};
};

SpeakerRule::SpeakerRule(std::string rule) : text_(std::move(rule)) {
  constexpr std::array<std::string_view, 4> kWords = {kParentIsSpeaker, "top", "file", "none"};
  if (std::ranges::find(kWords, text_) == kWords.end()) pattern_ = std::make_unique<Pattern>(text_);
}

SpeakerRule::~SpeakerRule() = default;

std::string SpeakerRule::speaker_of(const fs::path& stem) const {
  if (pattern_) return printable(pattern_->first_group(stem.generic_string()));
  if (text_ == "file") return printable(stem.filename().string());
  if (!stem.has_parent_path() || text_ == "none") return "";
  return text_ == "top" ? printable(stem.begin()->string()) : parent_name(stem);
}

std::vector<SourceClip> list_clips(const fs::path& folder, Layout layout, const fs::path& landmarks,
                                   const SpeakerRule& speakers) {
  if (!is_folder(folder)) {
    throw ConfigError(
        fmt::format("{}: no such folder; expected one with video files", folder.string()));
  }
  Lister lister(folder, landmarks.empty() ? folder / "landmarks" : landmarks);
  const auto known = layout == Layout::kAuto ? detect(folder) : layout;
  if (known != Layout::kFolder && speakers.text() != kParentIsSpeaker) {
    throw ConfigError(fmt::format(
        "{}: speaker is '{}', but the layout {} says who speaks; it is for --layout folder",
        folder.string(), speakers.text(), name_of(known)));
  }
  switch (known) {
    case Layout::kLrs3:
      list_lrs3(lister);
      break;
    case Layout::kLrs2:
      list_lrs2(lister);
      break;
    case Layout::kVoxCeleb2:
      list_voxceleb2(lister);
      break;
    case Layout::kFolder:
    case Layout::kAuto:
      lister.add("", Layout::kFolder, [&](SourceClip& clip, const fs::path& stem) {
        clip.speaker = speakers.speaker_of(stem);
      });
      break;
  }
  auto clips = lister.sorted();
  const auto has_speaker = [](const SourceClip& clip) { return !clip.speaker.empty(); };
  if (speakers.is_pattern() && !clips.empty() && std::ranges::none_of(clips, has_speaker)) {
    throw ConfigError(
        fmt::format("{}: speaker is '{}', which is found in none of {} paths, e.g. '{}'",
                    folder.string(), speakers.text(), clips.size(), clips.front().id));
  }
  return clips;
}

}  // namespace raven::corpus

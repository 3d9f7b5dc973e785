#include "raven/corpus/source_clip.h"

#include <regex.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "corpus/grid_sentence.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/lines.h"
#include "raven/core/log.h"
#include "raven/core/utf8.h"

namespace raven::corpus {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::pair<std::string_view, Layout>, 6> kLayouts = {
    {{"auto", Layout::kAuto},
     {"lrs3", Layout::kLrs3},
     {"lrs2", Layout::kLrs2},
     {"voxceleb2", Layout::kVoxCeleb2},
     {"grid", Layout::kGrid},
     {"folder", Layout::kFolder}}};

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

std::string lower_case_ending(const fs::path& file) {
  auto ending = file.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return ending;
}

bool is_video(const fs::path& file) {
  static const std::set<std::string> kEndings = {".3gp",  ".avi", ".flv",  ".m4v", ".mkv",
                                                 ".mov",  ".mp4", ".mpg",  ".mts", ".ogv",
                                                 ".mpeg", ".ts",  ".webm", ".wmv"};
  return kEndings.count(lower_case_ending(file)) > 0;
}

bool is_sound(const fs::path& file) {
  static const std::set<std::string> kEndings = {".aac",  ".aif", ".aiff", ".amr", ".au",  ".flac",
                                                 ".m4a",  ".mka", ".mp2",  ".mp3", ".oga", ".ogg",
                                                 ".opus", ".sph", ".wav",  ".wma"};
  return kEndings.count(lower_case_ending(file)) > 0;
}

[[noreturn]] void cannot_list(const fs::path& folder, const std::error_code& code) {
  throw ConfigError(fmt::format("cannot list folder {}: {}", folder.string(), code.message()));
}

/// Calls `found` for every video below a folder, or every video and sound file, with its path
/// relative to it.
template <class Found>
class MediaFinder {
 public:
  MediaFinder(fs::path root, const fs::path& left_out, bool with_sounds, Found found)
      : root_(std::move(root)), with_sounds_(with_sounds), found_(std::move(found)) {
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
      } else if (is_video(name) || (with_sounds_ && is_sound(name))) {
        found_(relative / name);
      }
    }
    if (code) cannot_list(folder, code);
  }

 private:
  fs::path root_;
  bool with_sounds_;
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
    const bool with_sounds = layout == Layout::kFolder || layout == Layout::kGrid;
    MediaFinder finder(folder_, landmarks_, with_sounds, [&](const fs::path& relative) {
      auto stem = relative;
      stem.replace_extension();
      SourceClip clip;
      clip.id = printable(stem.generic_string());
      (is_video(relative) ? clip.video : clip.audio) = folder_ / relative;
      if (!clip.video.empty()) {
        clip.landmarks = landmarks_ / stem;
        clip.landmarks += ".npy";
      }
      clip.layout = layout;
      for (const char* ending : {kAlignEnding, ".txt"}) {  // the latter where both are there
        auto text = folder_ / stem;
        text += ending;
        if (is_file(text)) clip.text = text;
      }
      finish(clip, stem);
      clips_.push_back(std::move(clip));
    });
    finder.look_in(part);
  }

  /// Beside videos, a sound file is that of the video of its name, or none: only a folder without
  /// any video is one of sound.
  void join_sounds_to_videos() {
    std::map<std::string, SourceClip*> videos;
    for (auto& clip : clips_) {
      if (!clip.video.empty()) videos.emplace(clip.id, &clip);
    }
    for (const auto& clip : clips_) {
      const auto found = clip.video.empty() ? videos.find(clip.id) : videos.end();
      if (found == videos.end()) continue;
      auto& spare = found->second->spare;
      if (spare.empty() || clip.audio < spare) spare = clip.audio;  // whatever the folder's order
    }
    if (videos.empty()) return;
    const auto num_left_out = std::ranges::count_if(clips_, [&](const SourceClip& clip) {
      return clip.video.empty() && !videos.contains(clip.id);
    });
    if (num_left_out > 0) {
      log::info(
          "{}: {} sound files without a video of their name are left out; a folder that holds "
          "sound alone can be prepared by itself",
          folder_.string(), num_left_out);
    }
    std::erase_if(clips_, [](const SourceClip& clip) { return clip.video.empty(); });
  }

  [[nodiscard]] const fs::path& folder() const { return folder_; }

  [[nodiscard]] bool is_empty() const { return clips_.empty(); }

  std::vector<SourceClip> sorted() {
    std::sort(clips_.begin(), clips_.end(), [](const SourceClip& a, const SourceClip& b) {
      return std::tie(a.subset, a.id, a.file()) < std::tie(b.subset, b.id, b.file());
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
    Lines lines(content);
    while (const auto line = lines.next()) {
      const auto name = line->substr(0, line->find_first_of(" \t"));
      if (!name.empty()) subset_of[std::string(name)] = subset;
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

/// Beside the clip, with its speaker, or with all speakers.
fs::path find_align(const fs::path& folder, const fs::path& stem) {
  const auto name = fs::path(stem.filename()) += kAlignEnding;
  const auto speaker = *stem.begin();
  for (const char* place : {"align", "alignments"}) {
    for (const auto& file : {folder / speaker / place / name, folder / place / speaker / name,
                             folder / stem.parent_path() / place / name}) {
      if (is_file(file)) return file;
    }
  }
  return {};
}

void list_grid(Lister& lister) {
  lister.add("", Layout::kGrid, [&](SourceClip& clip, const fs::path& stem) {
    if (stem.has_parent_path()) clip.speaker = printable(stem.begin()->string());
    if (clip.text.empty()) clip.text = find_align(lister.folder(), stem);
    if (clip.text.empty()) clip.sentence = grid_sentence(stem.filename().string()).value_or("");
  });
  lister.join_sounds_to_videos();
}

void list_folder(const SpeakerRule& speakers, Lister& lister) {
  lister.add("", Layout::kFolder, [&](SourceClip& clip, const fs::path& stem) {
    clip.speaker = speakers.speaker_of(stem);
  });
  lister.join_sounds_to_videos();
}

void list(Layout layout, const SpeakerRule& speakers, Lister& lister) {
  switch (layout) {
    case Layout::kLrs3:
      return list_lrs3(lister);
    case Layout::kLrs2:
      return list_lrs2(lister);
    case Layout::kVoxCeleb2:
      return list_voxceleb2(lister);
    case Layout::kGrid:
      return list_grid(lister);
    case Layout::kFolder:
    case Layout::kAuto:
      return list_folder(speakers, lister);
  }
}

/// GRID's talkers are s1 to s34; one clip that is called as a sentence makes sure.
bool is_grid(const fs::path& folder) {
  std::error_code ignored;
  for (fs::directory_iterator entry(folder, ignored), end; !ignored && entry != end;
       entry.increment(ignored)) {
    const auto name = entry->path().filename().string();
    const bool is_talker = name.size() > 1 && name.size() < 4 && name.front() == 's' &&
                           name.find_first_not_of("0123456789", 1) == std::string::npos;
    if (!is_talker) continue;
    std::error_code none;
    for (fs::recursive_directory_iterator clip(entry->path(), none), last; !none && clip != last;
         clip.increment(none)) {
      if (is_video(clip->path()) && grid_sentence(clip->path().stem().string())) return true;
    }
  }
  return false;
}

Layout detect(const fs::path& folder) {
  if (is_folder(folder / "dev" / "mp4") || is_folder(folder / "test" / "mp4"))
    return Layout::kVoxCeleb2;
  if (is_folder(folder / "main")) return Layout::kLrs2;
  for (const auto* part : {"pretrain", "trainval", "test"}) {
    if (is_folder(folder / part)) return Layout::kLrs3;
  }
  if (is_grid(folder)) return Layout::kGrid;
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
  if (!is_utf8(text_)) {  // it is kept in prepare.json, which holds UTF-8 alone
    throw ConfigError(
        fmt::format("speaker is '{}' (%XX: its bytes), expected UTF-8 text", printable(text_)));
  }
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
        fmt::format("{}: no such folder; expected one with video or sound files", folder.string()));
  }
  Lister lister(folder, landmarks.empty() ? folder / "landmarks" : landmarks);
  auto known = layout == Layout::kAuto ? detect(folder) : layout;
  list(known, speakers, lister);
  if (layout == Layout::kAuto && known != Layout::kFolder && lister.is_empty()) {
    known = Layout::kFolder;  // a folder called `test` alone makes no LRS3
    list(known, speakers, lister);
  }
  if (known != Layout::kFolder && speakers.text() != kParentIsSpeaker) {
    throw ConfigError(fmt::format(
        "{}: speaker is '{}', but the layout {} says who speaks; it is for --layout folder",
        folder.string(), speakers.text(), name_of(known)));
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

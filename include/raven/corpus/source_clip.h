// The clips of a corpus on disk, whatever its layout.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace raven::corpus {

/// kLrs3:      pretrain|trainval|test/<speaker>/<number>.mp4, .txt beside it
/// kLrs2:      main|pretrain/<speaker>/<number>.mp4, .txt; main is split by train.txt, val.txt and
/// test.txt
/// kVoxCeleb2: dev|test/mp4/<speaker>/<video>/<number>.mp4, sound in dev|test/aac/....m4a where it
/// is there
/// kGrid:      <speaker>/<sentence>.mpg, at any depth below the speaker's folder; transcripts from
/// .txt or .align beside it, or from an .align of its name in a folder align or alignments of the
/// speaker or of all (then align/<speaker>/), else from the sentence's code, "brbk7n"
/// kFolder:    any video files; in a folder without any, sound files; .txt or .align beside them
/// where known
/// kAuto:      the first of these whose folders are there and hold clips
enum class Layout { kAuto, kLrs3, kLrs2, kVoxCeleb2, kGrid, kFolder };

inline constexpr const char* kAlignEnding = ".align";  // of GRID's files of timed words

/// "auto", "lrs3", "lrs2", "voxceleb2", "grid", "folder"; empty for another name.
std::optional<Layout> layout_of(std::string_view name);
std::string_view name_of(Layout layout);

struct SourceClip {
  std::string id;               // path below the corpus' folder without its ending, made printable
  std::filesystem::path video;  // empty: sound without pictures
  std::filesystem::path audio;  // empty: the sound track of `video`
  std::filesystem::path spare;  // a sound file beside `video`, of its name, for lack of a track
  std::filesystem::path text;   // empty: none
  std::string sentence;         // what is said, where the layout knows it without a file
  std::filesystem::path landmarks;  // where they should be; not checked
  std::string speaker, subset;      // as far as the layout tells
  Layout layout = Layout::kFolder;

  /// The one that the clip is named after.
  [[nodiscard]] const std::filesystem::path& file() const { return video.empty() ? audio : video; }
};

inline constexpr const char* kParentIsSpeaker = "parent";

/// Who speaks in a clip of a plain folder, told from the clip's path: "parent", the folder that it
/// lies in (none at the top); "top", the first folder on its way (none at the top); "file", the
/// file's name, so that each clip has a speaker of its own; "none"; or a regular expression (POSIX
/// extended) with a group in parentheses, which is searched in the path without its ending: what
/// the first group matches is the speaker, and none where nothing matches.
class SpeakerRule {
 public:
  /// Throws ConfigError when `rule` is none of these, or not UTF-8.
  explicit SpeakerRule(std::string rule = kParentIsSpeaker);
  ~SpeakerRule();
  SpeakerRule(const SpeakerRule&) = delete;
  SpeakerRule& operator=(const SpeakerRule&) = delete;

  /// `stem`: path below the corpus' folder, without its ending.
  [[nodiscard]] std::string speaker_of(const std::filesystem::path& stem) const;
  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] bool is_pattern() const { return pattern_ != nullptr; }

 private:
  struct Pattern;
  std::string text_;
  std::unique_ptr<Pattern> pattern_;  // null for a word
};

/// All clips below `folder`, sorted by subset, id and path. Hidden files are left out; links to
/// folders are followed once. `landmarks` holds .npy files under the same relative paths as the
/// videos; empty: `folder`/landmarks. `speakers` is for plain folders; other layouts name their
/// speakers. Throws ConfigError when `folder` is missing, a folder below it cannot be read, or
/// `speakers` is another rule than the usual one and is not asked for or fits no clip.
std::vector<SourceClip> list_clips(const std::filesystem::path& folder, Layout layout,
                                   const std::filesystem::path& landmarks = {},
                                   const SpeakerRule& speakers = SpeakerRule());

}  // namespace raven::corpus

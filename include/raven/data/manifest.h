// The list of utterances: a TSV with a header line, or a published four-column list.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "raven/corpus/grey.h"
#include "raven/media/media.h"

namespace raven::data {

/// A file, or a member of a shard.
struct Location {
  std::filesystem::path file;  // absolute; the .tar when `member` is not empty
  std::string member;          // name inside the tar

  [[nodiscard]] bool empty() const { return file.empty(); }
  [[nodiscard]] std::string text() const;
};

/// Where an utterance is listed; empty when it does not come from a list.
struct Origin {
  std::shared_ptr<const std::filesystem::path> list = nullptr;
  std::size_t line = 0;

  /// "list.tsv:17"; `otherwise` without a list.
  [[nodiscard]] std::string text(const std::filesystem::path& otherwise = {}) const;
};

/// One of the two may be empty: video, for sound without pictures; audio, for a film whose sound is
/// its own track, or that has none. Which of these it is, modality.h tells.
struct Utterance {
  std::string id;  // unique within the manifest
  Location video, audio;
  std::int64_t frames = 0;              // at 25 per second, as listed
  std::string text;                     // transcript, or unit ids of a published list; may be empty
  std::string speaker, subset, source;  // as far as known
  corpus::Grey grey = corpus::Grey::kLuma;
  bool text_is_units = false;  // of a published list
  /// Of a published list: `frames` only makes batches, the clip is as long as it is.
  bool length_is_approximate = false;
  std::vector<std::int64_t> labels;  // unit ids of the text, after data::label()
  Origin origin = {};
};

/// A list as it was read.
struct ListFile {
  std::filesystem::path file;
  std::int64_t utterances = 0;  // that it lists
  std::uint64_t checksum = 0;   // xxh3 of its bytes
};

struct Manifest {
  std::filesystem::path file;
  std::vector<Utterance> utterances;
  std::vector<ListFile> lists = {};  // that the utterances were chosen from

  [[nodiscard]] std::int64_t total_frames() const;
  /// The lists that the utterances stand in, each once and in the order in which they come first,
  /// with commas between; `file` when none does.
  [[nodiscard]] std::string names() const;
};

/// Where the files of published lists lie; what is empty is the list's own folder.
struct MediaRoots {
  std::filesystem::path video, audio;
};

/// Longest clip that a manifest may list: an hour at 25 frames a second, as much as media files may
/// hold (media::Limits).
inline constexpr std::int64_t kMaxListedFrames = media::kFrameRateHz * 3600;

/// Reads a manifest. TSV: the first line names the columns (id, frames, video or audio or both and,
/// where known, text, speaker, subset, source, and grey where it is not luma; order free, others
/// ignored); paths are relative to
/// the manifest's folder, or to the home folder after `~/`; `shards/00000.tar/<member>` is a member
/// of a tar, unless a folder is called so. An empty video means sound without pictures; an empty
/// audio means the sound track of the video, whose lack shows when it is read: a .npy has none, nor
/// has the .mp4 of a film that was silent when `raven prepare` took it. A file whose name ends in
/// .csv is a published list: `tag,relative path,frames,label ids` without header. Its videos (crops
/// in colour, or grey stored as such) lie below the folder `tag` of `roots.video` if there is one,
/// else below `roots.video` itself, and under the same names with .wav for an ending its sound
/// below `roots.audio`. Lines end in LF, CRLF or CR; a UTF-8 byte-order mark is accepted. Throws
/// ConfigError when the file is missing, and DataError with file:line for duplicate ids, missing
/// columns, an utterance without video and audio, text that is not UTF-8 (such as UTF-16), counts
/// that are not positive numbers, and an empty list.
Manifest read_manifest(const std::filesystem::path& file, const MediaRoots& roots = {});

/// Several manifests as one, in the order given; `file` is the first one's, each utterance's origin
/// its own. Throws DataError ("duplicate") naming both places when two of them list the same id.
Manifest read_manifests(const std::vector<std::filesystem::path>& files,
                        const MediaRoots& roots = {});

/// The same of manifests that were read before.
Manifest joined(std::vector<Manifest> manifests);

/// The content of a manifest file, which may list nothing; `file` says where it would lie. What
/// read_manifest does after reading.
Manifest parse_manifest(std::string_view content, const std::filesystem::path& file,
                        const MediaRoots& roots = {});

/// Writes a TSV atomically; paths relative to its folder; a column `grey` only where one is not
/// luma. Tabs and line ends in texts become
/// spaces; in ids and paths they are refused (DataError).
void write_manifest(const Manifest& manifest);

/// The same of several, in their order. All are on disk before the first is put in its place: one
/// that cannot be written leaves all as they were.
void write_manifests(const std::vector<Manifest>& manifests);

}  // namespace raven::data

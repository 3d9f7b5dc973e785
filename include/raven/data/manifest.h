// The list of utterances: a TSV with a header line, or a published four-column list.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "raven/media/media.h"

namespace raven::data {

/// A file, or a member of a shard.
struct Location {
  std::filesystem::path file;  // absolute; the .tar when `member` is not empty
  std::string member;          // name inside the tar

  [[nodiscard]] bool empty() const { return file.empty(); }
  [[nodiscard]] std::string text() const;
};

struct Utterance {
  std::string id;                       // unique within the manifest
  Location video, audio;                // audio empty: the sound track of `video`
  std::int64_t frames = 0;              // at 25 per second, as listed
  std::string text;                     // transcript, or unit ids of a published list; may be empty
  std::string speaker, subset, source;  // as far as known
  bool text_is_units = false;           // of a published list
  std::vector<std::int64_t> labels;     // unit ids of the text, once data::label() has been there
};

struct Manifest {
  std::filesystem::path file;
  std::vector<Utterance> utterances;

  [[nodiscard]] std::int64_t total_frames() const;
};

/// Longest clip that a manifest may list: an hour at 25 frames a second, as much as media files may
/// hold (media::Limits).
inline constexpr std::int64_t kMaxListedFrames = media::kFrameRateHz * 3600;

/// Reads a manifest. TSV: first line names the columns (id, video, audio, frames and, where known,
/// text, speaker, subset, source; order free, others ignored); paths are relative to the manifest's
/// folder; `shards/00000.tar/<member>` is a member of a tar. A file whose name ends in .csv is a
/// published list: `tag,relative path,frames,label ids` without header, .wav beside each .avi,
/// below the folder `tag` beside the list if there is one, else beside the list itself. CRLF ends
/// and a UTF-8 byte-order mark are accepted. Throws ConfigError when the file is missing, and
/// DataError with file:line for duplicate ids, missing columns, counts that are no positive
/// numbers.
Manifest read_manifest(const std::filesystem::path& file);

/// Several manifests as one, in the order given; `file` is the first one's. Throws DataError
/// ("duplicate") when two of them list the same id.
Manifest read_manifests(const std::vector<std::filesystem::path>& files);

/// The content of a manifest file; `file` says where it would lie. What read_manifest does after
/// reading.
Manifest parse_manifest(std::string_view content, const std::filesystem::path& file);

/// Writes a TSV atomically; paths relative to its folder. Tabs and line ends in texts become
/// spaces; in ids and paths they are refused (DataError).
void write_manifest(const Manifest& manifest);

}  // namespace raven::data

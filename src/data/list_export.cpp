#include "raven/data/list_export.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "data/export_record.h"
#include "data/ordered_work.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/folder_lock.h"
#include "raven/core/lines.h"
#include "raven/core/processors.h"
#include "raven/core/utf8.h"
#include "raven/data/labels.h"
#include "raven/data/sample_reader.h"
#include "raven/data/utterance_files.h"
#include "raven/media/media_writer.h"
#include "raven/text/words.h"

namespace raven::data {
namespace {

namespace fs = std::filesystem;

constexpr config::VideoInputConfig kStoredFrames = {
    .window = kStoredSide, .shrink = 1, .crop = kStoredSide, .flip = 0};

/// What a line of the list says, known before anything is written.
struct Line {
  std::string tag, name, labels;  // `name`: <tag>/<id>
};

struct Written {
  ExportedClip clip;
  std::optional<Problem> skipped;  // why nothing was written
};

std::string tag_of(const Utterance& utterance, const ExportOptions& options,
                   const Manifest& manifest) {
  if (!options.tag.empty()) return options.tag;
  const auto tag = utterance.source == "voxceleb2" ? "vox2" : utterance.source;
  if (std::ranges::find(kPublishedTags, tag) != kPublishedTags.end()) return tag;
  throw ConfigError(fmt::format(
      "{}: '{}' has the source '{}', which is no tag of published lists ({}): give --tag NAME",
      utterance.origin.text(manifest.file), printable(utterance.id), printable(utterance.source),
      fmt::join(kPublishedTags, ", ")));
}

/// A list has neither quotes nor escapes.
void check_text(const std::string& text, const std::string& what, const Manifest& manifest) {
  if (text.find(',') == std::string::npos) return;
  throw DataError(fmt::format("{}: {} '{}' holds a comma, which a published list cannot; rename it",
                              manifest.file.string(), what, printable(text)),
                  "id");
}

void check_tag(const std::string& tag) {
  const bool is_name = !tag.empty() && tag != "." && tag != ".." && is_utf8(tag) &&
                       std::ranges::none_of(tag, [](unsigned char c) {
                         return c == '/' || c == ',' || c < 0x20 || c == 0x7F;
                       });
  if (is_name) return;
  throw ConfigError(
      fmt::format("--tag '{}' cannot name a folder in a list: expected a name without / and comma",
                  printable(tag)));
}

/// Unit ids by utterance; empty where there are none.
std::vector<std::string> labels_of(const Manifest& manifest, const text::Tokenizer* tokenizer,
                                   const ExportOptions& options) {
  std::vector<std::string> all(manifest.utterances.size());
  if (!options.labels) return all;
  auto labelled = manifest;
  if (tokenizer != nullptr) label_where_possible(labelled, *tokenizer);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& utterance = labelled.utterances[i];
    if (utterance.text_is_units) {
      all[i] = fmt::format("{}", fmt::join(text::split_words(utterance.text), " "));
    } else if (tokenizer != nullptr) {
      all[i] = fmt::format("{}", fmt::join(utterance.labels, " "));
    } else if (!utterance.text.empty()) {
      throw ConfigError(fmt::format(
          "{}: '{}' has a transcript, and a published list holds unit ids: give a vocabulary with "
          "--units or --model, or --no-labels",
          utterance.origin.text(manifest.file), printable(utterance.id)));
    }
  }
  return all;
}

std::vector<Line> lines_of(const Manifest& manifest, const text::Tokenizer* tokenizer,
                           const ExportOptions& options, const fs::path& list) {
  if (!options.tag.empty()) check_tag(options.tag);
  check_file_names(manifest, {".avi", ".wav"}, {}, "the folder of the list");
  const auto labels = labels_of(manifest, tokenizer, options);
  std::vector<Line> lines;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto& utterance = manifest.utterances[i];
    check_text(utterance.id, "id", manifest);
    auto tag = tag_of(utterance, options, manifest);
    for (const auto& own : {list.filename().string(), std::string(ExportRecord::kFile)}) {
      if (tag == own)
        throw ConfigError(fmt::format("--tag {}: a file of the folder is called so", tag));
    }
    auto name = tag + "/" + utterance.id;
    lines.push_back({.tag = std::move(tag), .name = std::move(name), .labels = labels[i]});
  }
  return lines;
}

std::string source_of(const Location& location) { return printable(location.text()); }

/// Throws ConfigError where files of the same name were made from something else.
bool is_kept(const ExportRecord& record, const Line& line, const Utterance& utterance,
             const fs::path& folder) {
  const auto* known = record.find(line.name);
  if (known == nullptr) return false;
  const auto video = source_of(utterance.video), audio = source_of(utterance.audio);
  const bool other_length = known->frames != utterance.frames && !utterance.length_is_approximate;
  if (known->video == video && known->audio == audio && !other_length) return true;
  throw ConfigError(fmt::format(
      "{}: {} was made from {} ({} frames), the list now says {} ({} frames); give another folder, "
      "or delete {}.avi there",
      folder.string(), line.name, known->video.empty() ? known->audio : known->video, known->frames,
      video.empty() ? audio : video, utterance.frames, line.name));
}

/// A sound track is cut to its film; a file of sound stays as long as it is.
WholeClip read_clip(const Utterance& utterance, Modalities there, const SampleReader& reader) {
  const auto read = [&](Modalities wanted) {
    return reader.read_whole(utterance, {Placement{}}, wanted, kMaxListedFrames);
  };
  if (!there.video || !there.audio || utterance.audio.empty() ||
      source_of(utterance.audio) == source_of(utterance.video))
    return read(there);
  auto whole = read({.video = true, .audio = false});
  whole.audio = read({.video = false, .audio = true}).audio;
  return whole;
}

/// Reads a clip and writes its files, each in one step.
Written write_clip(const Utterance& utterance, const Line& line, const fs::path& folder,
                   const SampleReader& reader) {
  Written written;
  auto& clip = written.clip;
  try {
    const auto there = reader.modalities(utterance);
    const auto whole = read_clip(utterance, there, reader);
    clip = {.frames = whole.frames,
            .video = source_of(utterance.video),
            .audio = source_of(utterance.audio)};
    const auto write = [&](const char* ending, const std::string& bytes) {
      const auto file = folder / (line.name + ending);
      make_folders(file.parent_path());
      write_file_atomically(file, bytes);
      return static_cast<std::uint64_t>(bytes.size());
    };
    if (there.video) {
      clip.video_bytes = write(".avi", media::encode_avi({.pixels = whole.video,
                                                          .num_frames = whole.frames,
                                                          .height = kStoredSide,
                                                          .width = kStoredSide}));
    }
    if (there.audio) clip.audio_bytes = write(".wav", media::encode_exact_wav(whole.audio));
  } catch (const DataError& error) {
    written.skipped =
        Problem{.id = utterance.id, .reason = error.reason(), .message = full_message(error)};
  }
  return written;
}

fs::path list_file(const Manifest& manifest, const fs::path& folder) {
  auto file = folder / manifest.file.stem();
  file += ".csv";
  std::error_code missing;
  if (fs::equivalent(file, manifest.file, missing)) {
    throw ConfigError(
        fmt::format("{}: is the list itself, which its export would replace; give another folder",
                    file.string()));
  }
  return file;
}

/// Lists that share a folder may not have one name: theirs is known by its clips.
void check_same_list(const fs::path& file, const std::vector<Line>& lines,
                     const Manifest& manifest) {
  if (!fs::exists(file)) return;
  std::set<std::string> ours;
  for (std::size_t i = 0; i < lines.size(); ++i)
    ours.insert(fmt::format("{},{}.avi", lines[i].tag, manifest.utterances[i].id));
  const auto content = read_file(file);
  Lines there(content);
  while (const auto line = there.next()) {
    const auto clip = line->substr(0, line->find(',', line->find(',') + 1));
    if (clip.empty() || ours.contains(std::string(clip))) continue;
    throw ConfigError(
        fmt::format("{}:{}: lists '{}', which {} does not; give another folder, or delete this "
                    "list to replace it",
                    file.string(), there.number(), printable(clip), manifest.file.string()));
  }
}

}  // namespace

ExportSummary export_list(const Manifest& manifest, const text::Tokenizer* tokenizer,
                          const ExportOptions& options, const std::stop_token& stop,
                          const ExportProgress& progress) {
  const auto folder = fs::absolute(options.output).lexically_normal();
  ExportSummary summary{.list = list_file(manifest, folder)};
  const auto lines = lines_of(manifest, tokenizer, options, summary.list);
  make_folders(folder);
  const FolderLock lock(folder);
  check_same_list(summary.list, lines, manifest);
  ExportRecord record(folder);
  std::vector<std::size_t> to_do;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (!is_kept(record, lines[i], manifest.utterances[i], folder)) to_do.push_back(i);
  }
  summary.kept = std::ssize(lines) - std::ssize(to_do);

  const auto shards = std::make_shared<ShardCache>();
  const SampleOptions as_stored{.video = kStoredFrames, .whole_sound = true};
  std::set<std::size_t> skipped;
  const auto number = [&](std::int64_t k) { return to_do[static_cast<std::size_t>(k)]; };
  const bool is_complete = for_each_in_order(
      std::ssize(to_do), options.workers > 0 ? options.workers : usable_processors(), stop,
      [&](std::int64_t k) {
        const SampleReader reader(as_stored, shards, manifest.file);
        return write_clip(manifest.utterances[number(k)], lines[number(k)], folder, reader);
      },
      [&](std::int64_t k, const Written& written) {
        if (written.skipped) {
          skipped.insert(number(k));
          summary.skipped.push_back(*written.skipped);
        } else {
          record.add(lines[number(k)].name, written.clip);
          ++summary.written;
        }
        if (progress) progress(summary.kept + k + 1);
      });
  summary.stopped = !is_complete;
  if (summary.stopped) return summary;

  std::string content;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (skipped.contains(i)) continue;
    const auto& clip = *record.find(lines[i].name);
    summary.frames += clip.frames;
    summary.without_video += clip.video_bytes == 0 ? 1 : 0;
    summary.without_sound += clip.audio_bytes == 0 ? 1 : 0;
    summary.without_labels += lines[i].labels.empty() ? 1 : 0;
    content += fmt::format("{},{}.avi,{},{}\n", lines[i].tag, manifest.utterances[i].id,
                           clip.frames, lines[i].labels);
  }
  write_file_atomically(summary.list, content);
  std::string reasons = "id\treason\tmessage\n";
  for (const auto& [id, reason, message] : summary.skipped)
    reasons += fmt::format("{}\t{}\t{}\n", id, reason, message);
  auto skipped_file = summary.list;
  write_file_atomically(skipped_file.replace_extension(".skipped.tsv"), reasons);
  return summary;
}

}  // namespace raven::data

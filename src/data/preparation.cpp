#include "raven/data/preparation.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <tuple>
#include <unordered_set>
#include <utility>

#include "data/clip_list.h"
#include "data/ordered_work.h"
#include "data/preparation_lists.h"
#include "data/preparation_record.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/folder_lock.h"
#include "raven/core/processors.h"
#include "raven/core/utf8.h"
#include "raven/data/found_faces.h"
#include "raven/data/shard.h"

namespace raven::data {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxClipsPerShard =
    8192;  // bounds what is lost when hardly any clip is usable

void check(const PreparationOptions& options) {
  const auto& clip = options.clip;
  const auto require = [](bool holds, const std::string& what) {
    if (!holds) throw ConfigError(what);
  };
  require(!options.inputs.empty(), "no folder with video files was given");
  require(!options.output.empty(), "no folder for the prepared data was given");
  require(clip.segments.min_frames >= 1, "min-frames must be at least 1");
  require(clip.segments.max_frames >= 2 * clip.segments.min_frames,
          fmt::format("max-frames is {}, it must be at least twice min-frames ({})",
                      clip.segments.max_frames, clip.segments.min_frames));
  require(clip.h264.crf >= 0 && clip.h264.crf <= 51,
          fmt::format("crf is {}, expected 0 to 51", clip.h264.crf));
  require(clip.limits.max_damaged >= 0 && clip.limits.max_damaged <= 1,
          fmt::format("max-damaged is {}, expected 0 to 1", clip.limits.max_damaged));
  require(clip.min_sound >= 0 && clip.min_sound <= 1,
          fmt::format("min-sound is {}, expected 0 to 1", clip.min_sound));
  require(!options.hold_out || *options.hold_out >= 0, "hold-out must not be negative");
  require(options.shard_bytes >= 1, "shard-size must be at least 1 byte");
  require(options.workers >= 0 && options.workers <= 4096,
          fmt::format("workers is {}, expected 0 to 4096", options.workers));
  require(clip.format == corpus::StorageFormat::kRaw || media::can_encode_h264(),
          "this libavcodec has no H.264 encoder (libx264); use --format raw");
}

/// The clips of all inputs by subset, id and path.
std::vector<corpus::SourceClip> list_inputs(const PreparationOptions& options) {
  if (!options.landmarks.empty() && !fs::is_directory(options.landmarks)) {
    throw ConfigError(fmt::format("{}: no such folder; --landmarks names one with .npy files",
                                  options.landmarks.string()));
  }
  const corpus::SpeakerRule speaker_rule(options.speaker_rule);
  std::vector<corpus::SourceClip> clips;
  for (const auto& input : options.inputs) {
    auto listed = corpus::list_clips(input, options.layout, options.landmarks, speaker_rule);
    std::move(listed.begin(), listed.end(), std::back_inserter(clips));
  }
  const std::set<std::string> wanted(options.subsets.begin(), options.subsets.end());
  std::set<std::string> present;
  for (const auto& clip : clips) present.insert(clip.subset);
  for (const auto& subset : wanted) {
    if (present.count(subset) > 0) continue;
    std::string names;
    for (const auto& name : present)
      names += (names.empty() ? "" : ", ") + (name.empty() ? "(none)" : name);
    throw ConfigError(fmt::format("no clip of subset '{}'; found: {}", subset,
                                  names.empty() ? "nothing" : names));
  }
  if (!wanted.empty()) {
    clips.erase(std::remove_if(clips.begin(), clips.end(),
                               [&](const auto& clip) { return wanted.count(clip.subset) == 0; }),
                clips.end());
  }
  if (clips.empty()) {
    throw ConfigError(
        fmt::format("{}: no video files found in the layout '{}'; a plain folder (--layout folder) "
                    "may hold sound files as well",
                    options.inputs.front().string(), corpus::name_of(options.layout)));
  }
  std::stable_sort(clips.begin(), clips.end(), [](const auto& a, const auto& b) {
    return std::tie(a.subset, a.id, a.file()) < std::tie(b.subset, b.id, b.file());
  });
  return clips;
}

ClipVerdict verdict_of(const corpus::SourceClip& clip, std::string verdict, std::string message) {
  return {.id = clip.id,
          .verdict = std::move(verdict),
          .message = std::move(message),
          .file = printable(clip.file().string())};
}

/// Of several clips with the same id, the first is used.
std::vector<ClipVerdict> take_out_duplicates(std::vector<corpus::SourceClip>& clips) {
  std::map<std::string, std::string> file_of;
  std::vector<ClipVerdict> duplicates;
  std::vector<corpus::SourceClip> kept;
  for (auto& clip : clips) {
    const auto [first, is_new] = file_of.emplace(clip.id, clip.file().string());
    if (is_new) {
      kept.push_back(std::move(clip));
    } else {
      duplicates.push_back(verdict_of(
          clip, "duplicate",
          printable(fmt::format("has the id of {}; rename one of them", first->second))));
    }
  }
  clips = std::move(kept);
  return duplicates;
}

/// The shard being filled. Nothing of it is in the record before finish().
class OpenShard {
 public:
  OpenShard(ShardFiles files, std::string subset, const corpus::ClipOptions& how)
      : files_(std::move(files)), subset_(std::move(subset)), how_(how) {}

  void add(const corpus::SourceClip& clip, const corpus::PreparedClip& prepared) {
    verdicts_.push_back(verdict_of(clip, prepared.verdict, prepared.message));
    for (const auto& utterance : prepared.utterances) {
      if (!writer_) writer_ = std::make_unique<ShardWriter>(files_.tar);
      const auto add = [&](const std::string& name, const std::string& bytes) -> Location {
        if (bytes.empty()) return {};  // no pictures, or no sound
        writer_->add(name, bytes);
        return {.file = files_.tar, .member = name};
      };
      const auto video =
          add(utterance.id + std::string(corpus::ending_of(how_.format)), utterance.video);
      const auto audio = add(utterance.id + ".wav", utterance.audio);
      writer_->add(utterance.id + ".txt", utterance.text.empty() ? "" : utterance.text + "\n");
      utterances_.push_back({.id = utterance.id,
                             .video = video,
                             .audio = audio,
                             .frames = utterance.frames,
                             .text = utterance.text,
                             .speaker = clip.speaker,
                             .subset = clip.subset,
                             .source = std::string(corpus::name_of(clip.layout)),
                             .grey = video.empty() ? corpus::Grey::kLuma : how_.grey});
    }
  }

  [[nodiscard]] const std::string& subset() const { return subset_; }
  [[nodiscard]] bool is_full(std::uint64_t max_bytes) const {
    return verdicts_.size() >= kMaxClipsPerShard || (writer_ && writer_->size() >= max_bytes);
  }

  /// Tar, index and manifest first: the shard counts from the moment its verdicts are there.
  void finish(PreparationRecord& record) {
    if (writer_) {
      writer_->finish();
      write_manifest({.file = files_.manifest, .utterances = utterances_});
    }
    write_verdicts(files_.verdicts, verdicts_);
    record.add(subset_, verdicts_, std::move(utterances_));
  }

 private:
  ShardFiles files_;
  std::string subset_;
  const corpus::ClipOptions& how_;
  std::unique_ptr<ShardWriter> writer_;
  std::vector<ClipVerdict> verdicts_;
  std::vector<Utterance> utterances_;
};

/// Puts prepared clips into shards, in the order in which they come.
class ShardFiller {
 public:
  ShardFiller(const PreparationOptions& options, const std::vector<corpus::SourceClip>& clips,
              PreparationRecord& record)
      : options_(options), record_(record) {
    for (const auto& clip : clips) clip_ids_.insert(clip.id);
    for (const auto& utterance : record.utterances()) written_ids_.insert(utterance.id);
  }

  void take(const corpus::SourceClip& clip, corpus::PreparedClip prepared) {
    if (shard_ && shard_->subset() != clip.subset) finish();
    if (!shard_) shard_.emplace(record_.begin(clip.subset), clip.subset, options_.clip);
    refuse_known_ids(clip, prepared);
    shard_->add(clip, prepared);
    if (shard_->is_full(options_.shard_bytes)) finish();
  }

  void finish() {
    if (!shard_) return;
    shard_->finish(record_);
    shard_.reset();
  }

 private:
  /// Pieces of a clip are numbered, and a clip of such a name may exist.
  void refuse_known_ids(const corpus::SourceClip& clip, corpus::PreparedClip& prepared) {
    for (const auto& utterance : prepared.utterances) {
      const bool is_other_clip = utterance.id != clip.id && clip_ids_.count(utterance.id) > 0;
      if (!is_other_clip && written_ids_.count(utterance.id) == 0) continue;
      prepared = {.verdict = "duplicate",
                  .message = fmt::format(
                      "utterance '{}' has the id of another one; rename the file", utterance.id)};
      return;
    }
    for (const auto& utterance : prepared.utterances) written_ids_.insert(utterance.id);
  }

  const PreparationOptions& options_;
  PreparationRecord& record_;
  std::unordered_set<std::string> clip_ids_, written_ids_;
  std::optional<OpenShard> shard_;
};

std::vector<corpus::SourceClip> clips_to_do(const std::vector<corpus::SourceClip>& clips,
                                            const PreparationRecord& record, bool retry_failed) {
  std::vector<corpus::SourceClip> to_do;
  std::copy_if(clips.begin(), clips.end(), std::back_inserter(to_do), [&](const auto& clip) {
    const auto* known = record.find(clip.id);
    return known == nullptr || (retry_failed && known->verdict != "ok");
  });
  return to_do;
}

PreparationSummary summary_of(const PreparationRecord& record,
                              const std::vector<ClipVerdict>& verdicts) {
  PreparationSummary summary;
  for (const auto& verdict : verdicts) ++summary.clips_by_verdict[verdict.verdict];
  summary.utterances = static_cast<std::int64_t>(record.utterances().size());
  for (const auto& utterance : record.utterances()) summary.frames += utterance.frames;
  return summary;
}

/// The file is there as long as something is missing.
void tell_missing(const ClipList& list, const fs::path& file, PreparationSummary& summary) {
  const auto missing = list.missing();
  summary.listed = list.num_names();
  summary.missing = std::ssize(missing);
  std::string text;
  for (const auto& name : missing) text += name + "\n";
  if (text.empty()) {
    fs::remove(file);
  } else {
    write_file_atomically(file, text);
  }
}

void count_conversions(const corpus::PreparedClip& prepared, ConvertedClips& converted) {
  const auto& [frame_rate_hz, sample_rate_hz] = prepared.conversions;
  if (sample_rate_hz > 0) ++converted.sound_by_hz[sample_rate_hz];
  if (!(frame_rate_hz > 0)) return;
  const bool first = ++converted.frames == 1;
  converted.lowest_rate_hz =
      first ? frame_rate_hz : std::min(converted.lowest_rate_hz, frame_rate_hz);
  converted.highest_rate_hz =
      first ? frame_rate_hz : std::max(converted.highest_rate_hz, frame_rate_hz);
}

std::int64_t num_workers(const PreparationOptions& options) {
  return options.workers > 0 ? options.workers : usable_processors();
}

}  // namespace

std::int64_t PreparationSummary::num_clips() const {
  std::int64_t count = 0;
  for (const auto& [verdict, clips] : clips_by_verdict) count += clips;
  return count;
}

double PreparationSummary::failed_share() const {
  const auto all = num_clips();
  if (all == 0) return 0;
  const auto ok = clips_by_verdict.find("ok");
  const auto usable = ok == clips_by_verdict.end() ? 0 : ok->second;
  return static_cast<double>(all - usable) / static_cast<double>(all);
}

PreparationSummary prepare(const PreparationOptions& given, std::stop_token stop,
                           const std::function<void(const PreparationProgress&)>& report) {
  check(given);
  auto options = given;
  options.output = fs::absolute(given.output).lexically_normal();
  auto clips = list_inputs(options);
  std::optional<ClipList> list;
  if (!options.list.empty()) list.emplace(options.list).keep_named(clips);
  const auto duplicates = take_out_duplicates(clips);
  make_folders(options.output / "shards");
  const FolderLock lock(options.output);
  std::set<std::string> subsets;
  for (const auto& clip : clips) subsets.insert(clip.subset);
  PreparationRecord record(options, subsets);
  auto fold = wanted_fold(options, clips, record);

  const auto to_do = clips_to_do(clips, record, options.retry_failed);
  FoundFaceStore found_faces(options.output / "landmarks", options.landmark_model,
                             {.choice = options.face, .limits = options.clip.limits});
  if (options.landmarks.empty()) {
    options.clip.find_faces = [&found_faces, stop](const corpus::SourceClip& clip) {
      return found_faces.of(clip, {.stop = stop});
    };
  }
  for (const auto& clip : to_do) {
    if (record.find(clip.id) != nullptr) found_faces.forget(clip);  // mended, perhaps
  }
  ShardFiller filler(options, clips, record);
  ConvertedClips converted;
  PreparationProgress progress{.clips_to_do = static_cast<std::int64_t>(to_do.size())};
  const auto source = [&](std::int64_t i) -> const auto& {
    return to_do[static_cast<std::size_t>(i)];
  };
  const bool is_complete = for_each_in_order(
      progress.clips_to_do, num_workers(options), std::move(stop),
      [&](std::int64_t i) { return corpus::prepare_clip(source(i), options.clip); },
      [&](std::int64_t i, corpus::PreparedClip prepared) {
        for (const auto& utterance : prepared.utterances) progress.frames_done += utterance.frames;
        count_conversions(prepared, converted);
        filler.take(source(i), std::move(prepared));
        progress.clips_done = i + 1;
        if (report) report(progress);
      });
  if (is_complete) filler.finish();

  auto verdicts = record.verdicts();
  verdicts.insert(verdicts.end(), duplicates.begin(), duplicates.end());
  auto summary = summary_of(record, verdicts);
  if (is_complete) {
    summary.valid = write_lists(options.output, record, kept_fold(std::move(fold), record));
    write_verdicts(options.output / "verdicts.tsv", verdicts);
    if (list) tell_missing(*list, options.output / kMissingFile, summary);
  }
  summary.newly_prepared = progress.clips_done;
  summary.converted = std::move(converted);
  summary.stopped = !is_complete;
  return summary;
}

}  // namespace raven::data

#include "raven/transcription/transcription.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <numeric>
#include <optional>
#include <set>
#include <thread>

#include "raven/config/flat_config.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/log.h"
#include "raven/core/utf8.h"
#include "raven/media/probe.h"
#include "raven/transcription/join_windows.h"
#include "raven/transcription/media_pieces.h"
#include "transcription/mouth_source.h"
#include "transcription/part_file.h"
#include "transcription/transcript_folder.h"

namespace raven::transcription {
namespace {

namespace fs = std::filesystem;
using config::Modality;
using config::TranscribeConfig;

/// Size and time of the last change, which stand for what it holds.
std::string state_of(const fs::path& file) {
  std::error_code absent;
  const auto size = fs::file_size(file, absent);
  const auto time = fs::last_write_time(file, absent);
  return absent ? "" : fmt::format("{} {}", size, time.time_since_epoch().count());
}

double told_duration_s(const fs::path& file) {
  try {
    return media::probe(file, limits_of_films()).duration_s;
  } catch (const std::exception&) {  // whoever reads it says what is wrong with it
    return 0;
  }
}

void check_file(const fs::path& file) {
  std::error_code ignored;
  if (fs::is_directory(file, ignored)) {
    throw DataError(fmt::format("{}: is a folder, expected a media file; give the files in it, as "
                                "{}/*",
                                file.string(), file.string()),
                    "folder");
  }
  if (!fs::exists(file, ignored)) {
    throw DataError(fmt::format("{}: no such file", file.string()), "missing");
  }
}

/// What cannot be read is a file's fault; what cannot be written is not.
template <class Read>
auto reading(Read read) {
  try {
    return read();
  } catch (const SystemError& error) {
    throw DataError(error.what(), "unreadable");
  }
}

/// A file's passages as they come, by recognizer.
struct Found {
  std::vector<Transcript> transcripts;
  std::vector<std::vector<bool>> overlaps;  // of each passage with the one before it
  std::vector<bool> is_there;               // what the recognizer takes
  double duration_s = 0;
  std::vector<std::string> remarks;
  bool by_sound = false;
  std::int64_t num_passages = 0;
};

class Run {
 public:
  Run(const std::vector<fs::path>& files, std::vector<PieceRecognizer>& recognizers,
      const TranscribeConfig& config, const std::stop_token& stop,
      const TranscriptionProgress& progress);

  TranscriptionSummary all();

 private:
  void work();
  void transcribe(const fs::path& file, double told_s);
  std::optional<Found> recognise(const fs::path& file, PartFile& part, const PieceOptions& options,
                                 double told_s);
  std::optional<Found> add_lips(const fs::path& file, PartFile& part, const Found& silent);
  void take(const MediaPiece& piece, const fs::path& file, PartFile& part, Found& found);
  FileTranscript joined(const fs::path& file, Found found) const;
  void write(const fs::path& file, const std::string& identity, const FileTranscript& transcript);
  [[nodiscard]] PieceOptions piece_options(const fs::path& file) const;
  [[nodiscard]] std::string identity_of(const fs::path& file) const;
  [[nodiscard]] bool wants(Modality modality) const;
  void fail(const fs::path& file, const std::string& reason, const std::string& message);
  void advance(double by_s, const std::string& note);

  std::vector<PieceRecognizer>& recognizers_;
  const TranscribeConfig& config_;
  std::stop_token stop_;
  TranscriptionProgress progress_;
  std::vector<fs::path> files_;  // each once
  std::vector<double> told_s_;
  TranscriptFolder folder_;
  std::unique_ptr<data::FoundFaceStore> faces_;  // where lips are read and no landmarks are given
  std::atomic<std::size_t> next_ = 0;
  std::mutex mutex_;  // of what follows
  TranscriptionSummary summary_;
  double done_s_ = 0, total_s_ = 0;
  std::exception_ptr failure_;
};

std::vector<fs::path> each_once(const std::vector<fs::path>& files) {
  std::vector<fs::path> once;
  std::set<fs::path> seen;
  for (const auto& file : files) {
    if (seen.insert(fs::absolute(file).lexically_normal()).second) once.push_back(file);
  }
  return once;
}

/// Of what may be written for a name: ".txt", ".audio.txt".
std::vector<std::string> endings(const TranscribeConfig& config,
                                 const std::vector<PieceRecognizer>& recognizers) {
  FileTranscript blank;
  for (const auto& one : recognizers)
    blank.transcripts.push_back({.modality = one.modality(), .model = "", .passages = {}});
  std::vector<std::string> all;
  for (const auto& file : contents_of(blank, "", config.format, recognizers.size() > 1))
    all.push_back(file.name);
  return all;
}

Run::Run(const std::vector<fs::path>& files, std::vector<PieceRecognizer>& recognizers,
         const TranscribeConfig& config, const std::stop_token& stop,
         const TranscriptionProgress& progress)
    : recognizers_(recognizers),
      config_(config),
      stop_(stop),
      progress_(progress),
      files_(each_once(files)),
      folder_(config.out, files_, endings(config, recognizers), config.replace) {
  if (wants(Modality::kVideo) && config.data.landmarks.empty()) {
    faces_ = std::make_unique<data::FoundFaceStore>(
        fs::path(config.out) / "landmarks", config.data.landmark_model,
        faces::FaceOptions{.choice = config.data.face, .limits = limits_of_films()});
  }
  for (const auto& file : files_) told_s_.push_back(told_duration_s(file));
  total_s_ = std::accumulate(told_s_.begin(), told_s_.end(), 0.0);
}

bool Run::wants(Modality modality) const {
  return std::ranges::any_of(recognizers_,
                             [&](const auto& one) { return one.modality() == modality; });
}

TranscriptionSummary Run::all() {
  {
    std::vector<std::jthread> workers;
    const auto count = std::min<std::int64_t>(config_.jobs, std::ssize(files_));
    for (std::int64_t i = 1; i < count; ++i) workers.emplace_back([this] { work(); });
    work();
  }
  if (failure_) std::rethrow_exception(failure_);
  folder_.finish();
  summary_.stopped = stop_.stop_requested();
  return summary_;
}

void Run::work() {
  try {
    while (!stop_.stop_requested()) {
      const auto i = next_++;
      if (i >= files_.size()) return;
      transcribe(files_[i], told_s_[i]);
    }
  } catch (...) {  // no file's fault: the others end, too
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::current_exception();
    next_ = files_.size();
  }
}

void Run::advance(double by_s, const std::string& note) {
  const std::lock_guard lock(mutex_);
  done_s_ = std::min(done_s_ + by_s, total_s_);
  progress_(done_s_, total_s_, note);
}

void Run::fail(const fs::path& file, const std::string& reason, const std::string& message) {
  log::error("{} ({}): {}", file.string(), reason, message);
  folder_.note({.file = folder_.record(file).file,
                .name = folder_.name_of(file),
                .state = folder_.record(file).state,
                .identity = "",
                .verdict = reason,
                .message = printable(message)});
  const std::lock_guard lock(mutex_);
  ++summary_.failed[reason];
}

std::string Run::identity_of(const fs::path& file) const {
  std::string text = state_of(file) + "\n";
  for (const auto& one : recognizers_) text += one.identity() + " " + one.name() + "\n";
  for (const auto& [key, value] : config::flatten(config_)) {
    if (key.starts_with("cut.") || key == "format") text += key + "=" + value + "\n";
  }
  if (wants(Modality::kVideo)) {
    const auto& data = config_.data;
    text += data.landmarks.empty()
                ? fmt::format("{} {}", config::enum_name(data.face), state_of(data.landmark_model))
                : state_of(landmarks_of(file, data.landmarks)) +
                      state_of(landmarks_of(file, data.landmarks, ".csv"));
  }
  return checksum_text(checksum(text));
}

PieceOptions Run::piece_options(const fs::path& file) const {
  auto grey = corpus::Grey::kLuma;
  for (const auto& one : recognizers_)
    if (one.modality() == Modality::kVideo) grey = one.grey();
  return {.sound = wants(Modality::kAudio),
          .lips = wants(Modality::kVideo),
          .cut_by_sound = true,
          .cut = config_.cut,
          .landmarks = config_.data.landmarks,
          .grey = grey,
          .faces = faces_.get(),
          .name = folder_.name_of(file)};
}

void Run::transcribe(const fs::path& file, double told_s) {
  const auto identity = identity_of(file);
  if (!config_.replace && folder_.is_done(file, identity)) {
    const auto known = folder_.record(file);
    advance(told_s, known.name);
    const std::lock_guard lock(mutex_);
    ++summary_.kept;
    return;
  }
  const auto state = state_of(file);
  if (faces_ && (config_.replace || folder_.record(file).state != state)) {
    faces_->forget({.id = folder_.name_of(file)});
    folder_.begin(file, state);
  }
  PartFile part(folder_.part_file(file), identity);
  std::optional<Found> found;
  try {
    check_file(file);
    found = recognise(file, part, piece_options(file), told_s);
    if (found && found->by_sound && found->num_passages == 0) found = add_lips(file, part, *found);
  } catch (const DataError& error) {
    return fail(file, error.reason(), full_message(error));
  }
  if (!found) return;  // stopped
  write(file, identity, joined(file, std::move(*found)));
  part.remove();
}

void Run::write(const fs::path& file, const std::string& identity,
                const FileTranscript& transcript) {
  std::int64_t words = 0;
  for (const auto& one : transcript.transcripts)
    for (const auto& passage : one.passages) words += std::ssize(passage.words);
  const auto name = folder_.name_of(file);
  folder_.write({.file = folder_.record(file).file,
                 .name = name,
                 .state = state_of(file),
                 .identity = identity,
                 .verdict = "ok",
                 .message = fmt::format("{}", fmt::join(transcript.remarks, "; ")),
                 .files = {},
                 .duration_s = transcript.duration_s,
                 .words = words},
                contents_of(transcript, name, config_.format, recognizers_.size() > 1));
  for (const auto& remark : transcript.remarks) log::warn("{}: {}", file.string(), remark);
  const std::lock_guard lock(mutex_);
  ++summary_.done;
  summary_.words += words;
  summary_.duration_s += transcript.duration_s;
}

/// A silent track says nothing about the lips.
std::optional<Found> Run::add_lips(const fs::path& file, PartFile& part, const Found& silent) {
  bool has_lips = false;
  for (std::size_t k = 0; k < recognizers_.size(); ++k)
    has_lips |= recognizers_[k].modality() == Modality::kVideo && silent.is_there[k];
  if (!has_lips) return silent;
  auto options = piece_options(file);
  options.sound = options.cut_by_sound = false;
  auto found = recognise(file, part, options, 0);
  if (!found) return std::nullopt;
  for (std::size_t k = 0; k < recognizers_.size(); ++k)
    found->is_there[k] = found->is_there[k] || silent.is_there[k];
  found->duration_s = std::max(found->duration_s, silent.duration_s);
  return found;
}

std::optional<Found> Run::recognise(const fs::path& file, PartFile& part,
                                    const PieceOptions& options, double told_s) {
  auto reader = reading([&] { return PieceReader(file, options); });
  Found found{.by_sound = reader.cuts_by_sound()};
  for (const auto& one : recognizers_) {
    found.transcripts.push_back({.modality = one.modality(), .model = one.name(), .passages = {}});
    found.overlaps.emplace_back();
    found.is_there.push_back(one.modality() == Modality::kAudio ? reader.has_sound()
                                                                : reader.has_lips());
  }
  double before_s = 0;
  while (const auto piece = reading([&] { return reader.next(stop_); })) {
    take(*piece, file, part, found);
    const auto now_s = std::min(media::seconds(reader.num_frames()), told_s);
    advance(std::max(now_s - before_s, 0.0), file.filename().string());
    before_s = std::max(now_s, before_s);
  }
  if (stop_.stop_requested()) return std::nullopt;
  advance(std::max(told_s - before_s, 0.0), file.filename().string());
  found.duration_s = media::seconds(reader.num_frames());
  if (reader.num_frames() == 0) {
    throw DataError(
        fmt::format("{}: holds less than one frame of 1/{} s", file.string(), media::kFrameRateHz),
        "empty");
  }
  found.remarks = reader.remarks();
  return found;
}

void Run::take(const MediaPiece& piece, const fs::path& file, PartFile& part, Found& found) {
  ++found.num_passages;
  for (std::size_t k = 0; k < recognizers_.size(); ++k) {
    auto& recognizer = recognizers_[k];
    if (!found.is_there[k]) continue;
    auto passage = part.find(recognizer.modality(), piece.cut);
    if (!passage) {
      passage = recognizer.recognise(piece, file.string());
      part.add(recognizer.modality(), piece.cut, *passage);
    }
    found.transcripts[k].passages.push_back(std::move(*passage));
    found.overlaps[k].push_back(piece.cut.overlaps);
  }
}

FileTranscript Run::joined(const fs::path& file, Found found) const {
  FileTranscript all{.file = file.filename().string(),
                     .duration_s = found.duration_s,
                     .transcripts = {},
                     .remarks = std::move(found.remarks)};
  if (found.num_passages == 0) {
    all.remarks.emplace_back(
        "nothing was heard that is loud enough to be speech (docs/transcription.md)");
  }
  for (std::size_t k = 0; k < found.transcripts.size(); ++k) {
    if (!found.is_there[k]) continue;
    auto& passages = found.transcripts[k].passages;
    for (std::size_t i = 1; i < passages.size(); ++i)
      if (found.overlaps[k][i]) join_windows(passages[i - 1], passages[i]);
    all.transcripts.push_back(std::move(found.transcripts[k]));
  }
  return all;
}

}  // namespace

std::int64_t TranscriptionSummary::num_failed() const {
  std::int64_t sum = 0;
  for (const auto& [reason, count] : failed) sum += count;
  return sum;
}

TranscriptionSummary transcribe(const std::vector<fs::path>& files,
                                std::vector<PieceRecognizer>& recognizers,
                                const TranscribeConfig& config, const std::stop_token& stop,
                                const TranscriptionProgress& progress) {
  std::set<Modality> modalities;
  for (const auto& one : recognizers) {
    if (!modalities.insert(one.modality()).second) {
      throw ConfigError(fmt::format(
          "both models {}; give one that hears and one that reads lips, or transcribe with each "
          "in a call of its own with another --out",
          one.modality() == Modality::kAudio ? "hear" : "read lips"));
    }
  }
  return Run(files, recognizers, config, stop, progress).all();
}

}  // namespace raven::transcription

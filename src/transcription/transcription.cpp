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
#include "raven/media/media_writer.h"
#include "raven/media/probe.h"
#include "raven/transcription/media_pieces.h"
#include "transcription/annotated_film.h"
#include "transcription/file_transcription.h"
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
    return media::probe(file, data::limits_of_films()).duration_s;
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

class Run {
 public:
  Run(const std::vector<fs::path>& files, std::vector<PieceRecognizer>& recognizers,
      const TranscribeConfig& config, const std::stop_token& stop,
      const TranscriptionProgress& progress);

  TranscriptionSummary all();

 private:
  void work();
  void transcribe(const fs::path& file, double told_s);
  bool annotate(const fs::path& file, FileTranscript& transcript);
  void refuse_foreign_films() const;
  [[nodiscard]] fs::path annotated_film(const fs::path& file) const;
  void write(const fs::path& file, const std::string& identity, const FileTranscript& transcript);
  PieceOptions piece_options(const fs::path& file);
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
        faces::FaceOptions{.choice = config.data.face, .limits = data::limits_of_films()});
  }
  refuse_foreign_films();
  for (const auto& file : files_) told_s_.push_back(told_duration_s(file));
  total_s_ = std::accumulate(told_s_.begin(), told_s_.end(), 0.0);
}

/// Empty where none is asked for.
fs::path Run::annotated_film(const fs::path& file) const {
  if (config_.annotate.empty()) return {};
  const auto target = fs::absolute(config_.annotate).lexically_normal();
  const bool is_file = files_.size() == 1 && !fs::is_directory(target);
  return is_file ? target : target / (folder_.name_of(file) + ".mp4");
}

void Run::refuse_foreign_films() const {
  if (config_.annotate.empty()) return;
  if (!media::can_encode_h264()) {
    throw ConfigError(
        "annotate: this FFmpeg cannot encode H.264; install a libavcodec with libx264");
  }
  for (const auto& file : files_) {
    const auto target = annotated_film(file);
    std::error_code ignored;
    if (fs::equivalent(target, file, ignored)) {
      throw ConfigError(
          fmt::format("{}: would be written over itself; name another file with "
                      "--annotate",
                      file.string()));
    }
    if (config_.replace || !fs::exists(target)) continue;
    if (folder_.record(file).film == as_utf8(target.string())) continue;
    throw ConfigError(fmt::format(
        "{}: is there already and was not made from {}; name another file or folder with "
        "--annotate, or give --replace",
        target.string(), file.string()));
  }
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
    if (key.starts_with("cut.") || key == "format" || key == "annotate")
      text += key + "=" + value + "\n";
  }
  if (wants(Modality::kVideo)) {
    const auto& data = config_.data;
    text += data.landmarks.empty()
                ? fmt::format("{} {}", config::enum_name(data.face), state_of(data.landmark_model))
                : state_of(data::landmarks_of(file, data.landmarks)) +
                      state_of(data::landmarks_of(file, data.landmarks, ".csv"));
  }
  return checksum_text(checksum(text));
}

PieceOptions Run::piece_options(const fs::path& file) {
  auto grey = corpus::Grey::kLuma;
  for (const auto& one : recognizers_)
    if (one.modality() == Modality::kVideo) grey = one.grey();
  return {.sound = wants(Modality::kAudio),
          .lips = wants(Modality::kVideo),
          .cut_by_sound = true,
          .cut = config_.cut,
          .mouths = {.landmarks = config_.data.landmarks,
                     .faces = faces_.get(),
                     .name = folder_.name_of(file),
                     .grey = grey,
                     .watch = {.stop = stop_, .report = [this, file](std::int64_t frames) {
                                 advance(0, fmt::format("{}: looking for faces, {:.0f} s",
                                                        file.filename().string(),
                                                        media::seconds(frames)));
                               }}}};
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
  std::optional<FileTranscript> transcript;
  try {
    check_file(file);
    const FileWork work{.file = file, .options = piece_options(file), .told_s = told_s};
    transcript = transcribe_file(work, recognizers_, part, stop_,
                                 [this](double by_s, const auto& note) { advance(by_s, note); });
  } catch (const DataError& error) {
    return fail(file, error.reason(), full_message(error));
  }
  if (!transcript || !annotate(file, *transcript)) return;  // stopped
  write(file, identity, *transcript);
  part.remove();
}

/// False when it was stopped. A file without pictures has a remark instead.
bool Run::annotate(const fs::path& file, FileTranscript& transcript) {
  const auto target = annotated_film(file);
  if (target.empty()) return true;
  advance(0, fmt::format("{}: drawing {}", file.filename().string(), target.filename().string()));
  const auto options = piece_options(file);
  std::optional<corpus::MouthFilm> mouths;
  try {
    if (options.lips) mouths = data::open_mouths(file, options.mouths);
  } catch (const DataError&) {  // the transcript has a remark of it
  } catch (const faces::SearchStopped&) {
    return false;
  }
  const auto place = [&](std::int64_t frame) {
    return mouths ? mouths->place(frame) : std::nullopt;
  };
  try {
    make_folders(target.parent_path());
    return write_annotated_film(file, transcript, place, target, stop_);
  } catch (const DataError& error) {
    transcript.remarks.push_back(
        fmt::format("no annotated film ({}): {}", error.reason(), printable(full_message(error))));
    return true;
  }
}

void Run::write(const fs::path& file, const std::string& identity,
                const FileTranscript& transcript) {
  std::int64_t words = 0;
  for (const auto& one : transcript.transcripts)
    for (const auto& passage : one.passages) words += std::ssize(passage.words);
  const auto name = folder_.name_of(file);
  const auto film = annotated_film(file);
  folder_.write({.file = folder_.record(file).file,
                 .name = name,
                 .state = state_of(file),
                 .identity = identity,
                 .verdict = "ok",
                 .message = fmt::format("{}", fmt::join(transcript.remarks, "; ")),
                 .files = {},
                 .film = as_utf8(fs::exists(film) ? film.string() : ""),
                 .duration_s = transcript.duration_s,
                 .words = words},
                contents_of(transcript, name, config_.format, recognizers_.size() > 1));
  for (const auto& remark : transcript.remarks) log::warn("{}: {}", file.string(), remark);
  const std::lock_guard lock(mutex_);
  ++summary_.done;
  summary_.words += words;
  summary_.duration_s += transcript.duration_s;
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

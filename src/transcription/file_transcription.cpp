#include "transcription/file_transcription.h"

#include <algorithm>
#include <utility>

#include "raven/core/error.h"
#include "raven/media/media.h"
#include "raven/transcription/join_windows.h"

namespace raven::transcription {
namespace {

namespace fs = std::filesystem;
using config::Modality;

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

class Pass {
 public:
  Pass(const FileWork& work, std::vector<PieceRecognizer>& recognizers, PartFile& part,
       const std::stop_token& stop, const Advance& advance)
      : work_(work), recognizers_(recognizers), part_(part), stop_(stop), advance_(advance) {}

  std::optional<Found> recognise(const PieceOptions& options, double told_s);
  std::optional<Found> add_lips(const Found& silent);
  FileTranscript joined(Found found) const;

 private:
  void take(const MediaPiece& piece, Found& found);

  const FileWork& work_;
  std::vector<PieceRecognizer>& recognizers_;
  PartFile& part_;
  const std::stop_token& stop_;
  const Advance& advance_;
};

std::optional<Found> Pass::recognise(const PieceOptions& options, double told_s) {
  const auto& file = work_.file;
  const auto note = file.filename().string();
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
    take(*piece, found);
    const auto now_s = std::min(media::seconds(reader.num_frames()), told_s);
    advance_(std::max(now_s - before_s, 0.0), note);
    before_s = std::max(now_s, before_s);
  }
  if (stop_.stop_requested()) return std::nullopt;
  advance_(std::max(told_s - before_s, 0.0), note);
  found.duration_s = media::seconds(reader.num_frames());
  if (reader.num_frames() == 0) {
    throw DataError(
        fmt::format("{}: holds less than one frame of 1/{} s", file.string(), media::kFrameRateHz),
        "empty");
  }
  found.remarks = reader.remarks();
  return found;
}

void Pass::take(const MediaPiece& piece, Found& found) {
  ++found.num_passages;
  for (std::size_t k = 0; k < recognizers_.size(); ++k) {
    auto& recognizer = recognizers_[k];
    if (!found.is_there[k]) continue;
    auto passage = part_.find(recognizer.modality(), piece.cut);
    if (!passage) {
      passage = recognizer.recognise(piece, work_.file.string());
      part_.add(recognizer.modality(), piece.cut, *passage);
    }
    found.transcripts[k].passages.push_back(std::move(*passage));
    found.overlaps[k].push_back(piece.cut.overlaps);
  }
}

/// A silent track says nothing about the lips.
std::optional<Found> Pass::add_lips(const Found& silent) {
  bool has_lips = false;
  for (std::size_t k = 0; k < recognizers_.size(); ++k)
    has_lips |= recognizers_[k].modality() == Modality::kVideo && silent.is_there[k];
  if (!has_lips) return silent;
  auto options = work_.options;
  options.sound = options.cut_by_sound = false;
  auto found = recognise(options, 0);
  if (!found) return std::nullopt;
  for (std::size_t k = 0; k < recognizers_.size(); ++k)
    found->is_there[k] = found->is_there[k] || silent.is_there[k];
  found->duration_s = std::max(found->duration_s, silent.duration_s);
  return found;
}

FileTranscript Pass::joined(Found found) const {
  FileTranscript all{.file = work_.file.filename().string(),
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

std::optional<FileTranscript> transcribe_file(const FileWork& work,
                                              std::vector<PieceRecognizer>& recognizers,
                                              PartFile& part, const std::stop_token& stop,
                                              const Advance& advance) {
  try {
    Pass pass(work, recognizers, part, stop, advance);
    auto found = pass.recognise(work.options, work.told_s);
    if (found && found->by_sound && found->num_passages == 0) found = pass.add_lips(*found);
    if (!found) return std::nullopt;
    return pass.joined(std::move(*found));
  } catch (const faces::SearchStopped&) {
    return std::nullopt;
  }
}

}  // namespace raven::transcription

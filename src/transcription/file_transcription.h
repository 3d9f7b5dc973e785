// One media file, piece by piece through the recognizers -> its transcripts.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "raven/transcription/media_pieces.h"
#include "raven/transcription/piece_recognizer.h"
#include "raven/transcription/transcript.h"
#include "transcription/part_file.h"

namespace raven::transcription {

/// Seconds of the file done since the last call, and what is going on.
using Advance = std::function<void(double by_s, const std::string& note)>;

struct FileWork {
  std::filesystem::path file;
  PieceOptions options;
  double told_s = 0;  // the length that its header tells; what is reported adds up to it
};

/// Passages that `part` knows are not recognised again, new ones are added to it. Lips beside a
/// silent track are read in windows. Empty when `stop` was asked for. Throws DataError ("empty",
/// "unreadable", or what PieceReader and PieceRecognizer throw).
std::optional<FileTranscript> transcribe_file(const FileWork& work,
                                              std::vector<PieceRecognizer>& recognizers,
                                              PartFile& part, const std::stop_token& stop,
                                              const Advance& advance);

}  // namespace raven::transcription

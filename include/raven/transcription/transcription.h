// Media files -> transcripts in a folder; a stopped run goes on where it was.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "raven/config/transcribe_config.h"
#include "raven/transcription/piece_recognizer.h"

namespace raven::transcription {

struct TranscriptionSummary {
  std::int64_t done = 0, kept = 0;             // files: by this call, before it
  std::map<std::string, std::int64_t> failed;  // files without a transcript, by reason
  std::int64_t words = 0;
  double duration_s = 0;  // of those done
  bool stopped = false;   // before the end

  [[nodiscard]] std::int64_t num_failed() const;
};

/// Seconds of media done so far, of all as far as their headers tell; `note`: what happened last.
/// Called by one thread at a time.
using TranscriptionProgress =
    std::function<void(double done_s, double total_s, const std::string& note)>;

/// Writes a transcript of each file into config.out, one recognizer a modality. A file that cannot
/// be used is told of, noted in transcripts.jsonl, and the others go on. Files whose transcripts
/// follow from the same model, settings and content are kept, unless config.replace.
/// Throws ConfigError for two recognizers of one modality and what the folder refuses, SystemError
/// when the disk does.
TranscriptionSummary transcribe(const std::vector<std::filesystem::path>& files,
                                std::vector<PieceRecognizer>& recognizers,
                                const config::TranscribeConfig& config, const std::stop_token& stop,
                                const TranscriptionProgress& progress);

}  // namespace raven::transcription

// A file's transcripts as files: .txt, .json, .tsv, .srt, .vtt.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "raven/transcription/transcript.h"

namespace raven::transcription {

/// A file's name and content. .json and .tsv hold all transcripts; .txt, .srt and .vtt one each,
/// and where `several` recognizers are asked, the modality stands before the ending:
/// clip.audio.srt.
struct NamedContent {
  std::string name, content;
};

/// Bytes that are not UTF-8 are written as %XX, control characters as blanks. Times are in
/// milliseconds, never negative, never beyond the end, and never decrease.
std::vector<NamedContent> contents_of(const FileTranscript& transcript, const std::string& name,
                                      const std::vector<std::string>& formats, bool several);

}  // namespace raven::transcription

// What `raven transcribe` left in its folder, as a report needs it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace raven::report {

struct SpokenWord {
  std::string text;
  double begin_s = 0, end_s = 0, confidence = 0;
};

/// What one recognizer made of a file.
struct TranscriptRecord {
  std::string modality, model;
  std::vector<SpokenWord> words;
};

struct TranscribedFile {
  std::string name, verdict, message;
  double duration_s = 0;
  std::vector<TranscriptRecord> transcripts;  // where the folder has .json files
};

struct TranscriptsRecord {
  std::filesystem::path folder;
  std::vector<TranscribedFile> files;  // the first of them
  std::int64_t num_files = 0;
  std::vector<std::string> problems;
};

/// The folder holds transcripts.
bool is_transcripts(const std::filesystem::path& folder);

TranscriptsRecord read_transcripts(const std::filesystem::path& folder);

}  // namespace raven::report

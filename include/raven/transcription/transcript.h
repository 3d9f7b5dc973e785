// What was said in a media file, and when.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "raven/config/modality.h"

namespace raven::transcription {

/// Times are seconds from the first picture, or from the first sample of a file without pictures.
struct Word {
  std::string text;
  double begin_s = 0, end_s = 0;
  double confidence = 0;  // 0 to 1, decode::WordSpan::confidence
  bool operator==(const Word&) const = default;
};

/// A stretch that was recognised by itself.
struct Passage {
  double begin_s = 0, end_s = 0;
  double score = 0;  // of its hypothesis, as the search gave it
  std::vector<Word> words;
};

/// "SO SAYS HE".
std::string text_of(const std::vector<Word>& words);

/// What one recognizer makes of a file.
struct Transcript {
  config::Modality modality = config::Modality::kAudio;
  std::string model;  // its name
  std::vector<Passage> passages;
};

/// All that is written of a file.
struct FileTranscript {
  std::string file;  // its name without folders
  double duration_s = 0;
  std::vector<Transcript> transcripts;  // one for each recognizer that could be used
  std::vector<std::string> remarks;     // what one should know
};

}  // namespace raven::transcription

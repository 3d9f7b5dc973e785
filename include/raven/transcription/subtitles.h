// Words with times -> subtitles that can be read.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "raven/transcription/transcript.h"

namespace raven::transcription {

inline constexpr std::size_t kMostLines = 2, kMostCharacters = 42;  // of a subtitle, of a line
inline constexpr std::int64_t kMostShown_ms = 6000, kLeastShown_ms = 1000;

struct Subtitle {
  std::int64_t begin_ms = 0, end_ms = 0;
  std::vector<std::string> lines;
};

/// At most kMostLines lines of kMostCharacters characters, shown for kMostShown_ms at most and for
/// kLeastShown_ms where the next one leaves the time; one after another, none before 0 or beyond
/// the end. A new one begins where nothing is said for half a second. Words that are longer than a
/// line are cut.
std::vector<Subtitle> subtitles(const Transcript& transcript, double duration_s);

/// The content of an .srt and of a .vtt file. In the latter <, > and & are written as WebVTT wants.
std::string srt(const std::vector<Subtitle>& subtitles);
std::string vtt(const std::vector<Subtitle>& subtitles);

}  // namespace raven::transcription

// A film with what was read of it drawn in: for people to see what went well and what did not.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "raven/corpus/mouth_film.h"
#include "raven/transcription/transcript.h"

namespace raven::transcription {

/// What is said of a transcript at a moment: a line, word by word as they are spoken, and which of
/// the words is being spoken.
struct SpokenLine {
  std::vector<std::string> words;
  std::optional<std::size_t> now;
  bool operator==(const SpokenLine&) const = default;
};

/// Lines have at most 42 characters and stay for a second after their last word; empty where
/// nothing is said.
SpokenLine spoken_line(const Transcript& transcript, double time_s);

/// Where the mouth is in a frame at 25 a second; empty: unknown.
using PlaceOf = std::function<std::optional<corpus::MouthPlace>(std::int64_t frame)>;

/// Writes `target` in one step: an mp4 with the film's pictures as a player shows them and its
/// sound, the window of each mouth crop (dashed where no face was seen), the landmarks, and below
/// the picture a line of each transcript. Small pictures are enlarged. False when `stop` was asked
/// for; nothing is written then. Throws MediaError of the film, SystemError of the target.
bool write_annotated_film(const std::filesystem::path& film, const FileTranscript& transcript,
                          const PlaceOf& place_of, const std::filesystem::path& target,
                          const std::stop_token& stop);

}  // namespace raven::transcription

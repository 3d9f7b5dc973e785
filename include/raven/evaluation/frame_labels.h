// Labels of utterances or of their frames, to be read out of features.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "raven/data/manifest.h"

namespace raven::evaluation {

struct LabelSet {
  struct Span {
    double begin_s = 0, end_s = 0;  // [begin_s, end_s)
    std::int64_t label = 0;
  };

  std::string name;                  // "speaker", or the file's name without its ending
  bool of_utterances = false;        // one for a whole utterance; else of frames
  std::vector<std::string> classes;  // by number, in alphabetical order
  std::map<std::string, std::vector<Span>> spans;  // by utterance id; of utterances one each

  /// Of frame `frame` (25 a second), by its middle, or of the utterance; empty where there is none.
  [[nodiscard]] std::optional<std::int64_t> at(const std::string& id, std::int64_t frame) const;
};

/// Speakers as the lists tell them. Throws ConfigError when no utterance has one.
LabelSet speaker_labels(const data::Manifest& manifest);

/// A TSV whose first line names its columns: `id`, `label` and, for labels of frames, `begin_s` and
/// `end_s`; others are ignored, and so are ids that the manifest does not have. Spans of an
/// utterance may come in any order. Throws ConfigError when the file is missing or has no label for
/// any utterance of the manifest, and DataError with file:line for what cannot be read: columns
/// that are missing, times that are no numbers or end before they begin, spans that overlap, a
/// second label of an utterance.
LabelSet read_labels(const std::filesystem::path& file, const data::Manifest& manifest);

}  // namespace raven::evaluation

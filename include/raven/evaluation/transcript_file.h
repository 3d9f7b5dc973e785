// Texts of utterances from a file of this or another program.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "raven/evaluation/scoring.h"

namespace raven::evaluation {

struct TranscriptLine {
  std::string id, speaker, text;
  std::int64_t frames = 0;       // 0: unknown
  std::optional<double> snr_db;  // none: unknown or clean
  bool may_be_empty = true;      // an empty text says that there is nothing to hear, not: unknown
};

/// Reads by the file's ending: `.trn` (sclite's lines; ids without the speaker), `.tsv` with a
/// header that names `id` and `text` and, where known, `speaker`, `frames`, `snr_db` (a manifest is
/// such a file), anything else one `id text` a line, divided by the first blank or tab (Kaldi's
/// form). Empty texts are kept; in a manifest (a table with a column `video` or `audio`) they mean
/// that there is no transcript. Throws ConfigError when the file is missing, DataError
/// ("transcripts", of a .trn "trn") with file:line for damaged lines, ids that come twice and ids
/// that are not UTF-8 (results are kept under them in files that hold UTF-8 alone), and ("text")
/// for UTF-16, as Lines tells it.
std::vector<TranscriptLine> read_transcripts(const std::filesystem::path& file);

/// The same for content that has been read.
std::vector<TranscriptLine> parse_transcripts(std::string_view content,
                                              const std::filesystem::path& file);

/// Pairs by id. What the references know of an utterance is kept. Throws DataError ("transcripts")
/// naming the first reference without a hypothesis and how many there are; `extra` counts
/// hypotheses without a reference, which are left out.
std::vector<UtteranceResult> pair_transcripts(const std::vector<TranscriptLine>& references,
                                              const std::vector<TranscriptLine>& hypotheses,
                                              std::int64_t& extra);

}  // namespace raven::evaluation

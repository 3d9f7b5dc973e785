// From decoded utterances to error rates, tables and the files of `evaluate/<set>/`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "raven/evaluation/constant_answer.h"
#include "raven/evaluation/decoded_with.h"
#include "raven/text/confidence.h"
#include "raven/text/error_rate.h"

namespace raven::evaluation {

/// One utterance as it was decoded.
struct UtteranceResult {
  std::string id;                // unique within the set
  std::string speaker;           // empty: unknown
  std::int64_t frames = 0;       // video frames, 25 a second; 0: unknown
  std::optional<double> snr_db;  // none: clean
  std::string reference, hypothesis;
  std::vector<std::string> alternatives =
      {};                     // an n-best list, the hypothesis among them, or empty
  double score = 0;           // of the hypothesis, as the search gave it
  bool may_be_empty = false;  // a reference without words says that there is nothing to hear: what
                              // was heard are insertions. Else it is unknown, and skipped
};

struct ScoringOptions {
  bool normalise = true;  // both sides pass through text::normalise()
  text::BootstrapOptions bootstrap;
  bool confidence = true;  // false: no bootstrap, the interval is nan
};

struct ScoredUtterance {
  UtteranceResult result;  // reference and hypothesis as they were compared
  text::EditCounts words, characters;
  std::int64_t least_word_errors = 0;
  std::optional<text::UtteranceErrors> oracle = {};  // of the best of an n-best list
};

/// A row of a table.
struct Group {
  std::string name;                // "2 to 3 s", a speaker, "5 dB"
  std::optional<double> from, to;  // of lengths in seconds, `to` none for the last; of SNR `from`
  text::ErrorTotals totals;
};

struct Scores {
  std::optional<DecodedWith> with;          // what made the hypotheses, where that is known
  std::vector<ScoredUtterance> utterances;  // by id
  std::vector<UtteranceResult> unscored;    // without a transcript, by id
  text::ErrorTotals totals;
  std::optional<ConstantAnswer> constant;       // where something was scored, as is variety
  Variety variety;                              // of the scored hypotheses
  std::int64_t most_often_said = 0;             // how often the commonest reference comes
  std::optional<text::ErrorTotals> oracle;      // where every utterance has an n-best list
  text::Interval confidence;                    // of the word error rate
  std::map<std::string, std::int64_t> skipped;  // by reason; "empty-reference" is counted here
  std::vector<Group> by_length;                 // lengths that occur, if frames are known
  std::vector<Group> by_speaker;                // by name; empty when no speaker is known
  std::vector<Group> by_snr;                    // clean first, then from quiet to loud noise
};

/// Scores a set. Utterances without words in their reference are left unscored and counted, but for
/// those whose reference may be empty: as in sclite, what was heard there are insertions of
/// `words`, not of the published metric (`least_word_errors`), which such a pair has no place in.
/// `skipped` are those that could not be decoded, by reason. The order of `results` does not
/// matter. Throws DataError ("duplicate") for an id that comes twice and ("too-long") naming the
/// utterance.
Scores score(std::vector<UtteranceResult> results, const ScoringOptions& options = {},
             std::map<std::string, std::int64_t> skipped = {});

/// Writes hyp.trn, ref.trn, alignments.txt, utterances.jsonl, worst.json and wer.json into
/// `folder`, each in one step; where not all are scored also hyp_scored.trn, and where none is
/// hyp.trn alone. The same scores give the same bytes.
void write_scores(const std::filesystem::path& folder, const Scores& scores);

/// What a reader should be warned of: rates that one answer for all reaches as well, hypotheses
/// that are mostly one. Empty: nothing.
std::string warning_of(const Scores& scores);

/// wer.json's content.
std::string wer_json(const Scores& scores);

/// The worst first: by word error rate (infinite where the reference is empty), then by errors,
/// then by id. At most `count`, none without errors. Positions in scores.utterances.
std::vector<std::size_t> worst_utterances(const Scores& scores, std::int64_t count);

inline constexpr std::int64_t kWorst = 20;  // utterances in worst.json

/// worst.json of these utterances; `crops` are their pictures' paths within the folder, empty where
/// there is none, or an empty list.
void write_worst(const std::filesystem::path& folder, const Scores& scores,
                 const std::vector<std::size_t>& worst, const std::vector<std::string>& crops = {});

/// A table for a terminal; empty for fewer than two rows.
std::string to_text(const std::string& title, const std::vector<Group>& groups);

/// Tables for a terminal: the set, then by length, speaker and SNR.
std::string to_text(const Scores& scores);

}  // namespace raven::evaluation

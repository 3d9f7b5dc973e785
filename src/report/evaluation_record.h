// What `raven evaluate` wrote about one set, as a report needs it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace raven::report {

/// A row of a table in wer.json: texts and numbers by name, in the file's order.
struct TableRow {
  std::vector<std::pair<std::string, std::string>> texts;
  std::vector<std::pair<std::string, double>> numbers;
};

/// Which weights made the hypotheses of a set, and how they were searched.
struct DecodedBy {
  std::string weights;  // file or folder
  std::optional<double> step, steps, averaged_checkpoints;
  std::string best_by = {};  // of the best evaluation, "loss"; empty: they are not
  bool unfinished = false;   // the run that made them was not at its end
  std::string search;        // decode.kind; empty: not told
};

struct ErrorRates {
  double wer = 0;  // fraction
  std::optional<double> cer;
  std::optional<double> words, utterances, substitutions, deletions, insertions, sentence_errors;
  std::optional<std::pair<double, double>> confidence;  // of wer
  std::string warning = {};          // of evaluate: why the rate is worth little; empty: nothing
  std::optional<DecodedBy> by = {};  // of evaluate
  std::map<std::string, double> skipped = {};                              // reason -> utterances
  std::vector<std::pair<std::string, std::vector<TableRow>>> tables = {};  // "by_length" -> rows
};

/// A step of an alignment; one side is empty for a deletion ('D') or an insertion ('I').
struct AlignedWord {
  char kind = '=';  // '=', 'S', 'D', 'I'
  std::string reference, hypothesis;
};

struct WorstUtterance {
  std::string id, reference, hypothesis, speaker;
  std::vector<AlignedWord> words;
  double wer = 0;  // infinite: the reference is empty, so that there is no rate
  std::optional<double> frames;
  std::string crops_png;  // the picture's bytes; empty: none
};

struct UtteranceResult {
  std::string id, speaker, reference, hypothesis;
  double words = 0, errors = 0, deletions = 0, insertions = 0;
  std::optional<double> frames, chars, char_errors, score, snr_db;
};

/// Weights of a decoder's attention: one row for each unit of the hypothesis.
struct AttentionPicture {
  std::string id;
  std::vector<std::string> units;
  std::vector<std::vector<double>> weights;               // units x frames, 0 to 1
  std::vector<std::pair<std::int64_t, std::string>> ctc;  // frame, unit
};

/// "test@babble_5dB": the set and the noise that its name tells.
struct SetName {
  std::string set, noise;
  std::optional<double> snr_db;
};
SetName parse_set_name(const std::string& name);

struct EvaluationRecord {
  std::string name;
  std::optional<ErrorRates> rates;
  std::vector<WorstUtterance> worst;
  std::vector<UtteranceResult> utterances;  // a sample of them when there are very many
  std::int64_t num_utterances = 0;
  std::vector<AttentionPicture> attention;  // of the worst utterances
};

/// Reads `folder` (`<run>/evaluate/<set>`); adds what is missing or damaged to `problems`.
EvaluationRecord read_evaluation(const std::filesystem::path& folder,
                                 std::vector<std::string>& problems);

}  // namespace raven::report

// Decodes a set with a recognizer and scores it; a stopped run goes on where it was.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>

#include "raven/config/evaluate_config.h"
#include "raven/distributed/communicator.h"
#include "raven/evaluation/evaluation_set.h"
#include "raven/evaluation/recognizer_file.h"
#include "raven/evaluation/scoring.h"

namespace raven::evaluation {

/// Frames done so far, of all; of several ranks as far as this one has come.
using DecodingProgress = std::function<void(std::int64_t done, std::int64_t total)>;

/// Writes into `folder` what write_scores() writes, recognised.tsv (the list with what was
/// recognised as its texts), nbest.jsonl where decode.nbest asks for it, pictures of the worst
/// utterances' mouths, attention.json for the first few of them, and decoded.jsonl: hypotheses as
/// they are made. Utterances without a transcript are decoded, and not scored. Empty
/// when `stop` was asked for before the end; the same call then goes on with what is missing, with
/// the same result. After the end it decodes nothing: the hypotheses of decoded.jsonl are scored,
/// and nothing is written where the scores are there already. Where it fails before it has decoded
/// anything, no folder is left that was not there before.
/// Several ranks call it together, with the same arguments but for `stop`, and share the work: with
/// the same result for any number of them, as all have as many threads. Rank 0 alone writes results
/// and returns the scores; the others return none (has_value() with nothing in it). A rank that is
/// asked to stop ends alone, and the set is not finished; what the others have decoded is kept.
/// Throws SkipBudgetError beyond data.max_skipped, DataError naming the utterance whose posteriors
/// are no numbers, or when none can be read, ConfigError when another process writes
/// into the folder, or when it holds other results and these are refused.
std::optional<Scores> evaluate_set(LoadedRecognizer& loaded, const EvaluationSet& set,
                                   const config::EvaluateConfig& config,
                                   const torch::Device& device, const std::filesystem::path& folder,
                                   const std::stop_token& stop, const DecodingProgress& progress,
                                   OtherResults others = OtherResults::kReplace,
                                   distributed::Communicator& ranks = distributed::one_rank());

}  // namespace raven::evaluation

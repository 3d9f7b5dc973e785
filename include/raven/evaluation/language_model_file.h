// A language model from a file, for the search of a recognizer.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "raven/decode/search_language_model.h"
#include "raven/models/language_model.h"
#include "raven/text/ngram.h"
#include "raven/text/units.h"

namespace raven::evaluation {

/// A Transformer or an n-gram model.
struct LoadedLanguageModel {
  models::LanguageModel model{nullptr};           // in eval mode, on the CPU at first
  std::shared_ptr<const text::NgramModel> ngram;  // of units or of words
  std::string units;           // of `model`: content of its units file; empty: not known
  std::filesystem::path file;  // that was read
  std::string checksum;        // of it

  [[nodiscard]] bool empty() const { return model.is_empty() && !ngram; }
  /// What a search of a recognizer with these units asks.
  [[nodiscard]] decode::SearchLanguageModel for_search(const text::Units& units) const;
};

/// `path`: a run of `raven lm`, one of its checkpoints, a language model .safetensors file that it
/// or `raven import` wrote, or one that the latter would take (.pth); or an n-gram model, an ARPA
/// file. Throws CheckpointError when it is none, or has tensors that do not fit its own settings,
/// DataError ("arpa") for a damaged n-gram model.
LoadedLanguageModel load_language_model(const std::filesystem::path& path);

/// Throws ConfigError when its units are others than those of `recognizer`, a name for messages. Of
/// a model that does not know its units only their number can be compared; an n-gram model of units
/// has to know half of them, one of words anything.
void check_same_units(const LoadedLanguageModel& model, const text::Units& units,
                      const std::string& recognizer);

}  // namespace raven::evaluation

// The language model of a search, whichever kind it is.
#pragma once

#include <cstdint>
#include <memory>

#include "raven/decode/ngram_scorer.h"
#include "raven/decode/scorer.h"
#include "raven/models/language_model.h"

namespace raven::decode {

/// A Transformer, or an n-gram model; empty: none.
class SearchLanguageModel {
 public:
  SearchLanguageModel() = default;
  /// In eval mode, on the device of the search.
  SearchLanguageModel(models::LanguageModel transformer) : transformer_(std::move(transformer)) {}
  SearchLanguageModel(std::shared_ptr<const NgramOfUnits> ngram) : ngram_(std::move(ngram)) {}

  [[nodiscard]] bool empty() const { return transformer_.is_empty() && !ngram_; }
  [[nodiscard]] std::int64_t num_units() const;
  /// Of hypotheses that have read nothing yet.
  [[nodiscard]] std::shared_ptr<Scorer> scorer() const;

 private:
  models::LanguageModel transformer_{nullptr};
  std::shared_ptr<const NgramOfUnits> ngram_;
};

}  // namespace raven::decode

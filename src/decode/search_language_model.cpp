#include "raven/decode/search_language_model.h"

#include "raven/core/error.h"

namespace raven::decode {

std::int64_t SearchLanguageModel::num_units() const {
  RAVEN_CHECK(!empty(), "there is no language model");
  return ngram_ ? ngram_->num_units() : transformer_->num_units();
}

std::shared_ptr<Scorer> SearchLanguageModel::scorer() const {
  RAVEN_CHECK(!empty(), "there is no language model");
  if (ngram_) return std::make_shared<NgramScorer>(ngram_);
  return std::make_shared<LanguageModelScorer>(transformer_);
}

}  // namespace raven::decode

// What a beam search asks about its hypotheses.
// Shapes: B utterances, S hypotheses of each, V units of the vocabulary.
#pragma once

#include <torch/torch.h>

#include <memory>
#include <string>
#include <vector>

#include "raven/models/language_model.h"
#include "raven/nn/decoder.h"

namespace raven::decode {

/// Scores every unit that may follow a hypothesis. It keeps what it knows of the hypotheses, which
/// a search moves on with `select`; before the first call each utterance has one, without units.
class Scorer {
 public:
  virtual ~Scorer() = default;

  /// Reads one more unit of each hypothesis, newest (B, S) int64; the first is the start of the
  /// sentence. Returns the scores of the next one, (B, S, V) float32.
  virtual torch::Tensor score(const torch::Tensor& newest) = 0;

  /// Goes on with utterances `utterances` (B') int64, and of each with hypotheses that continue
  /// `parents` (B', S') int64.
  virtual void select(const torch::Tensor& utterances, const torch::Tensor& parents) = 0;
};

/// Log-probabilities of the attention decoder.
class AttentionScorer : public Scorer {
 public:
  /// encoded (B, T, E); valid (B, T) bool or undefined.
  AttentionScorer(nn::TransformerDecoder decoder, const torch::Tensor& encoded,
                  const torch::Tensor& valid);
  torch::Tensor score(const torch::Tensor& newest) override;
  void select(const torch::Tensor& utterances, const torch::Tensor& parents) override;

 private:
  nn::TransformerDecoder decoder_;
  nn::DecoderState state_;
};

/// Log-probabilities of a language model.
class LanguageModelScorer : public Scorer {
 public:
  explicit LanguageModelScorer(models::LanguageModel model);
  torch::Tensor score(const torch::Tensor& newest) override;
  void select(const torch::Tensor& utterances, const torch::Tensor& parents) override;

 private:
  models::LanguageModel model_;
  models::LanguageModelState state_;
};

/// 1 for every unit: its weight is the length bonus.
class LengthScorer : public Scorer {
 public:
  explicit LengthScorer(std::int64_t num_units) : num_units_(num_units) {}
  torch::Tensor score(const torch::Tensor& newest) override;
  void select(const torch::Tensor& utterances, const torch::Tensor& parents) override {}

 private:
  std::int64_t num_units_;
};

/// A scorer and its part in a hypothesis' score.
struct WeightedScorer {
  std::string name;  // as in Hypothesis::parts
  double weight = 1;
  std::shared_ptr<Scorer> scorer;
};

}  // namespace raven::decode

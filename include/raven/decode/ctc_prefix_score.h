// Probability, under CTC, that a transcript starts with a given prefix (Watanabe et al., 2017).
// Shapes: B utterances, S hypotheses of each, P candidates of each hypothesis, T frames, V units.
#pragma once

#include <torch/torch.h>

#include "raven/models/recognizer.h"

namespace raven::decode {

/// Stands for the logarithm of 0.
inline constexpr double kLogZero = -1e10;

/// Scores of prefixes that grow by one unit per step. At first each utterance has one hypothesis,
/// the empty prefix.
class CtcPrefixScore {
 public:
  /// log_probs (B, T, V); valid (B, T) bool or undefined: frames beyond the end count as certain
  /// blanks. `end_unit` ends a sentence; it is no label.
  CtcPrefixScore(const torch::Tensor& log_probs, const torch::Tensor& valid, std::int64_t end_unit);

  /// ln p(prefix + candidate ...) - ln p(prefix ...) for candidates (B, S, P) int64; undefined: of
  /// all V units. For `end_unit` it is ln p(prefix, and nothing more) - ln p(prefix ...), for the
  /// blank about kLogZero, as for what does not fit into the frames; what follows upon that changes
  /// it by 0. (B, S, P or V) float32.
  [[nodiscard]] torch::Tensor score(const torch::Tensor& candidates) const;

  /// Goes on with utterances `utterances` (B') int64, and of each with hypotheses that continue
  /// `parents` (B', S') by `units` (B', S'); `log_probs` (B', S') float64 is the sum of all that
  /// `score` gave along each.
  void select(const torch::Tensor& utterances, const torch::Tensor& parents,
              const torch::Tensor& units, const torch::Tensor& log_probs);

 private:
  /// What comes before frame 0: the empty prefix, certainly.
  [[nodiscard]] double first_entry() const { return length_ == 0 ? 0 : kLogZero; }
  /// Log-probabilities of units (B, ...) at every frame, (B, ..., T).
  [[nodiscard]] torch::Tensor frames_of(const torch::Tensor& units) const;
  /// Of prefixes whose newest label follows paths `before` (..., T), at frames (..., T) -> (...).
  [[nodiscard]] torch::Tensor prefix_log_prob(const torch::Tensor& before,
                                              const torch::Tensor& frames) const;

  std::int64_t end_unit_;
  std::int64_t length_ = 0;      // labels of every prefix
  torch::Tensor by_unit_;        // (B, V, T) log-probabilities
  torch::Tensor last_;           // (B, S) newest unit
  torch::Tensor ends_in_label_;  // (B, S, T) float64: paths that spell the prefix up to frame t ...
  torch::Tensor ends_in_blank_;  // ... and end in its last label, or in a blank
  torch::Tensor log_prob_;       // (B, S) float64: of the prefix
};

}  // namespace raven::decode

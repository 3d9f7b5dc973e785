// Speech recognition from one modality: encoder, CTC head, attention decoder, and the losses they
// are fine-tuned with (docs/method.md; Watanabe et al., 2017, for the hybrid of both).
// Shapes: B utterances, T frames (25 Hz), D encoder width, L labels of the longest utterance,
// V units of the vocabulary: 0 is the blank, V - 1 both start and end of a sentence.
#pragma once

#include <torch/torch.h>

#include "raven/config/model_config.h"
#include "raven/models/encoder.h"
#include "raven/nn/decoder.h"
#include "raven/nn/linear.h"

namespace raven::models {

inline constexpr std::int64_t kBlank = 0;
inline constexpr std::int64_t kNoLabel = -1;  // pads rows of labels
inline constexpr double kLabelSmoothing = 0.1;

struct RecognizerOptions {
  Modality modality = Modality::kVideo;
  config::EncoderConfig encoder;
  config::FrontendConfig frontend;
  config::DecoderConfig decoder;
  std::int64_t units = 1049;  // V
};

/// Key: ctc_lo.
class CtcHeadImpl : public torch::nn::Module {
 public:
  CtcHeadImpl(std::int64_t encoder_dim, std::int64_t num_units, double dropout);

  /// encoded (B, T, D) -> log-probabilities (B, T, V), float32 at least.
  torch::Tensor forward(const torch::Tensor& encoded);

 private:
  torch::nn::Dropout dropout{nullptr};
  nn::Linear ctc_lo{nullptr};
};
TORCH_MODULE(CtcHead);

/// Transcripts of a batch.
struct Labels {
  torch::Tensor units;  // (B, L) int64, without start and end, padded with kNoLabel
  /// Frames and labels of each utterance, (B) int64 on the CPU. Where undefined they are counted
  /// from masks and labels, for which the host waits when these are on a GPU.
  torch::Tensor num_frames, num_labels;
};

struct LossOptions {
  bool ctc = true, attention = true;  // what is computed at all
  double label_smoothing = kLabelSmoothing;
  bool mean_of_utterance = false;  // attention: an utterance's mean over its positions, not its sum
};

/// Sums over the utterances of a batch, so that batches can be accumulated exactly: the published
/// losses are these, divided by the number of utterances, where an utterance's attention loss is
/// the sum over its positions.
struct RecognizerLosses {
  torch::Tensor ctc;        // () with gradient; 0 for an utterance whose labels do not fit
  torch::Tensor attention;  // () with gradient; both are 0 where not asked for
  torch::Tensor correct;    // () int64: labels and ends that the decoder ranks first
  torch::Tensor count;      // () int64: all of them
  std::int64_t utterances = 0;

  /// ctc_weight * ctc + (1 - ctc_weight) * attention.
  [[nodiscard]] torch::Tensor total(double ctc_weight) const;
};

/// Sum over utterances of -ln p(labels); log_probs (B, T, V); valid (B, T) bool or undefined.
/// An utterance with too few frames for its labels counts 0 and has no gradient.
torch::Tensor ctc_loss(const torch::Tensor& log_probs, const torch::Tensor& valid,
                       const Labels& labels);

/// Kullback-Leibler divergence between smoothed targets and predictions, summed over all positions
/// with a target: logits (..., V), targets (...) int64, kNoLabel = none. The target unit has
/// probability 1 - smoothing, every other one smoothing / (V - 1); their entropy is included.
torch::Tensor label_smoothed_loss(const torch::Tensor& logits, const torch::Tensor& targets,
                                  double smoothing = kLabelSmoothing);

/// The same, of logits (B, L, V) and targets (B, L), as the sum over utterances of the mean over
/// each one's positions that have a target.
torch::Tensor length_normalised_loss(const torch::Tensor& logits, const torch::Tensor& targets,
                                     double smoothing = kLabelSmoothing);

/// What the decoder reads and has to say for labels (B, L): `read` = start, labels, padded with the
/// end; `said` = labels, end, padded with kNoLabel. Both (B, L + 1).
struct TeacherForcing {
  torch::Tensor read, said;
};
TeacherForcing teacher_forcing(const torch::Tensor& labels, std::int64_t end_unit);

/// Losses of encoder outputs (B, T, D) with these heads.
RecognizerLosses recognition_losses(CtcHead& ctc, nn::TransformerDecoder& decoder,
                                    std::int64_t end_unit, const torch::Tensor& encoded,
                                    const torch::Tensor& valid, const Labels& labels,
                                    const LossOptions& options);

/// Keys: encoder..., ctc.ctc_lo, decoder...
class RecognizerImpl : public torch::nn::Module {
 public:
  explicit RecognizerImpl(const RecognizerOptions& options);

  /// x: video (B, T, h, w) or audio (B, N, 1); valid (B, T) bool or undefined -> (B, T, D).
  torch::Tensor encode(const torch::Tensor& x, const torch::Tensor& valid = {});
  /// Losses of encoder outputs (B, T, D).
  RecognizerLosses losses(const torch::Tensor& encoded, const torch::Tensor& valid,
                          const Labels& labels, const LossOptions& options = {});

  [[nodiscard]] const RecognizerOptions& options() const { return options_; }
  /// Start and end of a sentence.
  [[nodiscard]] std::int64_t end_unit() const { return options_.units - 1; }

  Encoder encoder{nullptr};
  CtcHead ctc{nullptr};
  nn::TransformerDecoder decoder{nullptr};

 private:
  RecognizerOptions options_;
};
TORCH_MODULE(Recognizer);

}  // namespace raven::models

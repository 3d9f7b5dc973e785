#include "raven/models/recognizer.h"

#include <cmath>

#include "raven/core/error.h"

namespace raven::models {
namespace {

/// Losses are computed in float32 at least.
torch::Tensor at_least_float(const torch::Tensor& x) {
  return x.scalar_type() == torch::kFloat64 ? x : x.to(torch::kFloat32);
}

/// p ln p, with its limit of 0 at 0.
double negative_entropy(double p) { return p > 0 ? p * std::log(p) : 0; }

/// Divergence at each position (...); 0 where there is no target.
torch::Tensor divergences(const torch::Tensor& logits, const torch::Tensor& targets,
                          double smoothing) {
  const auto others = static_cast<double>(logits.size(-1) - 1);
  const double target_share = 1 - smoothing, other_share = smoothing / others;
  const double constant = negative_entropy(target_share) + others * negative_entropy(other_share);
  const auto log_probs = at_least_float(logits).log_softmax(-1);
  const auto has_target = targets != kNoLabel;
  const auto of_target =
      log_probs.gather(-1, targets.clamp_min(0).unsqueeze(-1)).squeeze(-1);  // (...)
  const auto loss =
      constant - (target_share - other_share) * of_target - other_share * log_probs.sum(-1);
  return torch::where(has_target, loss, torch::zeros({}, loss.options()));
}

}  // namespace

CtcHeadImpl::CtcHeadImpl(std::int64_t encoder_dim, std::int64_t num_units, double dropout_rate) {
  dropout = register_module("dropout", torch::nn::Dropout(dropout_rate));
  ctc_lo = register_module("ctc_lo", nn::Linear(encoder_dim, num_units));
}

torch::Tensor CtcHeadImpl::forward(const torch::Tensor& encoded) {
  return at_least_float(ctc_lo(dropout(encoded))).log_softmax(-1);
}

torch::Tensor RecognizerLosses::total(double ctc_weight) const {
  return ctc_weight * ctc + (1 - ctc_weight) * attention;
}

torch::Tensor ctc_loss(const torch::Tensor& log_probs, const torch::Tensor& valid,
                       const Labels& labels) {
  const auto batch = log_probs.size(0), frames = log_probs.size(1);
  auto num_frames = labels.num_frames, num_labels = labels.num_labels;
  if (!num_frames.defined()) {
    num_frames = valid.defined() ? valid.sum(1) : torch::full({batch}, frames, torch::kInt64);
  }
  if (!num_labels.defined()) num_labels = (labels.units != kNoLabel).sum(1);
  // One more column keeps a batch of empty labels from having no targets at all.
  const auto targets = torch::constant_pad_nd(labels.units.clamp_min(0), {0, 1});
  return torch::ctc_loss(log_probs.transpose(0, 1), targets, num_frames.cpu(), num_labels.cpu(),
                         kBlank, at::Reduction::Sum, /*zero_infinity=*/true);
}

torch::Tensor label_smoothed_loss(const torch::Tensor& logits, const torch::Tensor& targets,
                                  double smoothing) {
  return divergences(logits, targets, smoothing).sum();
}

torch::Tensor length_normalised_loss(const torch::Tensor& logits, const torch::Tensor& targets,
                                     double smoothing) {
  const auto lengths = (targets != kNoLabel).sum(-1).clamp_min(1);  // (B)
  return (divergences(logits, targets, smoothing).sum(-1) / lengths).sum();
}

TeacherForcing teacher_forcing(const torch::Tensor& labels, std::int64_t end_unit) {
  const auto ends = torch::full({labels.size(0), 1}, end_unit, labels.options());
  const auto none = torch::full_like(ends, kNoLabel);
  const auto missing = labels == kNoLabel;
  const auto counts = missing.logical_not().sum(1, /*keepdim=*/true);  // (B, 1)
  return {.read = torch::cat({ends, labels.masked_fill(missing, end_unit)}, 1),
          .said = torch::cat({labels, none}, 1).scatter(1, counts, ends)};
}

RecognizerLosses recognition_losses(CtcHead& ctc, nn::TransformerDecoder& decoder,
                                    std::int64_t end_unit, const torch::Tensor& encoded,
                                    const torch::Tensor& valid, const Labels& labels,
                                    const LossOptions& options) {
  RAVEN_CHECK(labels.units.size(0) == encoded.size(0), "labels of {} utterances for {}",
              labels.units.size(0), encoded.size(0));
  const auto none =
      torch::zeros({}, torch::TensorOptions(torch::kFloat32).device(encoded.device()));
  const auto no_units = none.to(torch::kInt64);
  RecognizerLosses losses{.ctc = none,
                          .attention = none,
                          .correct = no_units,
                          .count = no_units,
                          .utterances = encoded.size(0)};
  if (options.ctc) losses.ctc = ctc_loss(ctc(encoded), valid, labels);
  if (!options.attention) return losses;
  const auto sentence = teacher_forcing(labels.units, end_unit);
  const auto logits = decoder(sentence.read, encoded, valid);  // (B, L + 1, V)
  const auto has_target = sentence.said != kNoLabel;
  const auto attention_loss =
      options.mean_of_utterance ? length_normalised_loss : label_smoothed_loss;
  losses.attention = attention_loss(logits, sentence.said, options.label_smoothing);
  losses.correct = ((logits.argmax(-1) == sentence.said) & has_target).sum();
  losses.count = has_target.sum();
  return losses;
}

RecognizerImpl::RecognizerImpl(const RecognizerOptions& options) : options_(options) {
  encoder =
      register_module("encoder", Encoder(options.modality, options.encoder, options.frontend));
  ctc =
      register_module("ctc", CtcHead(options.encoder.dim, options.units, options.decoder.dropout));
  decoder = register_module(
      "decoder", nn::TransformerDecoder(options.decoder, options.encoder.dim, options.units));
}

torch::Tensor RecognizerImpl::encode(const torch::Tensor& x, const torch::Tensor& valid) {
  return encoder(x, valid);
}

RecognizerLosses RecognizerImpl::losses(const torch::Tensor& encoded, const torch::Tensor& valid,
                                        const Labels& labels, const LossOptions& options) {
  return recognition_losses(ctc, decoder, end_unit(), encoded, valid, labels, options);
}

}  // namespace raven::models

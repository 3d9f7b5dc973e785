// The published monitoring probe of pre-training (docs/method.md, section 2): how well a student's
// features can be read. Shapes as in recognizer.h.
#pragma once

#include <torch/torch.h>

#include "raven/config/model_config.h"
#include "raven/models/recognizer.h"

namespace raven::models {

/// Keys: ctc.ctc_lo, decoder...
class RecognitionProbeImpl : public torch::nn::Module {
 public:
  RecognitionProbeImpl(const config::DecoderConfig& options, std::int64_t encoder_dim,
                       std::int64_t num_units);

  /// Of the utterances that have labels; `labels.num_frames` and `labels.num_labels` must be given.
  /// `features` (B, T, D) get no gradient.
  RecognizerLosses losses(const torch::Tensor& features, const torch::Tensor& valid,
                          const Labels& labels);

 private:
  std::int64_t end_unit_;
  CtcHead ctc{nullptr};
  nn::TransformerDecoder decoder{nullptr};
};
TORCH_MODULE(RecognitionProbe);

}  // namespace raven::models

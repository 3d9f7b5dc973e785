#include "raven/models/recognition_probe.h"

namespace raven::models {

RecognitionProbeImpl::RecognitionProbeImpl(const config::DecoderConfig& options,
                                           std::int64_t encoder_dim, std::int64_t num_units)
    : end_unit_(num_units - 1) {
  ctc = register_module("ctc", CtcHead(encoder_dim, num_units, options.dropout));
  decoder = register_module("decoder", nn::TransformerDecoder(options, encoder_dim, num_units));
}

RecognizerLosses RecognitionProbeImpl::losses(const torch::Tensor& features,
                                              const torch::Tensor& valid, const Labels& labels) {
  const auto labelled = (labels.num_labels > 0).nonzero().squeeze(1);  // on the CPU
  const auto fixed = features.detach();
  if (labelled.size(0) == fixed.size(0)) {
    return recognition_losses(ctc, decoder, end_unit_, fixed, valid, labels, {});
  }
  const bool any = labelled.size(0) > 0;
  const auto rows = labelled.to(fixed.device(), /*non_blocking=*/true);
  return recognition_losses(ctc, decoder, end_unit_, fixed.index_select(0, rows),
                            valid.index_select(0, rows),
                            {.units = labels.units.index_select(0, rows),
                             .num_frames = labels.num_frames.index_select(0, labelled),
                             .num_labels = labels.num_labels.index_select(0, labelled)},
                            {.ctc = any, .attention = any});
}

}  // namespace raven::models

// What training holds of a network, layer by layer, worked out from shapes: nothing is allocated.
//
// Each tensor that autograd holds is counted once, in bytes, as the layers in nn/ and models/ make
// it; tests compare the sums with what LibTorch really allocates. Left out are tensors without a
// batch's frames in their shape (statistics of a norm) and masks of one byte a frame.
// Shapes: B clips, T frames of the longest, F = B T, U labels of the longest, D width, H heads.
#pragma once

#include <cstdint>
#include <vector>

#include "raven/config/pretrain_config.h"

namespace raven::plan {

/// A padded batch.
struct BatchShape {
  std::int64_t clips = 1;   // B
  std::int64_t frames = 1;  // T
  std::int64_t labels = 0;  // U, in fine-tuning

  [[nodiscard]] double rows() const {  // F
    return static_cast<double>(clips) * static_cast<double>(frames);
  }
};

/// Which kernels run and how wide their results are.
struct Arithmetic {
  bool cuda = false;  // raven's own CUDA kernels, else its own loops on the CPU
  double narrow = 4;  // bytes of an activation that autocast makes bfloat16; the others have 4

  /// bf16 on a CPU is counted as fp32.
  static Arithmetic of(bool cuda, config::Precision precision) {
    return {.cuda = cuda, .narrow = cuda && precision == config::Precision::kBf16 ? 2.0 : 4.0};
  }
};

struct Layer {
  std::int64_t parameters = 0;
  double buffers = 0;  // bytes
  std::int64_t batch_norms = 0;
  double saved = 0;         // bytes that autograd saves for the backward pass
  double forward_work = 0;  // further bytes during its forward pass
  // Further bytes during its backward pass, gradients of activations included.
  double backward_work = 0;
  // All bytes when it is computed without gradients, input and output included.
  double inference = 0;
};
using Layers = std::vector<Layer>;

/// Pixels (B, T, crop, crop) -> features (B, T, C), which are counted.
Layers video_frontend(const config::FrontendConfig& frontend, std::int64_t crop,
                      const BatchShape& batch, const Arithmetic& arithmetic);
/// Samples (B, 640 T) -> features (B, T, C).
Layers audio_frontend(const config::FrontendConfig& frontend, const BatchShape& batch,
                      const Arithmetic& arithmetic);

/// Projection of features (whose memory the caller counts), blocks, final norm with its output.
Layers encoder_trunk(const config::EncoderConfig& encoder, std::int64_t input_dim,
                     const BatchShape& batch, const Arithmetic& arithmetic);
/// From student features (counted by the caller) to predictions, which a loss counts.
Layers predictor(const config::PredictorConfig& predictor, std::int64_t encoder_dim,
                 std::int64_t target_dim, const BatchShape& batch, const Arithmetic& arithmetic);
/// models::feature_loss. `owns_prediction`: no layer and no other loss has counted it.
Layer feature_loss(config::LossKind kind, std::int64_t target_dim, bool owns_prediction,
                   const BatchShape& batch);
/// From encoder outputs (counted by the caller) to the CTC loss over V units.
Layers ctc_head(std::int64_t encoder_dim, std::int64_t num_units, double dropout,
                const BatchShape& batch, const Arithmetic& arithmetic);
/// From encoder outputs (counted by the caller) and U + 1 units to the decoder's loss.
Layers attention_decoder(const config::DecoderConfig& decoder, std::int64_t encoder_dim,
                         std::int64_t num_units, const BatchShape& batch,
                         const Arithmetic& arithmetic);

std::int64_t num_parameters(const Layers& layers);
double buffer_bytes(const Layers& layers);

}  // namespace raven::plan

#include "raven/train/flops.h"

#include <vector>

namespace raven::train {
namespace {

/// The four stages of a ResNet-18 with two blocks each. `area` is the number of output positions of
/// the first stage (a square's pixels, or samples), divided by `shrink` at each further stage; a
/// kernel covers `taps` positions.
double resnet_flops(const std::vector<std::int64_t>& widths, double area, double shrink,
                    double taps) {
  double flops = 0;
  auto in = static_cast<double>(widths.front());
  for (std::size_t stage = 0; stage < widths.size(); ++stage) {
    const auto out = static_cast<double>(widths[stage]);
    if (stage > 0) area /= shrink;
    flops += 2 * area * taps * (in * out + 3 * out * out);
    if (in != out || stage > 0) flops += 2 * area * in * out;  // downsample
    in = out;
  }
  return flops;
}

/// A block with self-attention and a feed-forward layer, over `frames` keys with relative
/// positions.
double block_flops(double dim, double ffn, double frames) {
  const double projections = 4 * 2 * dim * dim;
  // Queries by keys, queries by 2 T - 1 positions, maps by values; the positions' projection once
  // per clip.
  const double attention = 2 * dim * (frames + (2 * frames - 1) + frames) + 2 * 2 * dim * dim;
  return projections + attention + 2 * 2 * dim * ffn;
}

double predictor_flops(const config::PredictorConfig& predictor, double dim, double frames) {
  const auto width = static_cast<double>(predictor.dim);
  switch (predictor.kind) {
    case config::PredictorKind::kTransformer:
      return 2 * dim * width + 2 * width * dim +
             static_cast<double>(predictor.blocks) *
                 block_flops(width, static_cast<double>(predictor.ffn_dim), frames);
    case config::PredictorKind::kMlp:
      return 4 * dim * width;
    case config::PredictorKind::kLinear:
      return 2 * dim * dim;
    case config::PredictorKind::kNone:
      return 0;
  }
  return 0;
}

}  // namespace

FrameFlops frame_flops(const config::PretrainConfig& config, std::int64_t frames) {
  const auto& encoder = config.model.encoder;
  const auto dim = static_cast<double>(encoder.dim);
  const auto length = static_cast<double>(frames);
  FrameFlops flops;

  const auto& video = config.model.video_frontend.widths;
  const auto half = static_cast<double>((config.data.video.crop + 1) / 2);
  const auto quarter = static_cast<double>((config.data.video.crop + 3) / 4);
  flops.video_frontend = 2 * half * half * 5 * 7 * 7 * static_cast<double>(video.front()) +
                         resnet_flops(video, quarter * quarter, 4, 9) +
                         2 * static_cast<double>(video.back()) * dim;

  const auto& audio = config.model.audio_frontend.widths;
  constexpr double kStemPositions = 160;  // 640 samples at stride 4
  flops.audio_frontend = 2 * kStemPositions * 80 * static_cast<double>(audio.front()) +
                         resnet_flops(audio, kStemPositions, 2, 3) +
                         2 * static_cast<double>(audio.back()) * dim;

  flops.transformer = static_cast<double>(encoder.blocks) *
                      block_flops(dim, static_cast<double>(encoder.ffn_dim), length);
  const auto& loss = config.loss;
  const auto& predictors = config.model.predictors;
  if (loss.v2v > 0) flops.predictor += predictor_flops(predictors.v2v, dim, length);
  if (loss.v2a > 0) flops.predictor += predictor_flops(predictors.v2a, dim, length);
  if (loss.a2a > 0) flops.predictor += predictor_flops(predictors.a2a, dim, length);
  if (loss.a2v > 0) flops.predictor += predictor_flops(predictors.a2v, dim, length);
  return flops;
}

double pretrain_flops(const config::PretrainConfig& config, std::int64_t frames) {
  const auto flops = frame_flops(config, frames);
  const auto& loss = config.loss;
  const double video = flops.video_frontend + flops.transformer;
  const double audio = flops.audio_frontend + flops.transformer;
  double total = 3 * flops.predictor;
  if (loss.v2v > 0 || loss.v2a > 0) total += 3 * video;  // students
  if (loss.a2a > 0 || loss.a2v > 0) total += 3 * audio;
  if (loss.v2v > 0 || loss.a2v > 0) total += video;  // teachers
  if (loss.v2a > 0 || loss.a2a > 0) total += audio;
  return total;
}

std::optional<double> peak_flops(const std::string& gpu, config::Precision precision) {
  struct Peak {
    const char* name;
    double fp32, tf32, bf16;  // tera operations per second, dense, from the makers' data sheets
  };
  static const std::vector<Peak> peaks = {{"H200", 67, 494, 989},    {"H100 PCIe", 51, 378, 756},
                                          {"H100", 67, 494, 989},    {"A100", 19.5, 156, 312},
                                          {"L40S", 91.6, 183, 362},  {"A40", 37.4, 74.8, 149.7},
                                          {"V100", 15.7, 15.7, 15.7}};
  for (const auto& peak : peaks) {
    if (gpu.find(peak.name) == std::string::npos) continue;
    switch (precision) {
      case config::Precision::kFp32:
        return peak.fp32 * 1e12;
      case config::Precision::kTf32:
        return peak.tf32 * 1e12;
      case config::Precision::kBf16:
        return peak.bf16 * 1e12;
    }
  }
  return std::nullopt;
}

}  // namespace raven::train

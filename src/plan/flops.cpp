#include "raven/plan/flops.h"

#include <cctype>
#include <cmath>
#include <vector>

#include "raven/media/media.h"

namespace raven::plan {
namespace {

double power(double base, int exponent) { return exponent == 2 ? base * base : base; }

/// Positions along one side after a stride of 2.
double halved(double side) { return std::ceil(side / 2); }

/// The four stages of a ResNet-18 with two blocks each, over `dims` dimensions (2: images, 1:
/// samples). `side` is the number of output positions of the first stage along one of them, halved
/// at each further stage; kernels are 3 wide.
double resnet_flops(const std::vector<std::int64_t>& widths, double side, int dims) {
  const double taps = power(3, dims);
  double flops = 0;
  auto in = static_cast<double>(widths.front());
  for (std::size_t stage = 0; stage < widths.size(); ++stage) {
    const auto out = static_cast<double>(widths[stage]);
    if (stage > 0) side = halved(side);
    const double area = power(side, dims);
    flops += 2 * area * taps * (in * out + 3 * out * out);
    if (in != out || stage > 0) flops += 2 * area * in * out;  // downsample
    in = out;
  }
  return flops;
}

/// What a frame's cost depends on besides the networks.
struct Shape {
  double frames = 0, clips = 0;  // of each clip; in a batch
};

/// A block with self-attention and a feed-forward layer, over `frames` keys with relative
/// positions.
double block_flops(double dim, double ffn, const Shape& shape) {
  const double projections = 4 * 2 * dim * dim;
  const double positions = 2 * shape.frames - 1;
  // Queries by keys, queries by positions, maps by values.
  const double attention = 2 * dim * (shape.frames + positions + shape.frames);
  // The positions' projection is made once for a batch.
  const double of_positions = 2 * dim * dim * positions / (shape.frames * shape.clips);
  return projections + attention + of_positions + 2 * 2 * dim * ffn;
}

/// From `dim` numbers a frame to `target_dim`.
double predictor_flops(const config::PredictorConfig& predictor, double dim, double target_dim,
                       const Shape& shape) {
  const auto width = static_cast<double>(predictor.dim);
  switch (predictor.kind) {
    case config::PredictorKind::kTransformer:
      return 2 * dim * width + 2 * width * target_dim +
             static_cast<double>(predictor.blocks) *
                 block_flops(width, static_cast<double>(predictor.ffn_dim), shape);
    case config::PredictorKind::kMlp:
    case config::PredictorKind::kMlpBatchNorm:
      return 2 * width *
             (dim + static_cast<double>(predictor.hidden_layers() - 1) * width + target_dim);
    case config::PredictorKind::kLinear:
      return 2 * dim * target_dim;
    case config::PredictorKind::kNone:
    case config::PredictorKind::kShared:
      return 0;
  }
  return 0;
}

double video_flops(const config::FrontendConfig& frontend, std::int64_t crop, double dim) {
  const double half = halved(static_cast<double>(crop));
  const auto& widths = frontend.widths;
  return 2 * half * half * 5 * 7 * 7 * static_cast<double>(widths.front()) +
         resnet_flops(widths, halved(half), /*dims=*/2) +
         2 * static_cast<double>(widths.back()) * dim;
}

double audio_flops(const config::FrontendConfig& frontend, double dim) {
  constexpr double kStemPositions = media::kSamplesPerFrame / 4;  // a stride of 4
  const auto& widths = frontend.widths;
  return 2 * kStemPositions * 80 * static_cast<double>(widths.front()) +
         resnet_flops(widths, kStemPositions, /*dims=*/1) +
         2 * static_cast<double>(widths.back()) * dim;
}

double transformer_flops(const config::EncoderConfig& encoder, const Shape& shape) {
  return static_cast<double>(encoder.blocks) *
         block_flops(static_cast<double>(encoder.dim), static_cast<double>(encoder.ffn_dim), shape);
}

/// Teacher forcing over labels and an end, for one video frame. Masked scores are computed too.
double decoder_flops(const config::DecoderConfig& decoder, double encoder_dim,
                     const LabelledBatch& batch) {
  const auto dim = static_cast<double>(decoder.dim);
  const auto frames = static_cast<double>(batch.frames);
  const double read = static_cast<double>(batch.labels) + 1;
  const double own = 4 * 2 * dim * dim + 2 * 2 * dim * read;
  const double source = 2 * 2 * dim * dim + 2 * 2 * dim * frames;  // queries, output, both products
  const double feed_forward = 2 * 2 * dim * static_cast<double>(decoder.ffn_dim);
  const auto blocks = static_cast<double>(decoder.blocks);
  const double of_unit =
      blocks * (own + source + feed_forward) + 2 * dim * static_cast<double>(batch.units);
  const double of_frame = blocks * 2 * 2 * dim * dim +  // keys and values
                          (encoder_dim != dim ? 2 * encoder_dim * dim : 0);
  return of_unit * read / frames + of_frame;
}

/// True when `name` stands in `gpu` as whole words: "A40" is not in "RTX A4000".
bool names(const std::string& gpu, const std::string& name) {
  const auto ends_word = [&](std::size_t at) {
    return at >= gpu.size() || std::isalnum(static_cast<unsigned char>(gpu[at])) == 0;
  };
  for (auto at = gpu.find(name); at != std::string::npos; at = gpu.find(name, at + 1)) {
    if ((at == 0 || ends_word(at - 1)) && ends_word(at + name.size())) return true;
  }
  return false;
}

}  // namespace

FrameFlops frame_flops(const config::PretrainConfig& config, std::int64_t frames,
                       std::int64_t clips) {
  const auto& model = config.model;
  const auto dim = [&](config::Modality modality) {
    return static_cast<double>(model.encoder_of(modality).dim);
  };
  const Shape shape{.frames = static_cast<double>(frames), .clips = static_cast<double>(clips)};
  using enum config::Modality;
  FrameFlops flops;
  flops.video_frontend = video_flops(model.video_frontend, config.data.video.crop, dim(kVideo));
  flops.audio_frontend = audio_flops(model.audio_frontend, dim(kAudio));
  flops.video_transformer = transformer_flops(model.encoder_of(kVideo), shape);
  flops.audio_transformer = transformer_flops(model.encoder_of(kAudio), shape);
  const auto& loss = config.loss;
  for (const auto& term : config::kLossTerms) {
    if (loss.weight[term] == 0) continue;
    flops.predictor +=
        predictor_flops(model.predictors.of[term], dim(term.student), dim(term.target), shape);
    if (loss.kind == config::LossKind::kContrastive)
      flops.predictor += 2 * dim(term.target) * shape.frames * shape.clips;
  }
  return flops;
}

StepFlops pretrain_flops(const config::PretrainConfig& config, std::int64_t frames,
                         std::int64_t clips) {
  const auto flops = frame_flops(config, frames, clips);
  const auto& loss = config.loss;
  double trained = flops.predictor, teachers = 0;
  const auto of_teacher = [&](config::Modality modality) {
    const auto blocks = config.model.encoder_of(modality).blocks;
    const auto run = config.teacher.target_block.value_or(blocks);
    const double left_out = 1 - static_cast<double>(run) / static_cast<double>(blocks);
    return flops.encoder(modality) - left_out * flops.transformer(modality);
  };
  for (const auto modality : config::kModalities) {
    if (loss.has_student(modality)) trained += flops.encoder(modality);
    if (loss.has_teacher(modality)) teachers += of_teacher(modality);
  }
  return {.forward = trained + teachers, .backward = 2 * trained};
}

StepFlops finetune_flops(const config::FinetuneConfig& config, const LabelledBatch& batch) {
  const auto& model = config.model;
  const auto dim = static_cast<double>(model.encoder.dim);
  const Shape shape{.frames = static_cast<double>(batch.frames),
                    .clips = static_cast<double>(batch.clips)};
  const double frontend = model.modality == config::Modality::kVideo
                              ? video_flops(model.video_frontend, config.data.video.crop, dim)
                              : audio_flops(model.audio_frontend, dim);
  const double transformer = transformer_flops(model.encoder, shape);
  double trained = 0, frozen = 0;
  (model.frozen == config::FrozenPart::kNone ? trained : frozen) += frontend;
  (model.frozen == config::FrozenPart::kEncoder ? frozen : trained) += transformer;
  if (model.cached_views > 0) frozen = 0;
  if (config.loss.ctc_weight > 0) trained += 2 * dim * static_cast<double>(batch.units);
  if (config.loss.ctc_weight < 1) trained += decoder_flops(model.decoder, dim, batch);
  return {.forward = trained + frozen, .backward = 2 * trained};
}

std::optional<double> peak_flops(const std::string& gpu, config::Precision precision) {
  struct Peak {
    const char* name;
    double fp32, tf32, bf16;  // tera operations per second, dense, from the makers' data sheets
  };
  static const std::vector<Peak> peaks = {{"H200", 67, 494, 989},     {"H100 PCIe", 51, 378, 756},
                                          {"H100 NVL", 60, 417, 835}, {"H100", 67, 494, 989},
                                          {"A100", 19.5, 156, 312},   {"L40S", 91.6, 183, 362},
                                          {"A40", 37.4, 74.8, 149.7}, {"V100", 15.7, 15.7, 15.7}};
  for (const auto& peak : peaks) {
    if (!names(gpu, peak.name)) continue;
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

}  // namespace raven::plan

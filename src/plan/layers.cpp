#include "raven/plan/layers.h"

#include <algorithm>
#include <cmath>

#include "raven/media/media.h"

namespace raven::plan {
namespace {

constexpr double kFloat = 4;  // bytes
constexpr double kByte = 1;

double number(std::int64_t value) { return static_cast<double>(value); }
std::int64_t halved(std::int64_t side) { return (side + 1) / 2; }

/// Running mean, running variance and an int64 count; the parameters count where they are made.
void add_batch_norm(std::int64_t channels, Layer& layer) {
  layer.buffers += 2 * kFloat * number(channels) + 8;
  ++layer.batch_norms;
}

/// Positions of a stage's input and output for one video frame: pixels, or samples.
struct Positions {
  std::int64_t in = 1, out = 1;
};

/// nn::BasicBlock. `is_last`: its result is averaged at once, which keeps nothing of it.
Layer residual_block(std::int64_t in, std::int64_t out, std::int64_t taps,
                     const Positions& positions, bool copies_pixels, bool is_last,
                     const BatchShape& batch, const Arithmetic& arithmetic) {
  const bool has_shortcut = positions.in != positions.out || in != out;
  const double input = batch.rows() * number(positions.in * in) * arithmetic.narrow;
  const double output = batch.rows() * number(positions.out * out) * arithmetic.narrow;
  const double pixels =
      copies_pixels ? batch.rows() * number(positions.out * in) * arithmetic.narrow : 0;
  Layer layer;
  layer.parameters = taps * in * out + taps * out * out + 4 * out;
  add_batch_norm(out, layer);
  add_batch_norm(out, layer);
  // Both convolutions' outputs, what lies between them, and the result.
  layer.saved = 4 * output;
  layer.inference = input + 2 * output;
  layer.backward_work = 4 * output;
  if (has_shortcut) {
    layer.parameters += in * out + 2 * out;
    add_batch_norm(out, layer);
    layer.saved += 2 * output + pixels;
    layer.inference += output + pixels;
    layer.backward_work = 2 * output + 3 * input;
  }
  if (is_last) {
    layer.saved -= output;
    layer.forward_work += output;
  }
  return layer;
}

struct Trunk {
  std::int64_t side = 1, dimensions = 2;  // positions of the first stage along one dimension
};

/// nn::ResidualStages and the mean behind them.
void add_stages(const config::FrontendConfig& frontend, const Trunk& trunk, const BatchShape& batch,
                const Arithmetic& arithmetic, Layers& layers) {
  const auto area = [&](std::int64_t side) { return trunk.dimensions == 2 ? side * side : side; };
  const std::int64_t taps = area(3);
  auto in = frontend.widths.front(), side = trunk.side;
  for (std::size_t stage = 0; stage < frontend.widths.size(); ++stage) {
    const auto out = frontend.widths[stage];
    for (int block = 0; block < 2; ++block) {
      const auto before = side;
      if (stage > 0 && block == 0) side = halved(side);
      // A strided 1 x 1 convolution on a CPU is a product over a copy of the pixels, which is a
      // view along one dimension.
      const bool copies = !arithmetic.cuda && trunk.dimensions == 2 && side != before;
      const bool last = stage + 1 == frontend.widths.size() && block == 1;
      layers.push_back(residual_block(in, out, taps, {.in = area(before), .out = area(side)},
                                      copies, last, batch, arithmetic));
      in = out;
    }
  }
  layers.back().saved += batch.rows() * number(frontend.widths.back()) * arithmetic.narrow;
}

/// One product with a matrix in a transformer, and what stands around it.
struct Sizes {
  Sizes(const BatchShape& batch, std::int64_t dim, std::int64_t heads, std::int64_t ffn_dim)
      : width(batch.rows() * number(dim)),
        inner(batch.rows() * number(ffn_dim)),
        scores(number(batch.clips * heads) * number(batch.frames) * number(batch.frames)),
        positions((2 * number(batch.frames) - 1) * number(dim)) {}

  double width;      // F D
  double inner;      // F times the feed-forward width
  double scores;     // B H T T
  double positions;  // (2T - 1) D
};

/// nn::InputEmbedding. The position table lives as long as the blocks.
Layer embedding(const config::EncoderConfig& options, std::int64_t input_dim,
                const BatchShape& batch, const Arithmetic& arithmetic) {
  const auto dim = options.dim;
  const Sizes size(batch, dim, 1, 1);
  const double noise = arithmetic.cuda ? kByte : kFloat;
  Layer layer;
  layer.parameters = input_dim * dim + dim + (options.mask_token ? dim : 0);
  layer.saved = (options.dropout > 0 ? noise * size.width : 0) + arithmetic.narrow * size.positions;
  layer.forward_work = 2 * arithmetic.narrow * size.width;
  layer.backward_work = 3 * arithmetic.narrow * size.width;
  layer.inference = kFloat * (batch.rows() * number(input_dim) + 3 * size.width + size.positions);
  return layer;
}

std::int64_t block_parameters(const config::EncoderConfig& options) {
  const auto dim = options.dim, ffn = options.ffn_dim;
  const auto attention = 5 * dim * dim + 4 * dim + 2 * dim;  // with both position biases
  return attention + 2 * dim * ffn + ffn + dim + 4 * dim + (options.layer_scale > 0 ? 2 * dim : 0);
}

/// nn::EncoderBlock as LibTorch's operators run it, and raven's loops in its batch norm.
Layer block_on_cpu(const config::EncoderConfig& options, const Sizes& size,
                   const BatchShape& batch) {
  const bool drops = options.dropout > 0;
  // Inputs of both norms and what they give; queries with either bias, keys, values, and mixed
  // values, each copied head by head.
  double wide = 2 + 2 + 5;
  if (options.layer_scale > 0) wide += 2;                         // branches before their scale
  if (drops) wide += 2;                                           // noise on both branches
  const double positions = number(batch.clips) * size.positions;  // copied for each clip
  Layer layer;
  layer.saved = kFloat * (wide * size.width + positions + (drops ? 3 : 2) * size.scores +
                          (drops ? 3 : 1) * size.inner);
  // Content scores, position scores (twice as many), their sum, and copies on the way.
  layer.forward_work = kFloat * ((drops ? 5 : 4) * size.scores + 3 * size.width);
  layer.backward_work =
      kFloat * std::max(2 * size.inner + 2 * size.width, 2 * size.scores + 4 * size.width);
  layer.inference = kFloat * (size.width + std::max(2 * size.inner + 2 * size.width,
                                                    6 * size.scores + 8 * size.width + positions));
  return layer;
}

/// The same with raven's CUDA kernels around LibTorch's products.
Layer block_on_cuda(const config::EncoderConfig& options, const Sizes& size,
                    const Arithmetic& arithmetic) {
  const bool drops = options.dropout > 0;
  const double narrow = arithmetic.narrow;
  // Norms read float32; a block without layer scale hands on what its branches are.
  const double between = options.layer_scale > 0 ? kFloat : narrow;
  const double wide = kFloat + between + 9 * narrow;
  Layer layer;
  layer.saved = wide * size.width + narrow * size.positions +
                narrow * (drops ? 2 : 1) * size.scores +
                (drops ? 2 * narrow + kByte : narrow) * size.inner;
  layer.forward_work = narrow * (3 * size.scores + 4 * size.width) + kFloat * size.width;
  layer.backward_work =
      std::max(narrow * 2 * size.inner, narrow * (4 * size.scores + 8 * size.width)) +
      2 * kFloat * size.width;
  layer.inference =
      kFloat * 2 * size.width + narrow * std::max(2 * size.inner, 4 * size.scores + 7 * size.width);
  return layer;
}

Layer encoder_block(const config::EncoderConfig& options, const BatchShape& batch,
                    const Arithmetic& arithmetic) {
  const Sizes size(batch, options.dim, options.heads, options.ffn_dim);
  auto layer = arithmetic.cuda ? block_on_cuda(options, size, arithmetic)
                               : block_on_cpu(options, size, batch);
  layer.parameters = block_parameters(options);
  if (options.ffn_norm == config::FfnNorm::kBatch) add_batch_norm(options.dim, layer);
  return layer;
}

/// A norm over float32 that keeps its input; `output`: bytes of each number of what it gives, 0
/// when the caller counts that.
Layer final_norm(std::int64_t dim, double output, const BatchShape& batch) {
  const double width = kFloat * batch.rows() * number(dim);
  Layer layer;
  layer.parameters = 2 * dim;
  layer.saved = width + output * batch.rows() * number(dim);
  layer.backward_work = 2 * width;
  layer.inference = 2 * width;
  return layer;
}

Layer linear(std::int64_t in, std::int64_t out) {
  Layer layer;
  layer.parameters = in * out + out;
  return layer;
}

/// A linear layer, BatchNorm where there is one, and ReLU, which keeps its result.
Layer mlp_layer(std::int64_t in, const config::PredictorConfig& predictor, const BatchShape& batch,
                const Arithmetic& arithmetic) {
  const double width = arithmetic.narrow * batch.rows() * number(predictor.dim);
  auto layer = linear(in, predictor.dim);
  layer.saved = width;
  if (predictor.kind == config::PredictorKind::kMlpBatchNorm) {
    layer.parameters += 2 * predictor.dim;
    add_batch_norm(predictor.dim, layer);
    layer.saved += width;  // what the norm takes
  }
  layer.forward_work = layer.backward_work = layer.inference = 2 * width;
  return layer;
}

}  // namespace

Layers video_frontend(const config::FrontendConfig& frontend, std::int64_t crop,
                      const BatchShape& batch, const Arithmetic& arithmetic) {
  constexpr std::int64_t kTaps = 5 * 7 * 7;
  const auto channels = frontend.widths.front();
  const auto half = halved(crop), pooled = halved(half);
  const double neighbours = arithmetic.cuda ? 8 : 5;  // frames stacked as channels
  const double narrow = arithmetic.narrow;
  const double stacked = batch.rows() * neighbours * number(crop * crop) * narrow;
  const double convolved = batch.rows() * number(half * half * channels) * narrow;
  const double places = batch.rows() * number(pooled * pooled * channels);
  Layer stem;
  stem.parameters = kTaps * channels + 2 * channels;
  add_batch_norm(channels, stem);
  stem.saved = stacked + convolved + places * (narrow + kByte);  // which pixel was the largest
  stem.forward_work = batch.rows() * number(crop * crop) * narrow;
  stem.backward_work = places * narrow + convolved;
  stem.inference = stacked + convolved + places * narrow;
  Layers layers = {stem};
  add_stages(frontend, {.side = pooled, .dimensions = 2}, batch, arithmetic, layers);
  return layers;
}

Layers audio_frontend(const config::FrontendConfig& frontend, const BatchShape& batch,
                      const Arithmetic& arithmetic) {
  constexpr std::int64_t kTaps = 80;
  constexpr std::int64_t kStride = 4;
  const auto channels = frontend.widths.front();
  const std::int64_t positions = media::kSamplesPerFrame / kStride;
  const double samples = batch.rows() * number(media::kSamplesPerFrame) * kFloat;
  const double windows = batch.rows() * number(positions * kTaps) * arithmetic.narrow;
  const double convolved = batch.rows() * number(positions * channels) * arithmetic.narrow;
  Layer stem;
  stem.parameters = kTaps * channels + 2 * channels;
  add_batch_norm(channels, stem);
  stem.saved = windows + 2 * convolved;
  stem.forward_work = samples;
  stem.backward_work = 2 * convolved;
  // Without gradients of its weights LibTorch copies the windows clip by clip.
  stem.inference = samples + windows / number(batch.clips) + convolved;
  Layers layers = {stem};
  add_stages(frontend, {.side = positions, .dimensions = 1}, batch, arithmetic, layers);
  return layers;
}

Layers encoder_trunk(const config::EncoderConfig& encoder, std::int64_t input_dim,
                     const BatchShape& batch, const Arithmetic& arithmetic) {
  Layers layers = {embedding(encoder, input_dim, batch, arithmetic)};
  layers.insert(layers.end(), static_cast<std::size_t>(encoder.blocks),
                encoder_block(encoder, batch, arithmetic));
  // Autocast: each reader of the float32 output makes its own copy of it.
  layers.push_back(final_norm(encoder.dim, arithmetic.narrow < kFloat ? 0 : kFloat, batch));
  return layers;
}

Layers predictor(const config::PredictorConfig& predictor, std::int64_t encoder_dim,
                 std::int64_t target_dim, const BatchShape& batch, const Arithmetic& arithmetic) {
  using config::PredictorKind;
  // Autocast makes a bfloat16 copy of the student's features for each predictor.
  const double copy =
      arithmetic.narrow < kFloat ? arithmetic.narrow * batch.rows() * number(encoder_dim) : 0;
  Layers layers;
  switch (predictor.kind) {
    case PredictorKind::kNone:
    case PredictorKind::kShared:
      return {};
    case PredictorKind::kLinear:
      layers = {linear(encoder_dim, target_dim)};
      break;
    case PredictorKind::kMlp:
    case PredictorKind::kMlpBatchNorm:
      for (std::int64_t i = 0; i < predictor.hidden_layers(); ++i)
        layers.push_back(
            mlp_layer(i == 0 ? encoder_dim : predictor.dim, predictor, batch, arithmetic));
      layers.push_back(linear(predictor.dim, target_dim));
      break;
    case PredictorKind::kTransformer: {
      const auto options = config::transformer_of(predictor);
      layers = {embedding(options, encoder_dim, batch, arithmetic)};
      layers.insert(layers.end(), static_cast<std::size_t>(options.blocks),
                    encoder_block(options, batch, arithmetic));
      layers.push_back(final_norm(predictor.dim, arithmetic.narrow, batch));
      layers.push_back(linear(predictor.dim, target_dim));
      break;
    }
  }
  layers.front().saved += copy;
  return layers;
}

Layer feature_loss(config::LossKind kind, std::int64_t target_dim, bool owns_prediction,
                   const BatchShape& batch) {
  const double width = kFloat * batch.rows() * number(target_dim);
  Layer layer;
  layer.saved = owns_prediction ? width : 0;
  layer.forward_work = 2 * width;
  layer.backward_work = 3 * width;
  layer.inference = 4 * width;
  const bool of_cosines =
      kind == config::LossKind::kCosine || kind == config::LossKind::kContrastive;
  if (of_cosines) layer.saved += width;  // the target divided by its length
  if (kind == config::LossKind::kContrastive) {
    const double scores = kFloat * batch.rows() * batch.rows();
    layer.saved += scores;
    layer.forward_work += 2 * scores;
    layer.backward_work += 3 * scores;
    layer.inference += 3 * scores;
  }
  return layer;
}

Layers ctc_head(std::int64_t encoder_dim, std::int64_t num_units, double dropout,
                const BatchShape& batch, const Arithmetic& arithmetic) {
  const double width = batch.rows() * number(encoder_dim);
  const double logits = batch.rows() * number(num_units);
  auto layer = linear(encoder_dim, num_units);
  // Log-probabilities, and the sums over paths for each frame and place between labels.
  layer.saved = kFloat * (logits + batch.rows() * number(2 * batch.labels + 1));
  if (dropout > 0)  // noise and what it was laid on
    layer.saved += ((arithmetic.cuda ? kByte : kFloat) + arithmetic.narrow) * width;
  layer.forward_work = arithmetic.narrow * logits;
  layer.backward_work = 2 * kFloat * logits;
  layer.inference = kFloat * (width + 2 * logits);
  return {layer};
}

Layers attention_decoder(const config::DecoderConfig& decoder, std::int64_t encoder_dim,
                         std::int64_t num_units, const BatchShape& batch,
                         const Arithmetic& arithmetic) {
  const bool drops = decoder.dropout > 0;
  const auto dim = decoder.dim;
  const double units = number(batch.labels + 1), clips = number(batch.clips);
  const double width = clips * units * number(dim);
  const double memory = batch.rows() * number(dim);
  const double own_scores = clips * number(decoder.heads) * units * units;
  const double scores = clips * number(decoder.heads) * units * number(batch.frames);
  const double inner = clips * units * number(decoder.ffn_dim);
  const double logits = clips * units * number(num_units);
  // Autocast: norms and the residual stream are float32, products bfloat16. Noise on a CPU is as
  // wide as what it is laid on, on a GPU a byte.
  const double narrow = arithmetic.narrow, noise = arithmetic.cuda ? kByte : kFloat;

  Layer embed;
  embed.parameters = num_units * dim;
  embed.saved = drops ? noise * width : 0;
  embed.forward_work = embed.backward_work = 3 * kFloat * width;
  if (encoder_dim != dim) {
    embed.parameters += encoder_dim * dim + dim;
    embed.saved += narrow * memory;
  }

  Layer block;
  const auto attention = 4 * (dim * dim + dim);
  block.parameters =
      2 * attention + 2 * dim * decoder.ffn_dim + decoder.ffn_dim + dim + 3 * 2 * dim;
  // Inputs and outputs of three norms; queries and mixed values of both attentions, keys and values
  // of units and of frames. Softmax keeps its result in float32, the product what masking and
  // dropout made of it.
  block.saved = 3 * kFloat * width + (3 + 6) * narrow * width + 2 * narrow * memory +
                (kFloat + narrow) * (own_scores + scores) + narrow * inner;
  if (drops)
    block.saved += noise * (own_scores + scores) + (narrow + noise) * inner + 3 * noise * width;
  block.forward_work = kFloat * (4 * std::max(own_scores, scores) + 2 * memory + 2 * width);
  block.backward_work = kFloat * (std::max(2 * inner, 3 * scores) + 3 * memory + 3 * width);
  block.inference = block.forward_work + kFloat * (memory + 3 * width);

  Layers layers = {embed};
  layers.insert(layers.end(), static_cast<std::size_t>(decoder.blocks), block);

  Layer tail = linear(dim, num_units);
  tail.parameters += 2 * dim;
  tail.saved = kFloat * width + narrow * width + kFloat * logits;
  tail.forward_work = narrow * logits + kFloat * logits;
  tail.backward_work = 3 * kFloat * logits;
  tail.inference = kFloat * (2 * width + 2 * logits);
  layers.push_back(tail);
  return layers;
}

std::int64_t num_parameters(const Layers& layers) {
  std::int64_t sum = 0;
  for (const auto& layer : layers) sum += layer.parameters;
  return sum;
}

double buffer_bytes(const Layers& layers) {
  double sum = 0;
  for (const auto& layer : layers) sum += layer.buffers;
  return sum;
}

}  // namespace raven::plan

// Shapes of the networks, which are made from these structs. Defaults are the published RAVEn Base
// (docs/method.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "raven/config/fields.h"
#include "raven/config/loss_terms.h"

namespace raven::config {

enum class FfnNorm { kBatch, kLayer };
template <>
struct EnumNames<FfnNorm> {
  static constexpr std::pair<FfnNorm, std::string_view> kNames[] = {{FfnNorm::kBatch, "batch"},
                                                                    {FfnNorm::kLayer, "layer"}};
};

enum class PredictorKind { kTransformer, kMlp, kMlpBatchNorm, kLinear, kNone, kShared };
template <>
struct EnumNames<PredictorKind> {
  static constexpr std::pair<PredictorKind, std::string_view> kNames[] = {
      {PredictorKind::kTransformer, "transformer"},
      {PredictorKind::kMlp, "mlp"},
      {PredictorKind::kMlpBatchNorm, "mlp_batch_norm"},
      {PredictorKind::kLinear, "linear"},
      {PredictorKind::kNone, "none"},
      {PredictorKind::kShared, "shared"}};
};

enum class PredictorInput { kMaskToken, kLinear };
template <>
struct EnumNames<PredictorInput> {
  static constexpr std::pair<PredictorInput, std::string_view> kNames[] = {
      {PredictorInput::kMaskToken, "mask_token"}, {PredictorInput::kLinear, "linear"}};
};

/// Whose settings prepare the input of an encoder that training starts from.
enum class InitInput { kSame, kOwn };
template <>
struct EnumNames<InitInput> {
  static constexpr std::pair<InitInput, std::string_view> kNames[] = {{InitInput::kSame, "same"},
                                                                      {InitInput::kOwn, "own"}};
};

struct FrontendConfig {
  std::vector<std::int64_t> widths = {64, 128, 256, 512};

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("widths", &FrontendConfig::widths, between(1, 4096),
            "channels of the four ResNet stages; the stem has the first, the transformer gets the "
            "last");
  }
};

struct EncoderConfig {
  std::int64_t dim = 512;
  std::int64_t heads = 8;
  std::int64_t ffn_dim = 2048;
  std::int64_t blocks = 12;
  double dropout = 0.1;
  double drop_path = 0.0;
  FfnNorm ffn_norm = FfnNorm::kBatch;
  double layer_scale = 0.1;
  bool mask_token = false;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("dim", &EncoderConfig::dim, between(2, 65536), "width; a multiple of heads, even");
    v.field("heads", &EncoderConfig::heads, between(1, 1024), "attention heads");
    v.field("ffn_dim", &EncoderConfig::ffn_dim, between(1, 262144), "feed-forward width");
    v.field("blocks", &EncoderConfig::blocks, between(1, 256), "transformer blocks");
    v.field("dropout", &EncoderConfig::dropout, below_one(),
            "dropout of sub-layers, attention maps and positions");
    v.field("drop_path", &EncoderConfig::drop_path, below_one(),
            "chance that a residual branch is left out, the same in every block");
    v.field("ffn_norm", &EncoderConfig::ffn_norm,
            "norm before the feed-forward layer: batch (published) or layer");
    v.field("layer_scale", &EncoderConfig::layer_scale, at_least(0),
            "start value of the learned scale of residual branches; 0: no such scale");
    v.field("mask_token", &EncoderConfig::mask_token,
            "put a learned token after the frontend at masked frames (ablation; published: false)");
  }
};

/// Sizes of one modality's encoder, where they are not those of model.encoder.
struct EncoderSizeConfig {
  std::optional<std::int64_t> dim = {}, heads = {}, ffn_dim = {}, blocks = {};

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("dim", &EncoderSizeConfig::dim, between(2, 65536), "width; null: model.encoder.dim");
    v.field("heads", &EncoderSizeConfig::heads, between(1, 1024),
            "attention heads; null: model.encoder.heads");
    v.field("ffn_dim", &EncoderSizeConfig::ffn_dim, between(1, 262144),
            "feed-forward width; null: model.encoder.ffn_dim");
    v.field("blocks", &EncoderSizeConfig::blocks, between(1, 256),
            "transformer blocks; null: model.encoder.blocks");
  }
};

struct PredictorConfig {
  PredictorKind kind = PredictorKind::kTransformer;
  PredictorInput input = PredictorInput::kMaskToken;
  std::int64_t dim = 512;
  std::int64_t heads = 8;
  std::int64_t ffn_dim = 2048;
  std::int64_t blocks = 2;
  double dropout = 0.1;
  FfnNorm ffn_norm = FfnNorm::kBatch;
  // Of some kinds alone; files of encoders say them only where they are given.
  std::optional<double> drop_path = {}, layer_scale = {};
  std::optional<std::int64_t> mlp_layers = {};

  [[nodiscard]] bool is_mlp() const {
    return kind == PredictorKind::kMlp || kind == PredictorKind::kMlpBatchNorm;
  }
  /// Linear layers of an MLP before the last one.
  [[nodiscard]] std::int64_t hidden_layers() const { return mlp_layers.value_or(2) - 1; }

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("kind", &PredictorConfig::kind,
            "transformer; mlp: linear layers with ReLU between them; mlp_batch_norm: with "
            "BatchNorm before each ReLU; linear; none: student features as they are; shared: the "
            "predictor of the same student's first loss (of " +
                losses_text(/*within=*/true) + ") answers for this one too");
    v.field("input", &PredictorConfig::input,
            "mask_token: a learned token replaces masked frames; linear: a plain projection");
    v.field("dim", &PredictorConfig::dim, between(2, 65536), "width; a multiple of heads, even");
    v.field("heads", &PredictorConfig::heads, between(1, 1024), "attention heads");
    v.field("ffn_dim", &PredictorConfig::ffn_dim, between(1, 262144), "feed-forward width");
    v.field("blocks", &PredictorConfig::blocks, between(1, 64), "transformer blocks");
    v.field("dropout", &PredictorConfig::dropout, below_one(), "dropout");
    v.field("ffn_norm", &PredictorConfig::ffn_norm, "norm before the feed-forward layer");
    v.field("drop_path", &PredictorConfig::drop_path, below_one(),
            "transformer: chance that a residual branch is left out; null: 0");
    v.field("layer_scale", &PredictorConfig::layer_scale, above(0),
            "transformer: start value of the learned scale of residual branches; null: no such "
            "scale");
    v.field("mlp_layers", &PredictorConfig::mlp_layers, between(2, 64),
            "mlp kinds: linear layers, the last one included; null: 2");
  }
};

/// A predictor's transformer in the words of an encoder's, whose modules it is made of.
inline EncoderConfig transformer_of(const PredictorConfig& predictor) {
  return {.dim = predictor.dim,
          .heads = predictor.heads,
          .ffn_dim = predictor.ffn_dim,
          .blocks = predictor.blocks,
          .dropout = predictor.dropout,
          .drop_path = predictor.drop_path.value_or(0),
          .ffn_norm = predictor.ffn_norm,
          .layer_scale = predictor.layer_scale.value_or(0),
          .mask_token = predictor.input == PredictorInput::kMaskToken};
}

struct DecoderConfig {
  std::int64_t dim = 256;
  std::int64_t heads = 4;
  std::int64_t ffn_dim = 2048;
  std::int64_t blocks = 6;
  double dropout = 0.1;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("dim", &DecoderConfig::dim, between(2, 65536),
            "width; a multiple of heads, even; another one than the encoder's adds a projection");
    v.field("heads", &DecoderConfig::heads, between(1, 1024), "attention heads");
    v.field("ffn_dim", &DecoderConfig::ffn_dim, between(1, 262144), "feed-forward width");
    v.field("blocks", &DecoderConfig::blocks, between(1, 256), "transformer blocks");
    v.field("dropout", &DecoderConfig::dropout, below_one(),
            "dropout of the decoder, and before the CTC layer");
  }
};

struct LanguageModelConfig {
  std::int64_t embed_dim = 128;
  std::int64_t dim = 512;
  std::int64_t heads = 8;
  std::int64_t ffn_dim = 2048;
  std::int64_t blocks = 16;
  double dropout = 0.0;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("embed_dim", &LanguageModelConfig::embed_dim, between(1, 65536),
            "width of the unit embeddings");
    v.field("dim", &LanguageModelConfig::dim, between(1, 65536), "width; a multiple of heads");
    v.field("heads", &LanguageModelConfig::heads, between(1, 1024), "attention heads");
    v.field("ffn_dim", &LanguageModelConfig::ffn_dim, between(1, 262144), "feed-forward width");
    v.field("blocks", &LanguageModelConfig::blocks, between(1, 256), "transformer blocks");
    v.field("dropout", &LanguageModelConfig::dropout, below_one(), "dropout");
  }
};

struct PredictorsConfig {
  PerLoss<PredictorConfig> of{PredictorConfig{}};

  /// The loss whose predictor answers for `term`: its own, or with kind shared that of the
  /// student's first loss.
  [[nodiscard]] const LossTerm& owner(const LossTerm& term) const {
    return of[term].kind == PredictorKind::kShared ? first_term_of(term.student) : term;
  }

  template <class Visitor>
  static void fields(Visitor& v) {
    for (const auto& term : kLossTerms) {
      v.group(
          term.name, [&term](auto& config) -> auto& { return config.of[term]; },
          modality_name(term.student) + " student -> " + modality_name(term.target) + " teacher");
    }
  }
};

struct ModelConfig {
  EncoderConfig encoder;
  EncoderSizeConfig video_encoder, audio_encoder;
  FrontendConfig video_frontend;
  FrontendConfig audio_frontend;
  PredictorsConfig predictors;
  std::string init_video, init_audio;
  InitInput init_input = InitInput::kSame;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("init_video", &ModelConfig::init_video,
            "where the video student's weights come from, and its teacher's as a copy: a "
            ".safetensors or .pth of an encoder or a recognizer, a run's folder or a checkpoint "
            "folder of pre-training or fine-tuning; empty: random weights");
    v.field("init_audio", &ModelConfig::init_audio, "the same for the audio student");
    v.field("init_input", &ModelConfig::init_input,
            "same: students see and hear what these encoders were trained on: data.video.window, "
            "shrink and crop, and data.waveform, are those that init_video and init_audio tell, "
            "and others are refused; own: those of this configuration");
    v.group("encoder", &ModelConfig::encoder, "transformer of both students and both teachers");
    v.group("video_encoder", &ModelConfig::video_encoder, "sizes of the video encoder alone");
    v.group("audio_encoder", &ModelConfig::audio_encoder, "sizes of the audio encoder alone");
    v.group("video_frontend", &ModelConfig::video_frontend, "3-D stem and ResNet-18 on frames");
    v.group("audio_frontend", &ModelConfig::audio_frontend, "1-D ResNet-18 on the waveform");
    v.group("predictors", &ModelConfig::predictors,
            "student features to teacher features; one exists when its loss weight is not 0");
  }

  /// A modality's encoder: `encoder` with the sizes that are its own.
  [[nodiscard]] EncoderConfig encoder_of(Modality modality) const {
    const auto& own = modality == Modality::kVideo ? video_encoder : audio_encoder;
    auto options = encoder;
    options.dim = own.dim.value_or(encoder.dim);
    options.heads = own.heads.value_or(encoder.heads);
    options.ffn_dim = own.ffn_dim.value_or(encoder.ffn_dim);
    options.blocks = own.blocks.value_or(encoder.blocks);
    return options;
  }
  [[nodiscard]] const std::string& init_of(Modality modality) const {
    return modality == Modality::kVideo ? init_video : init_audio;
  }
  [[nodiscard]] const FrontendConfig& frontend_of(Modality modality) const {
    return modality == Modality::kVideo ? video_frontend : audio_frontend;
  }
};

}  // namespace raven::config

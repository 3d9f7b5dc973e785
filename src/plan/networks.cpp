#include "raven/plan/networks.h"

#include "raven/media/media.h"

namespace raven::plan {
namespace {

using config::FinetuneConfig;
using config::FrozenPart;
using config::Modality;
using config::PretrainConfig;

constexpr double kFloat = 4;  // bytes

void append(Layers& to, const Layers& layers) { to.insert(to.end(), layers.begin(), layers.end()); }

Layers joined(const Layers& first, const Layers& second) {
  auto all = first;
  append(all, second);
  return all;
}

/// Autocast makes bfloat16 copies of weights, which autograd holds until the backward pass.
void add_weight_copies(const Arithmetic& arithmetic, Pass& pass) {
  if (arithmetic.narrow >= kFloat) return;
  for (auto& layer : pass.layers)
    layer.saved += arithmetic.narrow * static_cast<double>(layer.parameters);
}

struct EncoderLayers {
  Layers frontend, trunk;
};

void add_module(const std::string& name, const Layers& layers, bool trained, bool is_teacher,
                Networks& networks) {
  networks.modules.push_back({.name = name,
                              .parameters = num_parameters(layers),
                              .buffers = buffer_bytes(layers),
                              .trained = trained,
                              .is_teacher = is_teacher});
}

void add_encoder(const std::string& name, const EncoderLayers& encoder, bool is_teacher,
                 Networks& networks) {
  add_module(name + ".frontend", encoder.frontend, !is_teacher, is_teacher, networks);
  add_module(name + " transformer", encoder.trunk, !is_teacher, is_teacher, networks);
}

/// Bytes of a batch's pixels as bytes and as float32, and of its samples.
struct Inputs {
  Inputs(const config::DataConfig& data, const BatchShape& batch)
      : pixels(batch.rows() * static_cast<double>(data.video.crop * data.video.crop)),
        samples(batch.rows() * static_cast<double>(media::kSamplesPerFrame) * kFloat) {}

  double pixels, samples;
};

}  // namespace

std::int64_t Networks::parameters() const {
  std::int64_t sum = 0;
  for (const auto& module : modules) sum += module.parameters;
  return sum;
}

std::int64_t Networks::trained_parameters() const {
  std::int64_t sum = 0;
  for (const auto& module : modules) sum += module.trained ? module.parameters : 0;
  return sum;
}

Networks networks_of(const PretrainConfig& config, std::int64_t num_units, const BatchShape& batch,
                     const Arithmetic& arithmetic) {
  const auto& model = config.model;
  const auto& loss = config.loss;
  const auto dim = [&](Modality modality) { return model.encoder_of(modality).dim; };
  const auto trunk = [&](Modality modality) {
    return encoder_trunk(model.encoder_of(modality), model.frontend_of(modality).widths.back(),
                         batch, arithmetic);
  };
  const EncoderLayers video{
      .frontend = video_frontend(model.video_frontend, config.data.video.crop, batch, arithmetic),
      .trunk = trunk(Modality::kVideo)};
  const EncoderLayers audio{.frontend = audio_frontend(model.audio_frontend, batch, arithmetic),
                            .trunk = trunk(Modality::kAudio)};
  const Inputs inputs(config.data, batch);
  const auto views = static_cast<double>(config.teacher.num_views());

  Networks networks;
  networks.persistent = views * kFloat * inputs.pixels;
  if (arithmetic.cuda)  // the batch's copy
    networks.persistent += views * inputs.pixels + inputs.samples;
  const auto add_student = [&](Modality student, const EncoderLayers& encoder, double masked_copy) {
    if (!loss.has_student(student)) return;
    const auto modality = config::modality_name(student);
    Pass pass{.name = modality + " student",
              .layers = joined(encoder.frontend, encoder.trunk),
              .forward_only = masked_copy};
    add_encoder("student_" + modality, encoder, /*is_teacher=*/false, networks);
    append(networks.evaluation, pass.layers);
    for (const auto& term : config::kLossTerms) {
      if (term.student != student || loss.weight[term] <= 0) continue;
      const auto kind = model.predictors.of[term].kind;
      const auto layers =
          predictor(model.predictors.of[term], dim(student), dim(term.target), batch, arithmetic);
      if (kind != config::PredictorKind::kShared)
        add_module("predictor_" + std::string(term.name), layers, true, false, networks);
      append(pass.layers, layers);
      pass.layers.push_back(
          feature_loss(loss.kind, dim(term.target), /*owns_prediction=*/!layers.empty(), batch));
    }
    if (const auto& probe = config.monitor.recognition; probe.enabled) {
      const auto layers =
          joined(ctc_head(dim(student), num_units, probe.decoder.dropout, batch, arithmetic),
                 attention_decoder(probe.decoder, dim(student), num_units, batch, arithmetic));
      add_module("probe_" + modality, layers, true, false, networks);
      append(pass.layers, layers);
    }
    add_weight_copies(arithmetic, pass);
    networks.passes.push_back(std::move(pass));
  };
  add_student(Modality::kVideo, video, kFloat * inputs.pixels);
  add_student(Modality::kAudio, audio, inputs.samples);
  const auto add_teacher = [&](Modality modality, const EncoderLayers& encoder) {
    if (!loss.has_teacher(modality)) return;
    add_encoder("teacher_" + config::modality_name(modality), encoder, /*is_teacher=*/true,
                networks);
    append(networks.no_grad, joined(encoder.frontend, encoder.trunk));
    networks.persistent += batch.rows() * static_cast<double>(dim(modality)) * kFloat;
  };
  add_teacher(Modality::kVideo, video);
  add_teacher(Modality::kAudio, audio);
  networks.no_grad_name = "teachers";
  networks.no_grad_sees_batches = config.teacher.batch_norm == config::BatchNormMode::kTrain;
  return networks;
}

Networks networks_of(const FinetuneConfig& config, std::int64_t num_units, const BatchShape& batch,
                     const Arithmetic& arithmetic) {
  const bool is_video = config.model.modality == Modality::kVideo;
  const auto frozen = config.model.frozen;
  const EncoderLayers encoder{
      .frontend = is_video ? video_frontend(config.model.video_frontend, config.data.video.crop,
                                            batch, arithmetic)
                           : audio_frontend(config.model.audio_frontend, batch, arithmetic),
      .trunk =
          encoder_trunk(config.model.encoder, config.frontend().widths.back(), batch, arithmetic)};
  const auto ctc = ctc_head(config.model.encoder.dim, num_units, config.model.decoder.dropout,
                            batch, arithmetic);
  const auto decoder = attention_decoder(config.model.decoder, config.model.encoder.dim, num_units,
                                         batch, arithmetic);
  const bool trains_ctc = config.loss.ctc_weight > 0, trains_decoder = config.loss.ctc_weight < 1;

  Networks networks;
  add_module("encoder.frontend", encoder.frontend, frozen == FrozenPart::kNone, false, networks);
  add_module("encoder transformer", encoder.trunk, frozen != FrozenPart::kEncoder, false, networks);
  add_module("ctc", ctc, trains_ctc, false, networks);
  add_module("decoder", decoder, trains_decoder, false, networks);
  Pass pass{.name = is_video ? "video recognizer" : "audio recognizer", .layers = {}};
  append(frozen == FrozenPart::kNone ? pass.layers : networks.no_grad, encoder.frontend);
  append(frozen == FrozenPart::kEncoder ? networks.no_grad : pass.layers, encoder.trunk);
  if (frozen != FrozenPart::kNone) networks.no_grad_name = "frozen part";
  networks.no_grad_before_training = config.model.cached_views > 0;
  if (trains_ctc) append(pass.layers, ctc);
  if (trains_decoder) append(pass.layers, decoder);
  add_weight_copies(arithmetic, pass);
  networks.passes.push_back(std::move(pass));
  networks.evaluation = joined(encoder.frontend, encoder.trunk);
  if (trains_ctc) append(networks.evaluation, ctc);
  if (trains_decoder) append(networks.evaluation, decoder);
  const Inputs inputs(config.data, batch);
  if (is_video) networks.persistent = (arithmetic.cuda ? kFloat + 1 : kFloat) * inputs.pixels;
  if (!is_video && arithmetic.cuda) networks.persistent = inputs.samples;
  const double of_width = batch.rows() * kFloat;
  if (frozen == FrozenPart::kFrontend)
    networks.persistent += of_width * static_cast<double>(config.frontend().widths.back());
  if (frozen == FrozenPart::kEncoder)
    networks.persistent += of_width * static_cast<double>(config.model.encoder.dim);
  return networks;
}

}  // namespace raven::plan

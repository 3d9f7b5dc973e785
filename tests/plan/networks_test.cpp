#include "raven/plan/networks.h"

#include <gtest/gtest.h>

#include <map>

#include "raven/models/raven.h"
#include "raven/models/recognizer.h"

namespace raven::plan {
namespace {

using config::FinetuneConfig;
using config::PretrainConfig;

constexpr std::int64_t kUnits = 15;

std::map<std::string, std::int64_t> by_name(const Networks& networks) {
  std::map<std::string, std::int64_t> counts;
  for (const auto& module : networks.modules) counts[module.name] = module.parameters;
  return counts;
}

/// Parameters and bytes of buffers of a real network, under the rows' names: an encoder in two.
struct Real {
  std::map<std::string, std::int64_t> parameters;
  std::map<std::string, double> buffers;
};

Real real_modules(const torch::nn::Module& network) {
  Real real;
  const auto row = [](const std::string& name) {
    const auto dot = name.find('.');
    const auto child = name.substr(0, dot);
    const bool is_encoder =
        child == "encoder" || child.rfind("student_", 0) == 0 || child.rfind("teacher_", 0) == 0;
    if (!is_encoder) return child;
    return name.compare(dot + 1, 9, "frontend.") == 0 ? child + ".frontend"
                                                      : child + " transformer";
  };
  for (const auto& item : network.named_parameters())
    real.parameters[row(item.key())] += item.value().numel();
  for (const auto& item : network.named_buffers())
    real.buffers[row(item.key())] += static_cast<double>(item.value().nbytes());
  return real;
}

void expect_as_real(const Networks& networks, const torch::nn::Module& network) {
  const auto real = real_modules(network);
  EXPECT_EQ(by_name(networks), real.parameters);
  for (const auto& module : networks.modules) {
    const auto found = real.buffers.find(module.name);
    EXPECT_EQ(module.buffers, found == real.buffers.end() ? 0 : found->second) << module.name;
  }
}

PretrainConfig small_pretraining() {
  PretrainConfig config;
  config.data.video.crop = 20;
  config.model.encoder = {.dim = 12, .heads = 2, .ffn_dim = 20, .blocks = 2};
  config.model.video_frontend.widths = {4, 6, 6, 10};
  config.model.audio_frontend.widths = {4, 4, 6, 8};
  for (auto& predictor : config.model.predictors.of) {
    predictor = {.dim = 8, .heads = 2, .ffn_dim = 14, .blocks = 1};
  }
  return config;
}

TEST(Networks, OfBaseHaveThePublishedSizes) {
  const auto counts = by_name(networks_of(PretrainConfig{}, 0, {}, {}));
  EXPECT_EQ(counts.at("student_video.frontend"), 11'182'784);
  EXPECT_EQ(counts.at("student_audio.frontend"), 3'848'576);
  EXPECT_EQ(counts.at("student_video transformer"), 262'656 + 40'998'912 + 1'024);
  EXPECT_EQ(counts.at("student_video.frontend") + counts.at("student_video transformer"),
            52'445'376);
  EXPECT_EQ(counts.at("teacher_audio.frontend") + counts.at("teacher_audio transformer"),
            45'111'168);
  EXPECT_EQ(counts.at("predictor_v2a"), 7'357'952);
  EXPECT_EQ(counts.count("predictor_v2v"), 0U);
}

TEST(Networks, OfPublishedRecognizersHaveTheirSizes) {
  struct Size {
    std::int64_t dim, heads, ffn, blocks, decoder_dim, decoder_blocks, video, audio;
  };
  for (const auto& size : {Size{512, 8, 2048, 12, 512, 6, 79'283'954, 71'949'746},
                           Size{512, 8, 2048, 12, 256, 6, 63'126'002, 55'791'794},
                           Size{768, 12, 3072, 12, 768, 6, 162'878'706, 155'544'498},
                           Size{1024, 16, 4096, 24, 1024, 9, 493'680'370, 486'346'162},
                           Size{1024, 16, 4096, 24, 256, 6, 350'632'434, 343'298'226}}) {
    FinetuneConfig config;
    config.model.encoder = {
        .dim = size.dim, .heads = size.heads, .ffn_dim = size.ffn, .blocks = size.blocks};
    config.model.decoder = {.dim = size.decoder_dim,
                            .heads = size.decoder_dim / 64,
                            .ffn_dim = size.decoder_dim == 256 ? 2048 : size.ffn,
                            .blocks = size.decoder_blocks};
    EXPECT_EQ(networks_of(config, 1049, {}, {}).parameters(), size.video);
    config.model.modality = config::Modality::kAudio;
    EXPECT_EQ(networks_of(config, 1049, {}, {}).parameters(), size.audio);
  }
}

TEST(Networks, AreCountedAsTheyAreBuiltWithEveryOption) {
  const auto check = [](const PretrainConfig& config) {
    models::Raven model(config.model, config.loss, config.teacher);
    const auto& probe = config.monitor.recognition;
    if (probe.enabled) model->add_recognition_probes(probe.decoder, kUnits);
    expect_as_real(networks_of(config, kUnits, {}, {}), *model);
  };
  check(small_pretraining());
  auto config = small_pretraining();
  config.loss.weight = config::PerLoss<double>(1);
  config.loss.weight["a2a"] = 0;
  config.model.encoder.ffn_norm = config::FfnNorm::kLayer;
  config.model.encoder.layer_scale = 0;
  config.model.encoder.mask_token = true;
  config.monitor.recognition.enabled = true;
  config.monitor.recognition.decoder = {.dim = 8, .heads = 2, .ffn_dim = 14, .blocks = 2};
  config.model.predictors.of["v2v"].kind = config::PredictorKind::kMlp;
  config.model.predictors.of["v2a"].kind = config::PredictorKind::kLinear;
  config.model.predictors.of["a2v"].input = config::PredictorInput::kLinear;
  config.model.predictors.of["a2v"].ffn_norm = config::FfnNorm::kLayer;
  check(config);
  config.loss.weight["a2a"] = 1;
  config.model.video_encoder = {.dim = 16, .heads = 4, .ffn_dim = 10, .blocks = 3};
  config.model.audio_encoder = {.dim = {}, .heads = {}, .ffn_dim = {}, .blocks = 1};
  config.model.predictors.of["v2v"].kind = config::PredictorKind::kMlpBatchNorm;
  config.model.predictors.of["v2v"].mlp_layers = 4;
  config.model.predictors.of["a2a"].layer_scale = 0.1;
  check(config);
  config.model.audio_encoder.dim = 16;
  config.model.predictors.of["a2v"] = {.kind = config::PredictorKind::kShared};
  check(config);
}

TEST(Networks, OfFineTuningAreCountedAsTheyAreBuilt) {
  FinetuneConfig config;
  config.data.video.crop = 20;
  config.model.encoder = {.dim = 12, .heads = 2, .ffn_dim = 20, .blocks = 2};
  config.model.video_frontend.widths = {4, 6, 6, 10};
  for (const std::int64_t dim : {12, 8}) {
    config.model.decoder = {.dim = dim, .heads = 2, .ffn_dim = 14, .blocks = 2};
    models::Recognizer model(models::RecognizerOptions{.modality = models::Modality::kVideo,
                                                       .encoder = config.model.encoder,
                                                       .frontend = config.model.video_frontend,
                                                       .decoder = config.model.decoder,
                                                       .units = kUnits});
    expect_as_real(networks_of(config, kUnits, {}, {}), *model);
  }
}

TEST(Networks, OfFineTuningTrainWhatIsNotFrozen) {
  FinetuneConfig config;
  config.model.frozen = config::FrozenPart::kEncoder;
  config.loss.ctc_weight = 1;  // no decoder is trained
  const auto networks = networks_of(config, 1049, {}, {});
  EXPECT_EQ(networks.trained_parameters(), 538'137);
  EXPECT_EQ(num_parameters(networks.no_grad), 52'445'376);
}

}  // namespace
}  // namespace raven::plan

#include "raven/models/encoder.h"

#include <gtest/gtest.h>

#include <cmath>

#include "models/small_models.h"
#include "raven/core/error.h"
#include "raven/nn/state_dict.h"
#include "support/tolerance.h"

namespace raven::models {
namespace {

Encoder small_encoder(Modality modality) {
  const auto model = small_model();
  Encoder encoder(modality, model.encoder, model.video_frontend);
  encoder->eval();
  return encoder;
}

TEST(Encoder, HasTheSizeOfThePublishedOnes) {
  const auto count = [](Modality modality) {
    std::int64_t sum = 0;
    for (const auto& parameter :
         Encoder(modality, config::EncoderConfig{}, config::FrontendConfig{})->parameters()) {
      sum += parameter.numel();
    }
    return sum;
  };
  EXPECT_EQ(count(Modality::kVideo), 52'445'376);
  EXPECT_EQ(count(Modality::kAudio), 45'111'168);
}

TEST(Encoder, NamesItsPartsAsThePublishedFiles) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : nn::state_dict(*small_encoder(Modality::kVideo))) {
    names.push_back(name);
  }
  EXPECT_EQ(names.front(), "frontend.trunk.layer1.0.conv1.weight");
  const auto position = [&](const std::string& name) {
    const auto found = std::find(names.begin(), names.end(), name);
    EXPECT_NE(found, names.end()) << name;
    return found - names.begin();
  };
  const std::vector<std::string> in_order = {"frontend.trunk.layer2.0.bn2.num_batches_tracked",
                                             "frontend.trunk.layer2.0.downsample.0.weight",
                                             "frontend.trunk.layer2.0.downsample.1.running_var",
                                             "frontend.trunk.layer4.1.bn2.weight",
                                             "frontend.frontend3D.0.weight",
                                             "frontend.frontend3D.1.running_mean",
                                             "embed.0.weight",
                                             "embed.0.bias",
                                             "encoders.0.gamma_ff",
                                             "encoders.1.norm_mha.bias",
                                             "after_norm.weight",
                                             "after_norm.bias"};
  for (std::size_t i = 1; i < in_order.size(); ++i) {
    EXPECT_LT(position(in_order[i - 1]), position(in_order[i])) << in_order[i];
  }
  EXPECT_EQ(nn::state_dict(*small_encoder(Modality::kAudio)).front().first,
            "frontend.trunk.conv1.weight");
}

TEST(Encoder, GivesAVideoTheSameFeaturesHoweverItsBatchIsPadded) {
  torch::manual_seed(1);
  torch::NoGradGuard no_grad;
  auto encoder = small_encoder(Modality::kVideo);
  const auto clip = torch::randn({1, 5, 32, 32});
  const auto padded = torch::constant_pad_nd(clip, {0, 0, 0, 0, 0, 3});
  const auto valid = torch::arange(8).unsqueeze(0) < 5;
  EXPECT_LE(tolerance::distance(encoder(padded, valid).slice(1, 0, 5), encoder(clip)), 1e-5);
}

TEST(Encoder, GivesEachUtteranceTheSameWhateverTheOrder) {
  torch::manual_seed(2);
  torch::NoGradGuard no_grad;
  auto encoder = small_encoder(Modality::kAudio);
  const auto input = small_input();
  const auto order = torch::tensor({1, 0});
  EXPECT_LE(tolerance::distance(
                encoder(input.audio.index_select(0, order), input.valid.index_select(0, order)),
                encoder(input.audio, input.valid).index_select(0, order)),
            1e-5);
}

TEST(Encoder, KeepsEveryBlocksOutput) {
  torch::manual_seed(3);
  torch::NoGradGuard no_grad;
  auto encoder = small_encoder(Modality::kVideo);
  const auto input = small_input();
  const auto all = encoder->all_blocks(input.video, input.valid);
  ASSERT_EQ(all.blocks.size(), 2U);
  EXPECT_TRUE(torch::equal(all.last, encoder(input.video, input.valid)));
  EXPECT_LE(tolerance::distance(encoder->mean_of_blocks(input.video, input.valid),
                                (all.blocks[0] + all.blocks[1]) / 2),
            1e-6);
}

TEST(Encoder, AveragesTheLastBlocksAndWhatIsMadeOfEach) {
  torch::manual_seed(3);
  torch::NoGradGuard no_grad;
  auto options = small_model().encoder;
  options.blocks = 3;
  Encoder encoder(Modality::kVideo, options, small_model().video_frontend);
  encoder->eval();
  const auto input = small_input();
  const auto blocks = encoder->all_blocks(input.video, input.valid).blocks;
  const auto mean = [&](const BlockMean& mean_options) {
    return encoder->mean_of_blocks(input.video, input.valid, {}, mean_options);
  };
  EXPECT_TRUE(torch::equal(mean({.blocks = 1}), blocks[2]));
  EXPECT_LE(tolerance::distance(mean({.blocks = 2}), (blocks[1] + blocks[2]) / 2), 1e-6);
  const auto square = [](const torch::Tensor& h) { return h.square(); };
  EXPECT_LE(tolerance::distance(mean({.blocks = 2, .of_each = square}),
                                (blocks[1].square() + blocks[2].square()) / 2),
            1e-5);
  EXPECT_THROW(mean({.blocks = 4}), InternalError);
  EXPECT_TRUE(torch::equal(mean({.blocks = 1, .last = 2}), blocks[1]));
  EXPECT_LE(tolerance::distance(mean({.last = 2}), (blocks[0] + blocks[1]) / 2), 1e-6);
  EXPECT_THROW(mean({.blocks = 3, .last = 2}), InternalError);
  EXPECT_THROW(mean({.last = 4}), InternalError);
}

TEST(Encoder, KeepsWhatItsFirstBlockTakes) {
  torch::manual_seed(5);
  torch::NoGradGuard no_grad;
  auto encoder = small_encoder(Modality::kAudio);
  const auto input = small_input();
  const auto features = encoder->frontend(input.audio);
  const auto all = encoder->all_from_features(features, input.valid);
  EXPECT_TRUE(torch::equal(all.last, encoder(input.audio, input.valid)));
  const auto parameters = encoder->named_parameters();
  const auto projected =
      features.matmul(parameters["embed.0.weight"].t()) + parameters["embed.0.bias"];
  EXPECT_LE(tolerance::distance(all.embedded, projected * std::sqrt(8.0)), 1e-5);
}

TEST(Encoder, PutsItsOwnTokenOnlyWhenAskedTo) {
  torch::manual_seed(4);
  torch::NoGradGuard no_grad;
  const auto input = small_input();
  auto plain = small_encoder(Modality::kVideo);
  EXPECT_TRUE(torch::equal(plain(input.video, input.valid, input.masked_video),
                           plain(input.video, input.valid)));
  auto options = small_model().encoder;
  options.mask_token = true;
  Encoder with_token(Modality::kVideo, options, small_model().video_frontend);
  with_token->eval();
  EXPECT_GT(tolerance::distance(with_token(input.video, input.valid, input.masked_video),
                                with_token(input.video, input.valid)),
            1e-3);
}

TEST(Encoder, RefusesAMaskOfAnotherLength) {
  EXPECT_THROW(small_encoder(Modality::kVideo)(torch::randn({1, 5, 32, 32}),
                                               torch::ones({1, 6}, torch::kBool)),
               InternalError);
}

}  // namespace
}  // namespace raven::models

#include "raven/nn/transformer.h"

#include <gtest/gtest.h>

#include "support/autocast.h"
#include "support/tolerance.h"

namespace raven::nn {
namespace {

TEST(DropPath, LeavesOutWholeUtterancesAndKeepsTheMean) {
  torch::manual_seed(1);
  DropPath drop(0.25);
  const auto y = drop(torch::ones({4000, 2, 3}));
  const auto first = y.select(1, 0).select(1, 0);
  EXPECT_TRUE(torch::equal(y, first.view({-1, 1, 1}).expand_as(y)));
  EXPECT_NEAR((first == 0).to(torch::kFloat32).mean().item<double>(), 0.25, 0.04);
  EXPECT_TRUE(((first == 0) | ((first - 4.0 / 3).abs() < 1e-6)).all().item<bool>());
  drop->eval();
  EXPECT_TRUE(torch::equal(drop(torch::ones({9, 1, 1})), torch::ones({9, 1, 1})));
}

TEST(InputEmbedding, PutsTheTokenWhereFramesAreMasked) {
  torch::manual_seed(2);
  torch::NoGradGuard no_grad;
  InputEmbedding embed(config::EncoderConfig{.dim = 4, .dropout = 0, .mask_token = true}, 3);
  const auto masked = torch::tensor({0, 1}, torch::kBool).unsqueeze(0);
  const auto x = embed(torch::randn({1, 2, 3}), masked).x;
  EXPECT_LE(tolerance::distance(x[0][1], embed->named_parameters()["mask_emb"] * 2), 1e-7);
  EXPECT_GT(tolerance::distance(x[0][0], embed->named_parameters()["mask_emb"] * 2), 1e-3);
}

TEST(EncoderBlock, StartsAsThePublishedOne) {
  torch::manual_seed(3);
  EncoderBlock block(config::EncoderConfig{.dim = 64, .heads = 2, .ffn_dim = 128});
  const auto p = block->named_parameters();
  EXPECT_TRUE(torch::equal(p["gamma_ff"], torch::full({64}, 0.1)));
  const auto expect_uniform = [&](const std::string& name, double bound) {
    const double largest = p[name].abs().max().item<double>();
    EXPECT_LE(largest, bound) << name;
    EXPECT_GE(largest, 0.8 * bound) << name;
  };
  expect_uniform("self_attn.linear_q.weight", 1 / std::sqrt(64.0));
  expect_uniform("self_attn.linear_q.bias", 1 / std::sqrt(64.0));
  expect_uniform("feed_forward.w_2.weight", 1 / std::sqrt(128.0));
  expect_uniform("self_attn.pos_bias_u", std::sqrt(6.0 / (2 + 32)));
}

TEST(EncoderBlock, HasTheOptionalParametersThatWereAskedFor) {
  EncoderBlock plain(config::EncoderConfig{
      .dim = 8, .heads = 2, .ffn_dim = 8, .ffn_norm = config::FfnNorm::kLayer, .layer_scale = 0});
  EXPECT_EQ(plain->named_parameters().find("gamma_ff"), nullptr);
  EXPECT_EQ(plain->named_buffers().size(), 0U);
  EncoderBlock scaled(config::EncoderConfig{.dim = 8, .heads = 2, .ffn_dim = 8});
  EXPECT_NE(scaled->named_buffers().find("norm_ff.running_mean"), nullptr);
}

TEST(EncoderBlock, RunsInReducedPrecision) {
  EncoderBlock block(config::EncoderConfig{.dim = 16, .heads = 2, .ffn_dim = 32});
  const auto x = torch::randn({2, 5, 16}), positions = relative_positions(5, 16, torch::kCPU);
  torch::Tensor y;
  {
    const Bf16Scope bf16;
    y = block(x, positions, torch::ones({2, 5}, torch::kBool));
  }
  y.to(torch::kFloat32).sum().backward();
  for (const auto& parameter : block->parameters()) EXPECT_TRUE(parameter.grad().defined());
}

}  // namespace
}  // namespace raven::nn

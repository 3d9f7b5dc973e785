#include <gtest/gtest.h>

#include "raven/core/error.h"
#include "raven/nn/audio_frontend.h"
#include "raven/nn/lengths.h"
#include "raven/nn/video_frontend.h"
#include "support/tolerance.h"

namespace raven::nn {
namespace {

config::FrontendConfig narrow() {
  config::FrontendConfig options;
  options.widths = {4, 6, 8, 10};
  return options;
}

TEST(ValidFrames, AreThoseBelowTheLength) {
  const auto valid = valid_frames(torch::tensor({3, 1}), 3);
  EXPECT_TRUE(torch::equal(valid, torch::tensor({1, 1, 1, 1, 0, 0}, torch::kBool).view({2, 3})));
}

TEST(VideoFrontend, TakesAnyWidthsAndCrops) {
  torch::NoGradGuard no_grad;
  VideoFrontend frontend(narrow());
  EXPECT_EQ(frontend(torch::randn({2, 3, 88, 88})).sizes(), (torch::IntArrayRef{2, 3, 10}));
  EXPECT_EQ(frontend(torch::randn({1, 1, 37, 45})).sizes(), (torch::IntArrayRef{1, 1, 10}));
}

TEST(VideoFrontend, GivesAFrameTheSameFeaturesHoweverItsClipIsPadded) {
  torch::manual_seed(1);
  torch::NoGradGuard no_grad;
  VideoFrontend frontend(narrow());
  frontend->eval();
  const auto clip = torch::randn({1, 4, 44, 44});
  const auto padded = torch::constant_pad_nd(clip, {0, 0, 0, 0, 0, 5});
  EXPECT_LE(tolerance::distance(frontend(padded).slice(1, 0, 4), frontend(clip)), 1e-6);
}

TEST(VideoFrontend, SeesTwoFramesToEachSide) {
  torch::manual_seed(2);
  torch::NoGradGuard no_grad;
  VideoFrontend frontend(narrow());
  frontend->eval();
  auto clip = torch::randn({1, 9, 44, 44});
  const auto before = frontend(clip);
  clip[0][4] += 1;
  const auto changed = (frontend(clip) - before).abs().sum(-1)[0] > 0;
  EXPECT_TRUE(torch::equal(changed, torch::tensor({0, 0, 1, 1, 1, 1, 1, 0, 0}, torch::kBool)));
}

TEST(VideoFrontend, IsAThreeDimensionalConvolutionAtItsStem) {
  torch::manual_seed(3);
  torch::NoGradGuard no_grad;
  VideoFrontend frontend(narrow());
  frontend->eval();
  const auto clip = torch::randn({2, 5, 32, 32});
  const auto state = frontend->named_parameters();
  // The whole frontend once more, by the operators' definitions.
  auto x = torch::conv3d(clip.unsqueeze(1), state["frontend3D.0.weight"], {}, {1, 2, 2}, {2, 3, 3});
  x = torch::silu(x / std::sqrt(1 + 1e-5));  // fresh statistics: mean 0, variance 1
  x = torch::max_pool3d(x, {1, 3, 3}, {1, 2, 2}, {0, 1, 1}).transpose(1, 2).flatten(0, 1);
  for (int layer = 1; layer <= 4; ++layer) {
    for (int block = 0; block < 2; ++block) {
      const auto name = fmt::format("trunk.layer{}.{}.", layer, block);
      const int stride = layer > 1 && block == 0 ? 2 : 1;
      const auto norm = [](const torch::Tensor& value) { return value / std::sqrt(1 + 1e-5); };
      auto y = torch::silu(norm(torch::conv2d(x, state[name + "conv1.weight"], {}, stride, 1)));
      y = norm(torch::conv2d(y, state[name + "conv2.weight"], {}, 1, 1));
      const auto* shortcut = state.find(name + "downsample.0.weight");
      x = torch::silu(y + (shortcut ? norm(torch::conv2d(x, *shortcut, {}, stride)) : x));
    }
  }
  const auto expected = x.mean({2, 3}).view({2, 5, 10});
  EXPECT_LE(tolerance::relative_distance(frontend(clip), expected), 1e-5);
}

TEST(AudioFrontend, GivesOneVectorPerFrameAndDropsTheRest) {
  torch::manual_seed(4);
  torch::NoGradGuard no_grad;
  AudioFrontend frontend(narrow());
  frontend->eval();
  const auto samples = torch::randn({2, 3 * 640 + 639, 1});
  const auto features = frontend(samples);
  EXPECT_EQ(features.sizes(), (torch::IntArrayRef{2, 3, 10}));
  EXPECT_TRUE(torch::equal(features, frontend(samples.slice(1, 0, 3 * 640))));
}

TEST(AudioFrontend, RefusesLessThanOneFrame) {
  AudioFrontend frontend(narrow());
  EXPECT_THROW(frontend(torch::randn({1, 639, 1})), InternalError);
}

TEST(Frontends, RefuseAnotherNumberOfWidths) {
  config::FrontendConfig options;
  options.widths = {4, 8};
  EXPECT_THROW(VideoFrontend{options}, InternalError);
  EXPECT_THROW(AudioFrontend{options}, InternalError);
}

TEST(Frontends, GiveEachUtteranceTheSameWhateverTheOrder) {
  torch::manual_seed(5);
  torch::NoGradGuard no_grad;
  AudioFrontend frontend(narrow());
  frontend->eval();
  const auto samples = torch::randn({3, 2 * 640, 1});
  const auto order = torch::tensor({2, 0, 1});
  EXPECT_LE(tolerance::distance(frontend(samples.index_select(0, order)),
                                frontend(samples).index_select(0, order)),
            1e-6);
}

// oneDNN's kernel for this weight gradient writes beyond its memory for 8 channels; ours must not
// use it.
TEST(Convolution, GivesSinglePixelGradientsOfEightChannels) {
  torch::manual_seed(0);
  for (const auto dimensions : {Dimensions::kOne, Dimensions::kTwo}) {
    const std::int64_t rows = dimensions == Dimensions::kTwo ? 2 : 1;
    Convolution convolution(ConvolutionImpl::Options{
        .dimensions = dimensions, .in_channels = 8, .out_channels = 16, .kernel = 1, .stride = 2});
    const auto x =
        torch::randn({3, 8, 2 * rows - 1, 7}).contiguous(torch::MemoryFormat::ChannelsLast);
    const auto y = convolution(x);
    ASSERT_EQ(y.sizes(), torch::IntArrayRef({3, 16, rows, 4}));
    const auto grad = torch::randn_like(y);
    y.backward(grad);
    auto expected = torch::zeros({16, 8});
    for (std::int64_t row = 0; row < rows; ++row) {
      for (std::int64_t column = 0; column < 4; ++column) {
        expected += grad.select(2, row).select(2, column).t().mm(
            x.select(2, 2 * row).select(2, 2 * column));
      }
    }
    EXPECT_TRUE(torch::allclose(convolution->weight.grad().flatten(1), expected, 1e-4, 1e-4));
  }
}

// Where matrix products compute the weight gradient: one dimension, and many channels in two.
TEST(Convolution, HasTheGradientsOfTheLibraryInDoublePrecision) {
  torch::manual_seed(0);
  for (const auto dimensions : {Dimensions::kOne, Dimensions::kTwo}) {
    const bool images = dimensions == Dimensions::kTwo;
    for (const std::int64_t stride : {1, 2}) {
      for (const std::int64_t width : {1, 2, 5, 300}) {
        SCOPED_TRACE(
            fmt::format("{} dimensions, stride {}, {} wide", images ? 2 : 1, stride, width));
        const std::int64_t channels = images ? 128 : 3, height = images ? 3 : 1;
        Convolution convolution(ConvolutionImpl::Options{.dimensions = dimensions,
                                                         .in_channels = channels,
                                                         .out_channels = 6,
                                                         .stride = stride});
        const auto x = torch::randn({5, channels, height, width})
                           .contiguous(torch::MemoryFormat::ChannelsLast)
                           .requires_grad_();
        const auto y = convolution(x);
        const auto of_y = torch::randn_like(y);
        y.backward(of_y);

        const auto exact_x = x.detach().to(torch::kFloat64).requires_grad_();
        const auto exact_weight = convolution->weight.detach().to(torch::kFloat64).requires_grad_();
        const auto exact_y =
            images ? torch::conv2d(exact_x, exact_weight, {}, stride, 1)
                   : torch::conv1d(exact_x.squeeze(2), exact_weight, {}, stride, 1).unsqueeze(2);
        exact_y.backward(of_y.to(torch::kFloat64));
        EXPECT_LE(tolerance::relative_distance(y, exact_y), tolerance::relative(torch::kFloat32));
        EXPECT_LE(tolerance::relative_distance(x.grad(), exact_x.grad()),
                  tolerance::relative(torch::kFloat32));
        EXPECT_LE(tolerance::relative_distance(convolution->weight.grad(), exact_weight.grad()),
                  tolerance::relative(torch::kFloat32));
      }
    }
  }
}

}  // namespace
}  // namespace raven::nn

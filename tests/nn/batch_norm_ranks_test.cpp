// A batch spread over ranks is normalised as the whole batch in one.
#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "raven/nn/batch_norm.h"
#include "raven/nn/transformer.h"
#include "support/ranks_in_threads.h"
#include "support/tolerance.h"

namespace raven::nn {
namespace {

constexpr std::int64_t kChannels = 20;

/// What is done with a batch.
enum class Use { kFrames, kConvolution, kBranch, kStem };

struct Case {
  std::string name;
  torch::ScalarType type;  // float32 goes through the own loops, others through the library
  std::vector<std::int64_t> shares;  // utterances of each rank, five in all
};

std::ostream& operator<<(std::ostream& out, const Case& given) { return out << given.name; }

/// Values of which the mean is much larger than the spread, not the same in both ranks.
torch::Tensor batch_for(Use use) {
  const auto offsets = torch::arange(5, torch::kFloat32) + 5;
  if (use == Use::kFrames) return torch::randn({5, 7, kChannels}) * 0.3 + offsets.view({5, 1, 1});
  return (torch::randn({5, kChannels, 9, 6}) * 0.3 + offsets.view({5, 1, 1, 1}))
      .contiguous(torch::MemoryFormat::ChannelsLast);
}

struct Inputs {
  torch::Tensor x, residual, probe, weight, bias;
  Use use;

  [[nodiscard]] Inputs part(std::int64_t first, std::int64_t count) const {
    auto own = *this;
    own.x = x.narrow(0, first, count), own.residual = residual.narrow(0, first, count);
    own.probe = probe.narrow(0, first, count);
    return own;
  }
};

/// All that one pass forwards and backwards leaves behind.
struct Pass {
  torch::Tensor y, grad_x, grad_residual, grad_weight, grad_bias, running_mean, running_var;
  std::int64_t batches = 0;
};

torch::Tensor output_of(BatchNorm& norm, const Inputs& inputs, const torch::Tensor& x,
                        const torch::Tensor& residual) {
  switch (inputs.use) {
    case Use::kFrames:
      return norm(x);
    case Use::kConvolution:
      return norm->after_convolution(x, {});
    case Use::kBranch:
      return norm->after_convolution(x, {.silu = true, .residual = residual});
    case Use::kStem:
      break;
  }
  return norm->after_stem(x);
}

Pass run(const Inputs& inputs, const std::shared_ptr<distributed::Communicator>& reducer) {
  BatchNorm norm(kChannels);
  {
    const torch::NoGradGuard no_grad;
    norm->weight.copy_(inputs.weight), norm->bias.copy_(inputs.bias);
  }
  if (inputs.x.scalar_type() == torch::kFloat64) norm->to(torch::kFloat64);
  norm->reducer = reducer;
  const auto own = [](const torch::Tensor& x) {
    return x.clone(torch::MemoryFormat::Preserve).requires_grad_();
  };
  const auto x = own(inputs.x), residual = own(inputs.residual);
  const auto y = output_of(norm, inputs, x, residual);
  y.backward(inputs.probe);
  return {.y = y.detach(),
          .grad_x = x.grad(),
          .grad_residual = residual.grad(),
          .grad_weight = norm->weight.grad(),
          .grad_bias = norm->bias.grad(),
          .running_mean = norm->running_mean,
          .running_var = norm->running_var,
          .batches = norm->num_batches_tracked.item<std::int64_t>()};
}

void expect_close(const torch::Tensor& found, const torch::Tensor& expected, double tolerance,
                  const std::string& what) {
  EXPECT_LE(tolerance::relative_distance(found, expected), tolerance) << what;
}

class BatchNormOverRanks : public testing::TestWithParam<Case> {
 protected:
  Inputs inputs_for(Use use) {
    torch::manual_seed(1 + static_cast<std::int64_t>(use));
    const auto type = GetParam().type;
    Inputs inputs{.x = batch_for(use).to(type),
                  .residual = batch_for(use).to(type),
                  .probe = {},
                  .weight = torch::rand({kChannels}) + 0.5,
                  .bias = torch::randn({kChannels}),
                  .use = use};
    auto shape = inputs.x.sizes().vec();
    if (use == Use::kStem) shape = {5, kChannels, 5, 3};
    inputs.probe = torch::randn(shape).to(type);
    return inputs;
  }

  std::vector<Pass> run_ranks(const Inputs& whole) {
    const auto& shares = GetParam().shares;
    std::vector<Pass> passes(shares.size());
    RanksInThreads(std::ssize(shares)).run([&](distributed::Communicator& ranks) {
      const auto rank = static_cast<std::size_t>(ranks.rank());
      const auto before =
          std::accumulate(shares.begin(), shares.begin() + ranks.rank(), std::int64_t{0});
      const std::shared_ptr<distributed::Communicator> reducer(&ranks, [](const auto*) {});
      passes[rank] = run(whole.part(before, shares[rank]), reducer);
    });
    return passes;
  }
};

TEST_P(BatchNormOverRanks, GivesWhatTheWholeBatchGives) {
  const auto rough = GetParam().type == torch::kBFloat16;
  const double tolerance = rough ? tolerance::relative(torch::kBFloat16) : 1e-6;
  for (const auto use : {Use::kFrames, Use::kConvolution, Use::kBranch, Use::kStem}) {
    SCOPED_TRACE(static_cast<int>(use));
    const auto inputs = inputs_for(use);
    const auto expected = run(inputs, nullptr);
    const auto found = run_ranks(inputs);
    const auto of_all = [&](torch::Tensor Pass::*field) {
      std::vector<torch::Tensor> parts;
      for (const auto& rank : found) parts.push_back(rank.*field);
      return parts;
    };
    expect_close(torch::cat(of_all(&Pass::y)), expected.y, tolerance, "output");
    expect_close(torch::cat(of_all(&Pass::grad_x)), expected.grad_x, tolerance, "input");
    if (use == Use::kBranch) {
      expect_close(torch::cat(of_all(&Pass::grad_residual)), expected.grad_residual, tolerance,
                   "residual");
    }
    expect_close(torch::stack(of_all(&Pass::grad_weight)).sum(0), expected.grad_weight, tolerance,
                 "weight");
    expect_close(torch::stack(of_all(&Pass::grad_bias)).sum(0), expected.grad_bias, tolerance,
                 "bias");
    for (const auto& rank : found) {
      if (rank.y.size(0) > 0) {  // others go another way
        EXPECT_TRUE(torch::equal(found[0].running_mean, rank.running_mean));
        EXPECT_TRUE(torch::equal(found[0].running_var, rank.running_var));
      }
      expect_close(rank.running_mean, expected.running_mean, tolerance, "running mean");
      expect_close(rank.running_var, expected.running_var, tolerance, "running variance");
      EXPECT_EQ(rank.batches, 1);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Ways, BatchNormOverRanks,
                         testing::Values(Case{"own_loops_2_3", torch::kFloat32, {2, 3}},
                                         Case{"own_loops_4_1", torch::kFloat32, {4, 1}},
                                         Case{"own_loops_of_four", torch::kFloat32, {1, 2, 1, 1}},
                                         Case{
                                             "one_of_four_has_none", torch::kFloat32, {2, 0, 1, 2}},
                                         Case{"library_2_3", torch::kFloat64, {2, 3}},
                                         Case{"library_4_1", torch::kFloat64, {4, 1}},
                                         Case{"library_of_four", torch::kFloat64, {1, 1, 2, 1}},
                                         Case{"library_bf16", torch::kBFloat16, {2, 3}}),
                         [](const auto& info) { return info.param.name; });

/// Remembers what it was asked.
struct CountingReducer : distributed::OneRank {
  void sum(const std::vector<torch::Tensor>& tensors) override {
    for (const auto& numbers : tensors) sizes.push_back(numbers.numel());
  }
  std::vector<std::int64_t> sizes;
};

/// Whatever computes it, ranks exchange the same: one may have nothing that the own loops take.
TEST(BatchNormReducer, IsAskedForTheSameOnEveryWay) {
  const auto asked = [](torch::ScalarType type, std::int64_t images) {
    BatchNorm norm(3);
    norm->to(type);
    const auto reducer = std::make_shared<CountingReducer>();
    norm->reducer = reducer;
    const auto x = torch::randn({images, 3, 4, 4}, type).requires_grad_();
    norm->after_convolution(x, {.silu = true, .residual = {}}).sum().backward();
    return reducer->sizes;
  };
  const std::vector<std::int64_t> expected = {4, 3, 6};
  EXPECT_EQ(asked(torch::kFloat32, 2), expected);
  EXPECT_EQ(asked(torch::kFloat64, 2), expected);
  EXPECT_EQ(asked(torch::kFloat32, 0), expected);
}

TEST(BatchNormReducer, IsNotAskedInEvalMode) {
  for (const auto type : {torch::kFloat32, torch::kFloat64}) {
    BatchNorm norm(3);
    norm->to(type);
    const auto reducer = std::make_shared<CountingReducer>();
    norm->reducer = reducer;
    norm->eval();
    norm->after_convolution(torch::randn({2, 3, 4, 4}, type), {});
    EXPECT_TRUE(reducer->sizes.empty());
  }
}

TEST(BatchNormReducer, LeavesFixedStatisticsAlone) {
  for (const auto type : {torch::kFloat32, torch::kFloat64}) {
    BatchNorm norm(3);
    norm->to(type);
    norm->reducer = std::make_shared<CountingReducer>();
    norm->statistics_fixed = true;
    norm->after_convolution(torch::randn({2, 3, 4, 4}, type), {});
    EXPECT_TRUE(torch::equal(norm->running_mean, torch::zeros({3}, type)));
    EXPECT_EQ(norm->num_batches_tracked.item<std::int64_t>(), 0);
  }
}

TEST(BatchNormReducer, IsGivenToAWholeNetwork) {
  EncoderBlock block(config::EncoderConfig{.dim = 8, .heads = 2, .ffn_dim = 8});
  const auto reducer = std::make_shared<CountingReducer>();
  share_statistics(*block, reducer);
  const auto x = torch::randn({2, 5, 8}), positions = relative_positions(5, 8, torch::kCPU);
  block(x, positions, torch::Tensor()).sum().backward();
  EXPECT_EQ(reducer->sizes, (std::vector<std::int64_t>{9, 8, 16}));
  share_statistics(*block, nullptr);
  block(x, positions, torch::Tensor());
  EXPECT_EQ(reducer->sizes.size(), 3U);
}

}  // namespace
}  // namespace raven::nn

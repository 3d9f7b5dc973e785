#include "raven/nn/attention.h"

#include <gtest/gtest.h>

#include <cmath>

#include "raven/core/error.h"
#include "support/tolerance.h"

namespace raven::nn {
namespace {

TEST(RelativePositions, AreTheSinusoidsOfTheDistance) {
  const auto expected = torch::tensor({{0.909297, -0.416147, 0.019999, 0.999800},
                                       {0.841471, 0.540302, 0.010000, 0.999950},
                                       {0.0, 1.0, 0.0, 1.0},
                                       {-0.841471, 0.540302, -0.010000, 0.999950},
                                       {-0.909297, -0.416147, -0.019999, 0.999800}});
  EXPECT_LE(tolerance::distance(relative_positions(3, 4, torch::kCPU), expected), 1e-6);
}

/// Scores written out one by one, as the definition says (docs/method.md, section 1).
torch::Tensor by_definition(RelativeAttention& attention, const torch::Tensor& x,
                            const torch::Tensor& positions, std::int64_t heads) {
  auto p = attention->named_parameters();
  const auto frames = x.size(1), dim = x.size(2), width = dim / heads;
  const auto project = [&](const std::string& name, const torch::Tensor& value) {
    return torch::linear(value, p["linear_" + name + ".weight"], p["linear_" + name + ".bias"]);
  };
  const auto q = project("q", x), k = project("k", x), v = project("v", x);
  const auto r = torch::linear(positions, p["linear_pos.weight"]);
  auto mixed = torch::zeros_like(x);
  for (std::int64_t b = 0; b < x.size(0); ++b) {
    for (std::int64_t h = 0; h < heads; ++h) {
      const auto part = [&](const torch::Tensor& row) {
        return row.slice(0, h * width, (h + 1) * width);
      };
      for (std::int64_t i = 0; i < frames; ++i) {
        auto scores = torch::empty({frames}, x.options());
        for (std::int64_t j = 0; j < frames; ++j) {
          const auto content = torch::dot(part(q[b][i]) + p["pos_bias_u"][h], part(k[b][j]));
          const auto position =
              torch::dot(part(q[b][i]) + p["pos_bias_v"][h], part(r[frames - 1 - i + j]));
          scores[j] = (content + position) / std::sqrt(static_cast<double>(width));
        }
        const auto weights = scores.softmax(0);
        for (std::int64_t j = 0; j < frames; ++j) {
          mixed[b][i].slice(0, h * width, (h + 1) * width) += weights[j] * part(v[b][j]);
        }
      }
    }
  }
  return project("out", mixed);
}

TEST(RelativeAttention, FollowsItsDefinition) {
  torch::manual_seed(1);
  torch::NoGradGuard no_grad;
  RelativeAttention attention(8, 2, 0.0);
  attention->to(torch::kDouble);
  const auto x = torch::randn({2, 5, 8}, torch::kDouble);
  const auto positions = torch::randn({9, 8}, torch::kDouble);
  EXPECT_LE(tolerance::relative_distance(attention->forward(x, positions, {}),
                                         by_definition(attention, x, positions, 2)),
            tolerance::relative(torch::kFloat64));
}

TEST(RelativeAttention, HasTheGradientsOfFiniteDifferences) {
  torch::manual_seed(2);
  RelativeAttention attention(6, 3, 0.0);
  attention->to(torch::kDouble);
  auto x = torch::randn({2, 4, 6}, torch::kDouble);
  const auto positions = torch::randn({7, 6}, torch::kDouble);
  const auto valid = torch::tensor({1, 1, 1, 1, 1, 1, 0, 0}, torch::kBool).view({2, 4});
  const auto probe = torch::randn({2, 4, 6}, torch::kDouble);
  const auto loss = [&] { return (attention(x, positions, valid) * probe).sum(); };
  x.requires_grad_();
  loss().backward();
  auto checked = attention->named_parameters();
  checked.insert("x", x);
  for (auto& item : checked) {
    torch::NoGradGuard no_grad;
    auto values = item.value().view(-1);
    const auto gradient = item.value().grad().view(-1).clone();
    for (std::int64_t i = 0; i < values.numel(); i += 3) {
      const double kept = values[i].item<double>(), step = 1e-5;
      values[i] = kept + step;
      const double above = loss().item<double>();
      values[i] = kept - step;
      const double below = loss().item<double>();
      values[i] = kept;
      EXPECT_NEAR(gradient[i].item<double>(), (above - below) / (2 * step), 1e-7)
          << item.key() << " " << i;
    }
  }
}

TEST(RelativeAttention, DoesNotSeeHiddenKeys) {
  torch::manual_seed(3);
  torch::NoGradGuard no_grad;
  RelativeAttention attention(8, 2, 0.0);
  auto x = torch::randn({1, 5, 8});
  const auto positions = relative_positions(5, 8, torch::kCPU);
  const auto valid = torch::tensor({1, 1, 1, 0, 0}, torch::kBool).unsqueeze(0);
  const auto before = attention(x, positions, valid);
  x.slice(1, 3) = 100;
  EXPECT_TRUE(torch::equal(attention(x, positions, valid).slice(1, 0, 3), before.slice(1, 0, 3)));
}

TEST(RelativeAttention, GivesTheOutputBiasWhereNoKeyIsVisible) {
  torch::NoGradGuard no_grad;
  RelativeAttention attention(8, 2, 0.0);
  const auto y = attention(torch::randn({1, 3, 8}), relative_positions(3, 8, torch::kCPU),
                           torch::zeros({1, 3}, torch::kBool));
  EXPECT_TRUE(torch::equal(y, attention->named_parameters()["linear_out.bias"].expand_as(y)));
}

TEST(RelativeAttention, RefusesHeadsThatDoNotDivideTheWidth) {
  EXPECT_THROW(RelativeAttention(10, 4, 0.0), InternalError);
}

TEST(PrefixCache, AttendsInPlaceAsToGatheredPrefixes) {
  torch::manual_seed(4);
  torch::NoGradGuard no_grad;
  constexpr std::int64_t kHeads = 3, kDim = 3 * 20;  // 20: a whole block of lanes and a rest
  PrefixCache in_place, gathered;                    // float32 takes the loop, float64 does not
  const auto append = [&](std::int64_t utterances, std::int64_t hypotheses) {
    const auto keys = torch::randn({utterances, hypotheses, kDim});
    const auto values = torch::randn({utterances, hypotheses, kDim});
    in_place.append(keys, values);
    gathered.append(keys.to(torch::kDouble), values.to(torch::kDouble));
  };
  const auto select = [&](const torch::Tensor& utterances, const torch::Tensor& parents) {
    in_place.select(utterances, parents);
    gathered.select(utterances, parents);
  };
  append(2, 1);
  select(torch::tensor({0, 1}), torch::zeros({2, 3}, torch::kInt64));
  append(2, 3);
  select(torch::tensor({1, 0}), torch::tensor({{2, 2}, {1, 0}}));
  append(2, 2);
  const auto query = torch::randn({2, 2, kDim});
  auto visible = torch::tensor({1, 0, 1, 1, 1, 1, 0, 1, 1, 0, 0, 0}, torch::kBool).view({2, 2, 3});
  for (const auto& seen : {torch::Tensor{}, visible}) {
    const auto actual = in_place.attend(query, seen, kHeads);
    EXPECT_LE(tolerance::distance(actual, gathered.attend(query.to(torch::kDouble), seen, kHeads)),
              1e-5);
    if (seen.defined()) {
      EXPECT_EQ(actual[1][1].abs().max().item<float>(), 0.0F) << "nothing is visible";
    }
  }
}

}  // namespace
}  // namespace raven::nn

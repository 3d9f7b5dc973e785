#include "raven/nn/decoder.h"

#include <gtest/gtest.h>

#include <cmath>

#include "raven/core/error.h"
#include "support/tolerance.h"

namespace raven::nn {
namespace {

TEST(AbsolutePositions, AreTheSinusoidsOfThePosition) {
  const auto expected =
      torch::tensor({{std::sin(2.0), std::cos(2.0), std::sin(0.02), std::cos(0.02)},
                     {std::sin(3.0), std::cos(3.0), std::sin(0.03), std::cos(0.03)}},
                    torch::kFloat32);
  EXPECT_LE(tolerance::distance(absolute_positions(2, 2, 4, torch::kCPU), expected), 1e-6);
}

TEST(MultiHeadAttention, FollowsItsDefinition) {
  torch::manual_seed(1);
  torch::NoGradGuard no_grad;
  MultiHeadAttention attention(6, 2, 0.0);
  attention->to(torch::kDouble);
  const auto query = torch::randn({2, 3, 6}, torch::kDouble);
  const auto memory = torch::randn({2, 4, 6}, torch::kDouble);
  const auto visible =
      (torch::arange(4).unsqueeze(0) < torch::tensor({4, 2}).unsqueeze(1)).view({2, 1, 1, 4});
  auto p = attention->named_parameters();
  const auto project = [&](const std::string& name, const torch::Tensor& x) {
    return torch::linear(x, p["linear_" + name + ".weight"], p["linear_" + name + ".bias"]);
  };
  const auto q = project("q", query), k = project("k", memory), v = project("v", memory);
  auto mixed = torch::zeros_like(query);
  for (std::int64_t b = 0; b < 2; ++b) {
    const auto seen = b == 0 ? 4 : 2;
    for (std::int64_t h = 0; h < 2; ++h) {
      const auto part = [&](const torch::Tensor& x) { return x[b].slice(1, 3 * h, 3 * h + 3); };
      const auto scores = torch::matmul(part(q), part(k).slice(0, 0, seen).t()) / std::sqrt(3.0);
      mixed[b].slice(1, 3 * h, 3 * h + 3) =
          torch::matmul(scores.softmax(-1), part(v).slice(0, 0, seen));
    }
  }
  EXPECT_LE(tolerance::relative_distance(attention->forward(query, memory, visible),
                                         project("out", mixed)),
            tolerance::relative(torch::kFloat64));
}

TEST(MultiHeadAttention, GivesTheOutputBiasWhereNoKeyIsVisible) {
  torch::NoGradGuard no_grad;
  MultiHeadAttention attention(8, 2, 0.0);
  const auto y = attention(torch::randn({1, 3, 8}), torch::randn({1, 5, 8}),
                           torch::zeros({1, 1, 1, 5}, torch::kBool));
  EXPECT_TRUE(torch::equal(y, attention->named_parameters()["linear_out.bias"].expand_as(y)));
}

TEST(MultiHeadAttention, RefusesHeadsThatDoNotDivideTheWidth) {
  EXPECT_THROW(MultiHeadAttention(10, 4, 0.0), InternalError);
}

TransformerDecoder small_decoder(std::int64_t encoder_dim = 6) {
  TransformerDecoder decoder(
      config::DecoderConfig{.dim = 8, .heads = 2, .ffn_dim = 12, .blocks = 2, .dropout = 0},
      encoder_dim, 11);
  decoder->eval();
  return decoder;
}

TEST(TransformerDecoder, ProjectsEncodersOfAnotherWidth) {
  EXPECT_EQ(small_decoder(6)->named_parameters().keys().front(), "proj_decoder.weight");
  EXPECT_EQ(small_decoder(8)->named_parameters().keys().front(), "embed.0.weight");
}

TEST(TransformerDecoder, TellsWhereItLooks) {
  torch::manual_seed(4);
  torch::NoGradGuard no_grad;
  auto decoder = small_decoder();
  const auto encoded = torch::randn({2, 5, 6});
  const auto units = torch::tensor({{10, 3, 4}, {10, 7, 7}});
  const auto valid = torch::tensor({{1, 1, 1, 1, 1}, {1, 1, 1, 0, 0}}, torch::kBool);
  const auto weights = decoder->memory_weights(units, encoded, valid);
  ASSERT_EQ(weights.sizes(), (std::vector<std::int64_t>{2, 3, 5}));
  EXPECT_LE(tolerance::distance(weights.sum(2), torch::ones({2, 3})), 1e-6);
  EXPECT_EQ(weights[1].slice(1, 3).abs().sum().item<float>(), 0);
  EXPECT_GT(tolerance::distance(weights[0], torch::full({3, 5}, 0.2)), 1e-3);
  // Frames that are alike are looked at alike, and later units change nothing.
  const auto same = encoded[0][0].expand({1, 5, 6});
  EXPECT_LE(tolerance::distance(decoder->memory_weights(units.slice(0, 0, 1), same, {}),
                                torch::full({1, 3, 5}, 0.2)),
            1e-6);
  EXPECT_LE(tolerance::distance(decoder->memory_weights(units.slice(1, 0, 2), encoded, valid),
                                weights.slice(1, 0, 2)),
            1e-6);
}

TEST(TransformerDecoder, SeesNoLaterUnit) {
  torch::manual_seed(2);
  torch::NoGradGuard no_grad;
  auto decoder = small_decoder();
  const auto encoded = torch::randn({1, 5, 6});
  const auto units = torch::tensor({{10, 3, 4, 5}});
  auto other = units.clone();
  other[0][3] = 9;
  const auto before = decoder->forward(units, encoded, {}),
             after = decoder->forward(other, encoded, {});
  EXPECT_TRUE(torch::equal(before.slice(1, 0, 3), after.slice(1, 0, 3)));
  EXPECT_FALSE(torch::equal(before[0][3], after[0][3]));
}

TEST(TransformerDecoder, SaysStepByStepWhatItSaysAtOnce) {
  torch::manual_seed(3);
  torch::NoGradGuard no_grad;
  auto decoder = small_decoder();
  const auto encoded = torch::randn({2, 7, 6});
  const auto valid = torch::arange(7).unsqueeze(0) < torch::tensor({7, 4}).unsqueeze(1);
  const auto units = torch::randint(0, 11, {2, 5});
  const auto expected = decoder(units, encoded, valid).log_softmax(-1);
  auto state = decoder->start(encoded, valid);
  for (std::int64_t u = 0; u < 5; ++u) {
    EXPECT_LE(tolerance::distance(decoder->step(units.narrow(1, u, 1), state).squeeze(1),
                                  expected.select(1, u)),
              1e-5)
        << u;
  }
}

TEST(TransformerDecoder, ContinuesTheHypothesesThatWereSelected) {
  torch::manual_seed(4);
  torch::NoGradGuard no_grad;
  auto decoder = small_decoder();
  const auto encoded = torch::randn({3, 7, 6});
  const auto valid = torch::arange(7).unsqueeze(0) < torch::tensor({7, 4, 6}).unsqueeze(1);
  auto state = decoder->start(encoded, valid);
  std::vector<std::int64_t> utterances = {0, 1, 2};           // of each row
  auto prefixes = torch::full({3, 1, 1}, 10, torch::kInt64);  // (B, S, U)
  const auto check = [&](const std::string& when) {
    const auto actual = decoder->step(prefixes.select(2, -1), state);
    for (std::int64_t b = 0; b < prefixes.size(0); ++b) {
      const auto row = utterances[static_cast<std::size_t>(b)];
      for (std::int64_t s = 0; s < prefixes.size(1); ++s) {
        const auto alone =
            decoder(prefixes[b][s].unsqueeze(0), encoded.narrow(0, row, 1), valid.narrow(0, row, 1))
                .log_softmax(-1)[0][-1];
        EXPECT_LE(tolerance::distance(actual[b][s], alone), 1e-5) << when << b << s;
      }
    }
  };
  const auto select = [&](const std::vector<std::int64_t>& rows, const torch::Tensor& parents) {
    const auto index = torch::tensor(rows);
    state.select(index, parents);
    const auto kept = prefixes.index_select(0, index);
    const auto past = kept.gather(
        1, parents.unsqueeze(2).expand({parents.size(0), parents.size(1), kept.size(2)}));
    prefixes = torch::cat({past, torch::randint(0, 11, {parents.size(0), parents.size(1), 1})}, 2);
    std::vector<std::int64_t> of_rows;
    for (const auto row : rows) of_rows.push_back(utterances[static_cast<std::size_t>(row)]);
    utterances = of_rows;
  };
  check("start ");
  select({0, 1, 2}, torch::zeros({3, 4}, torch::kInt64));
  check("four hypotheses each ");
  select({0, 2}, torch::tensor({{3, 3, 0}, {1, 2, 1}}));
  check("an utterance fewer ");
  select({1}, torch::tensor({{2, 0}}));
  check("one left ");
  select({0}, torch::tensor({{1, 1, 0}}));
  check("more hypotheses again ");
}

}  // namespace
}  // namespace raven::nn

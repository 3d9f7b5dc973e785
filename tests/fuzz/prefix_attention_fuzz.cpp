// Attention to prefixes for every instruction set against LibTorch's operators in float64.
#include "nn/kernels/prefix_attention_kernels.h"

#include <cmath>

#include "fuzz/fuzz_numbers.h"
#include "fuzz/loop_copies.h"

namespace {

using namespace raven;
using namespace raven::nn;

struct Search {
  std::int64_t hypotheses, units, heads, width;
  torch::Tensor query;                      // (N, D)
  std::vector<torch::Tensor> keys, values;  // of each unit, (rows, D)
  torch::Tensor places;                     // (N, U)
  torch::Tensor visible;                    // (N, U) bool, or undefined
};

Search search_of(fuzz::Numbers& input) {
  Search search;
  search.hypotheses = input.integer(1, 12), search.units = input.integer(1, 20);
  search.heads = input.integer(1, 4), search.width = input.integer(1, 40);
  const auto rows = input.integer(1, 16), dim = search.heads * search.width;
  search.places = input.indices({search.hypotheses, search.units}, rows);
  if (input.flag()) {
    search.visible = input.indices({search.hypotheses, search.units}, 2).to(torch::kBool);
  }
  search.query = input.floats({search.hypotheses, dim});
  for (std::int64_t unit = 0; unit < search.units; ++unit) {
    search.keys.push_back(input.floats({rows, dim}));
    search.values.push_back(input.floats({rows, dim}));
  }
  return search;
}

/// Of each unit, the rows that hypotheses continue: (N, H, U, d) float64.
torch::Tensor gathered(const Search& search, const std::vector<torch::Tensor>& steps) {
  std::vector<torch::Tensor> rows;
  for (std::size_t unit = 0; unit < steps.size(); ++unit) {
    rows.push_back(
        steps[unit].index_select(0, search.places.select(1, static_cast<std::int64_t>(unit))));
  }
  return torch::stack(rows, 1)
      .to(torch::kFloat64)
      .unflatten(2, {search.heads, search.width})
      .transpose(1, 2);
}

torch::Tensor run(const kernels::PrefixAttentionLoop loop, const Search& search,
                  std::int64_t middle) {
  std::vector<const float*> keys, values;
  for (const auto& step : search.keys) keys.push_back(step.data_ptr<float>());
  for (const auto& step : search.values) values.push_back(step.data_ptr<float>());
  const auto& visible = search.visible;
  const kernels::Prefixes prefixes{
      .keys = keys.data(),
      .values = values.data(),
      .places = search.places.data_ptr<std::int64_t>(),
      .visible = visible.defined() ? visible.data_ptr<bool>() : nullptr,
      .units = search.units,
      .heads = search.heads,
      .width = search.width};
  std::vector<float> weights(static_cast<std::size_t>(search.heads * search.units));
  auto mixed = torch::full_like(search.query, 1e30F);
  for (const auto& [first, last] :
       {std::pair<std::int64_t, std::int64_t>{0, middle}, {middle, search.hypotheses}}) {
    loop(search.query.data_ptr<float>(), prefixes, first, last, weights.data(),
         mixed.data_ptr<float>());
  }
  return mixed;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const torch::NoGradGuard no_grad;
  fuzz::Numbers input(data, size);
  const auto search = search_of(input);
  const auto keys = gathered(search, search.keys), values = gathered(search, search.values);
  const auto query =
      search.query.to(torch::kFloat64).view({search.hypotheses, search.heads, 1, search.width});
  const auto scale = 1 / std::sqrt(static_cast<double>(search.width));
  auto weights = torch::matmul(query, keys.transpose(2, 3)) * scale;  // (N, H, 1, U)
  if (search.visible.defined()) {
    const auto hidden = search.visible.logical_not().view({search.hypotheses, 1, 1, search.units});
    weights = weights.masked_fill(hidden, -1e300).softmax(-1).masked_fill(hidden, 0);
  } else {
    weights = weights.softmax(-1);
  }
  const auto expected = torch::matmul(weights, values).view(search.query.sizes());
  // An error of a score is a relative one of its weight, and of all others by the softmax's sum.
  const auto largest_score =
      (torch::matmul(query.abs(), keys.abs().transpose(2, 3)) * scale).max().item<double>();
  const auto of_weight = static_cast<double>(search.width + 4) * largest_score +
                         3 * static_cast<double>(search.units) + 8;
  const auto bound = torch::full_like(
      expected, 2 * fuzz::kRounding * of_weight * values.abs().max().item<double>());
  const auto middle = input.integer(0, search.hypotheses);
  for (const auto loop :
       fuzz::runnable(kernels::kPrefixAttentionGeneric, kernels::kPrefixAttentionAvx2,
                      kernels::kPrefixAttentionAvx512)) {
    fuzz::require_near(run(loop, search, middle), expected, bound);
  }
  return 0;
}

#include "raven/nn/state_dict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "raven/core/error.h"
#include "raven/nn/transformer.h"

namespace raven::nn {
namespace {

using testing::AllOf;
using testing::HasSubstr;

EncoderBlock small_block() {
  return EncoderBlock(config::EncoderConfig{.dim = 4, .heads = 2, .ffn_dim = 4});
}

StateDict copy_of(const torch::nn::Module& module) {
  StateDict copy;
  for (const auto& [name, tensor] : state_dict(module)) {
    copy.emplace_back(name, tensor.detach().clone());
  }
  return copy;
}

TEST(StateDict, ListsABlockInThePublishedOrder) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : state_dict(*small_block())) names.push_back(name);
  const std::vector<std::string> expected = {"gamma_ff",
                                             "gamma_mha",
                                             "self_attn.pos_bias_u",
                                             "self_attn.pos_bias_v",
                                             "self_attn.linear_q.weight",
                                             "self_attn.linear_q.bias",
                                             "self_attn.linear_k.weight",
                                             "self_attn.linear_k.bias",
                                             "self_attn.linear_v.weight",
                                             "self_attn.linear_v.bias",
                                             "self_attn.linear_out.weight",
                                             "self_attn.linear_out.bias",
                                             "self_attn.linear_pos.weight",
                                             "feed_forward.w_1.weight",
                                             "feed_forward.w_1.bias",
                                             "feed_forward.w_2.weight",
                                             "feed_forward.w_2.bias",
                                             "norm_ff.weight",
                                             "norm_ff.bias",
                                             "norm_ff.running_mean",
                                             "norm_ff.running_var",
                                             "norm_ff.num_batches_tracked",
                                             "norm_mha.weight",
                                             "norm_mha.bias"};
  EXPECT_EQ(names, expected);
}

TEST(StateDict, LoadsWhatItSaved) {
  auto from = small_block(), to = small_block();
  load_state_dict(*to, copy_of(*from), "copy");
  const auto a = state_dict(*from), b = state_dict(*to);
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(torch::equal(a[i].second, b[i].second));
}

TEST(StateDict, NamesEverythingThatDoesNotFitAndChangesNothing) {
  auto block = small_block();
  const auto before = copy_of(*block);
  auto state = copy_of(*small_block());
  state[0].first = "gamma_f";
  state[1].second = torch::zeros({5});
  try {
    load_state_dict(*block, state, "old.safetensors");
    FAIL() << "loaded a state that does not fit";
  } catch (const CheckpointError& error) {
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("old.safetensors"), HasSubstr("missing: gamma_ff"),
                      HasSubstr("unexpected: gamma_f"), HasSubstr("gamma_mha [5] instead of [4]")));
  }
  const auto after = state_dict(*block);
  for (std::size_t i = 0; i < after.size(); ++i) {
    EXPECT_TRUE(torch::equal(after[i].second, before[i].second)) << after[i].first;
  }
}

}  // namespace
}  // namespace raven::nn

// What the golden files of networks have in common: options, inputs, and summaries of many tensors.
#pragma once

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "raven/config/model_config.h"
#include "support/formula.h"
#include "support/parity.h"

namespace raven::golden {

inline std::vector<std::int64_t> lengths(const nlohmann::json& from) {
  return from.at("lengths").get<std::vector<std::int64_t>>();
}

inline std::int64_t longest(const nlohmann::json& from) {
  const auto all = lengths(from);
  return *std::max_element(all.begin(), all.end());
}

/// Options of a published network without dropout.
inline config::EncoderConfig encoder_options(const nlohmann::json& sizes) {
  config::EncoderConfig options;
  options.dim = sizes.at("dim");
  options.heads = sizes.at("heads");
  options.ffn_dim = sizes.at("ffn");
  options.blocks = sizes.at("blocks");
  options.dropout = 0;
  return options;
}

inline config::PredictorConfig predictor_options(const nlohmann::json& sizes) {
  config::PredictorConfig options;
  options.dim = sizes.at("dim");
  options.heads = sizes.at("heads");
  options.ffn_dim = sizes.at("ffn");
  options.blocks = sizes.at("blocks");
  options.dropout = 0;
  return options;
}

/// Norm and sum of a tensor against [norm, sum, ...]; `norm_tolerance` is relative.
inline void expect_norm_and_sum(const torch::Tensor& tensor, const nlohmann::json& expected,
                                double norm_tolerance, double sum_tolerance,
                                const std::string& name) {
  const auto values = tensor.detach().to(torch::kDouble);
  const auto norm = expected.at(0).get<double>(), sum = expected.at(1).get<double>();
  EXPECT_NEAR(values.norm().item<double>(), norm, norm_tolerance * norm + parity::rounding(norm))
      << name;
  EXPECT_NEAR(values.sum().item<double>(), sum, sum_tolerance + parity::rounding(sum)) << name;
}

/// Norm and sum of a tensor against [norm, sum, ...]; tolerances relative to the golden norm.
inline void expect_summary(const torch::Tensor& tensor, const nlohmann::json& expected,
                           double norm_tolerance, double sum_tolerance, const std::string& name) {
  expect_norm_and_sum(tensor, expected, norm_tolerance,
                      sum_tolerance * expected.at(0).get<double>(), name);
}

/// The same of a gradient, [norm, sum, error of the norm, error of the sum]. Where its elements
/// cancel out the sum is as exact as float32 lets it be: twice the error that the file states.
inline void expect_gradient(const torch::Tensor& gradient, const nlohmann::json& expected,
                            double norm_tolerance, double sum_tolerance, const std::string& name) {
  const auto stated = expected.size() > 3 ? expected.at(3).get<double>() : 0;
  expect_norm_and_sum(gradient, expected, norm_tolerance,
                      std::max(sum_tolerance * expected.at(0).get<double>(), 2 * stated), name);
}

inline std::map<std::string, torch::Tensor> by_name(const nn::StateDict& state) {
  return {state.begin(), state.end()};
}

inline bool is_key_bias(const std::string& name) {
  return name.size() >= 13 && name.compare(name.size() - 13, 13, "linear_k.bias") == 0;
}

}  // namespace raven::golden

// Predictors against tests/parity/data/predictors.*.
#include <gtest/gtest.h>

#include "raven/models/predictor.h"
#include "support/golden.h"
#include "support/parity_tensors.h"
#include "support/tolerance.h"

namespace raven {
namespace {

TEST(PredictorParity, GivesTheFeaturesOfEveryLayer) {
  torch::NoGradGuard no_grad;
  const auto file = parity::json("predictors.json");
  const auto golden = parity::tensors("predictors.safetensors");
  const auto salt = file.at("salt").get<std::string>();
  const auto cases = parity::cases(file);
  for (const auto& [name, content] : cases.items()) {
    auto options = golden::predictor_options(content.at("predictor"));
    if (name.find("linear_input") != std::string::npos)
      options.input = config::PredictorInput::kLinear;
    if (name.find("layer_norm") != std::string::npos) options.ffn_norm = config::FfnNorm::kLayer;
    models::Predictor predictor(options, content.at("encoder_dim").get<std::int64_t>(),
                                content.at("target_dim").get<std::int64_t>());
    formula::fill(*predictor, salt, content.at("weights_prefix"));
    predictor->eval();
    const auto x = formula::noise(salt + content.at("input").get<std::string>(),
                                  content.at("input_shape").get<std::vector<std::int64_t>>(),
                                  content.at("input_centre"), content.at("input_spread"));
    const auto valid = formula::valid(golden::lengths(content), x.size(1));
    std::vector<torch::Tensor> rows;
    for (const auto& row : content.at("masked")) {
      rows.push_back(torch::tensor(row.get<std::vector<std::int64_t>>()).to(torch::kBool));
    }
    const auto masked = torch::stack(rows);

    std::map<std::string, torch::Tensor> actual;
    const auto modules = predictor->named_modules();
    auto [h, positions] = modules["embed"]->as<nn::InputEmbedding>()->forward(x, masked);
    actual["embed"] = h;
    for (std::int64_t i = 0; i < options.blocks; ++i) {
      const auto block = fmt::format("encoders.{}", i);
      h = modules[block]->as<nn::EncoderBlock>()->forward(h, positions, valid);
      actual[fmt::format("block.{}", i)] = h;
    }
    actual["final"] = predictor->forward(x, masked, valid);
    for (const auto& [tensor, error] : content.at("tensors").items()) {
      EXPECT_LE(tolerance::relative_distance(actual.at(tensor), golden.at(name + "/" + tensor)),
                tolerance::predictors::kOutput)
          << name << "/" << tensor;
    }
    EXPECT_LE(tolerance::distance(actual.at("final"), golden.at(name + "/final")),
              tolerance::predictors::kOutput)
        << name;
  }
}

}  // namespace
}  // namespace raven

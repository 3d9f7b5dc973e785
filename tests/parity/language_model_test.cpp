// The language model against tests/parity/data/language_model.*.
#include "raven/models/language_model.h"

#include <gtest/gtest.h>

#include "support/golden.h"
#include "support/parity_tensors.h"
#include "support/tolerance.h"

namespace raven {
namespace {

TEST(LanguageModelParity, PredictsAfterEveryPosition) {
  torch::NoGradGuard no_grad;
  const auto file = parity::json("language_model.json");
  const auto golden = parity::tensors("language_model.safetensors");
  const auto cases = parity::cases(file);
  for (const auto& [name, content] : cases.items()) {
    const auto& sizes = content.at("model");
    models::LanguageModel model(config::LanguageModelConfig{.embed_dim = sizes.at("embed"),
                                                            .dim = sizes.at("dim"),
                                                            .heads = sizes.at("heads"),
                                                            .ffn_dim = sizes.at("ffn"),
                                                            .blocks = sizes.at("blocks")},
                                sizes.at("vocab").get<std::int64_t>());
    formula::fill(*model, file.at("salt"), content.at("weights_prefix"));
    model->eval();
    std::vector<torch::Tensor> rows;
    for (const auto& row : content.at("ids")) {
      rows.push_back(torch::tensor(row.get<std::vector<std::int64_t>>(), torch::kInt64));
    }
    const auto units = torch::stack(rows);
    const auto& expected = golden.at(name + "/log_probs");
    EXPECT_LE(tolerance::distance(model(units).log_softmax(-1), expected),
              tolerance::language_model::kOutput)
        << name;
    auto state = model->start();
    for (std::int64_t u = 0; u < units.size(1); ++u) {
      EXPECT_LE(tolerance::distance(model->step(units.narrow(1, u, 1), state).squeeze(1),
                                    expected.select(1, u)),
                tolerance::language_model::kOutput)
          << name << " step " << u;
    }
  }
}

}  // namespace
}  // namespace raven

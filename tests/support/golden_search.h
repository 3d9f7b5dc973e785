// The models and inputs of beam_search.json.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "raven/models/language_model.h"
#include "raven/models/recognizer.h"
#include "support/formula.h"
#include "support/parity.h"

namespace raven::golden {

/// What is searched: heads over an encoder's output, and a language model over the same units.
struct SearchModel {
  models::CtcHead ctc{nullptr};
  nn::TransformerDecoder decoder{nullptr};
  models::LanguageModel language_model{nullptr};
  std::int64_t units = 0;
};

/// Multiplies whole tensors and adds to single elements, as the file says.
inline void change(nn::StateDict state, const nlohmann::json& changes) {
  torch::NoGradGuard no_grad;
  std::map<std::string, torch::Tensor> by_name(state.begin(), state.end());
  if (changes.contains("scale")) {
    for (const auto& [name, factor] : changes.at("scale").items()) {
      by_name.at(name).mul_(factor.get<double>());
    }
  }
  if (changes.contains("add")) {
    for (const auto& change : changes.at("add")) {
      by_name.at(change.at(0)).view(-1)[change.at(1).get<std::int64_t>()] +=
          change.at(2).get<double>();
    }
  }
}

inline nn::StateDict prefixed(const std::string& prefix, const torch::nn::Module& module) {
  nn::StateDict state;
  for (const auto& [name, tensor] : nn::state_dict(module)) {
    state.emplace_back(prefix + name, tensor);
  }
  return state;
}

inline SearchModel search_model(const nlohmann::json& content) {
  SearchModel model;
  model.units = content.at("vocab");
  const auto encoder_dim = content.at("encoder_dim").get<std::int64_t>();
  const auto& sizes = content.at("decoder");
  model.ctc = models::CtcHead(encoder_dim, model.units, 0.0);
  model.decoder = nn::TransformerDecoder(config::DecoderConfig{.dim = sizes.at("dim"),
                                                               .heads = sizes.at("heads"),
                                                               .ffn_dim = sizes.at("ffn"),
                                                               .blocks = sizes.at("blocks"),
                                                               .dropout = 0},
                                         encoder_dim, model.units);
  const auto salt = content.at("salt").get<std::string>();
  formula::fill(*model.ctc, salt, "ctc.");
  formula::fill(*model.decoder, salt, "decoder.");
  auto state = prefixed("ctc.", *model.ctc);
  for (const auto& item : prefixed("decoder.", *model.decoder)) state.push_back(item);
  change(state, content);

  const auto& lm = content.at("lm");
  model.language_model =
      models::LanguageModel(config::LanguageModelConfig{.embed_dim = lm.at("embed"),
                                                        .dim = lm.at("dim"),
                                                        .heads = lm.at("heads"),
                                                        .ffn_dim = lm.at("ffn"),
                                                        .blocks = lm.at("blocks")},
                            model.units);
  formula::fill(*model.language_model, lm.at("salt"), "");
  change(nn::state_dict(*model.language_model), lm);
  model.ctc->eval(), model.decoder->eval(), model.language_model->eval();
  return model;
}

/// (1, T, E)
inline torch::Tensor search_input(const nlohmann::json& content) {
  return formula::noise(
             content.at("salt").get<std::string>() + content.at("name").get<std::string>(),
             content.at("shape").get<std::vector<std::int64_t>>(), content.at("centre"),
             content.at("spread"))
      .unsqueeze(0);
}

}  // namespace raven::golden

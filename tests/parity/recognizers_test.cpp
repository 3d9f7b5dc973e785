// Recognizers against tests/parity/data/recognizers.*.
#include "raven/models/recognizer.h"

#include <gtest/gtest.h>

#include "support/golden_recognizer.h"
#include "support/parity_tensors.h"
#include "support/tolerance.h"

namespace raven {
namespace {

using nlohmann::json;

struct Case {
  std::string name;
  json content;
  models::Recognizer recognizer{nullptr};
  torch::Tensor input, valid, labels;
};

Case make_case(const std::string& name, const std::string& salt, const json& content) {
  auto recognizer = golden::recognizer(content, salt);
  recognizer->train(content.at("mode").get<std::string>().rfind("train", 0) == 0);
  const auto [input, valid, labels] = golden::recognizer_input(content, salt);
  return {.name = name,
          .content = content,
          .recognizer = recognizer,
          .input = input,
          .valid = valid,
          .labels = labels};
}

std::vector<Case> all_cases() {
  const auto file = parity::json("recognizers.json");
  std::vector<Case> cases;
  const auto listed = parity::cases(file);
  for (const auto& [name, content] : listed.items()) {
    cases.push_back(make_case(name, file.at("salt"), content));
  }
  return cases;
}

TEST(RecognizerParity, GivesTheOutputsOfItsParts) {
  torch::NoGradGuard no_grad;
  const auto golden = parity::tensors("recognizers.safetensors");
  std::size_t compared = 0;
  for (auto& test : all_cases()) {
    const auto encoded = test.recognizer->encode(test.input, test.valid);
    const auto sentence = models::teacher_forcing(test.labels, test.recognizer->end_unit());
    const std::map<std::string, torch::Tensor> computed = {
        {"encoder", encoded},
        {"ctc_log_probs", test.recognizer->ctc(encoded)},
        {"decoder_logits", test.recognizer->decoder(sentence.read, encoded, test.valid)}};
    for (const auto& [tensor, error] : test.content.at("tensors").items()) {
      const auto tolerance =
          tensor == "encoder" ? tolerance::encoders::kFinal : tolerance::recognizers::kOutput;
      EXPECT_LE(tolerance::distance(computed.at(tensor), golden.at(test.name + "/" + tensor)),
                tolerance)
          << test.name << "/" << tensor;
      ++compared;
    }
  }
  EXPECT_GT(compared, 0U);
}

TEST(RecognizerParity, TrainsWithTheLossesAndGradients) {
  for (auto& test : all_cases()) {
    const auto encoded = test.recognizer->encode(test.input, test.valid);
    const auto losses = test.recognizer->losses(encoded, test.valid, {.units = test.labels});
    const auto utterances = static_cast<double>(losses.utterances);
    const auto total = losses.total(0.1) / utterances;
    const std::map<std::string, double> computed = {
        {"total", total.item<double>()},
        {"ctc", losses.ctc.item<double>() / utterances},
        {"attention", losses.attention.item<double>() / utterances}};
    for (const auto& [name, value] : test.content.at("losses").items()) {
      const auto expected = value.at(0).get<double>();
      EXPECT_NEAR(computed.at(name), expected,
                  tolerance::recognizers::kLoss * expected + parity::rounding(expected))
          << test.name << " " << name;
    }
    total.backward();
    const auto state = golden::by_name(nn::state_dict(*test.recognizer));
    for (const auto& [name, summary] : test.content.at("gradients").items()) {
      if (golden::is_key_bias(name)) continue;  // rounding noise
      golden::expect_gradient(state.at(name).grad(), summary, tolerance::recognizers::kGradientNorm,
                              tolerance::recognizers::kGradientSum,
                              test.name + " gradient " + name);
    }
  }
}

TEST(RecognizerParity, NamesItsParametersAsThePublishedFilesInTheirOrder) {
  std::ifstream in(parity::path("recognizers.json"));
  const auto ordered = nlohmann::ordered_json::parse(in);
  for (auto& test : all_cases()) {
    std::vector<std::string> names, expected;
    for (const auto& [name, tensor] : nn::state_dict(*test.recognizer)) {
      if (tensor.requires_grad()) names.push_back(name);
    }
    for (const auto& item : ordered.at("cases").at(test.name).at("gradients").items()) {
      expected.push_back(item.key());
    }
    EXPECT_EQ(names, expected) << test.name;
  }
}

}  // namespace
}  // namespace raven

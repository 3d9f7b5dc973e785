// Encoders of both modalities against tests/parity/data/encoders.*.
#include <gtest/gtest.h>

#include "raven/models/encoder.h"
#include "support/golden.h"
#include "support/parity_tensors.h"
#include "support/tolerance.h"

namespace raven {
namespace {

using nlohmann::json;

struct Case {
  std::string name, salt;
  json content;
  models::Encoder encoder{nullptr};
  torch::Tensor input, valid;
};

bool starts_with(const std::string& text, const std::string& start) {
  return text.rfind(start, 0) == 0;
}

Case make_case(const std::string& name, const std::string& salt, const json& content) {
  Case result{.name = name, .salt = salt, .content = content};
  const bool video = content.at("modality") == "video";
  auto options = golden::encoder_options(content.at("encoder"));
  result.encoder = models::Encoder(video ? models::Modality::kVideo : models::Modality::kAudio,
                                   options, config::FrontendConfig{});
  formula::fill(*result.encoder, salt, content.at("weights_prefix"));
  const auto lengths = golden::lengths(content);
  const auto frames = golden::longest(content);
  const auto input_name = content.at("input").get<std::string>();
  result.input = video ? formula::video(salt, input_name, lengths, frames)
                       : formula::audio(salt, input_name, lengths, frames);
  if (const auto extra = content.value("extra_samples", std::int64_t{0}); extra > 0) {
    const auto tail =
        torch::full({result.input.size(0), extra, 1}, content.at("extra_value").get<double>());
    result.input = torch::cat({result.input, tail}, 1);
  }
  const auto mode = content.at("mode").get<std::string>();
  if (mode.find("no padding mask") == std::string::npos) {
    result.valid = formula::valid(lengths, frames);
  }
  result.encoder->train(starts_with(mode, "train"));
  return result;
}

/// Cases whose mode starts with `mode`; fails when there are none.
std::vector<Case> cases_of(const std::string& mode) {
  const auto file = parity::json("encoders.json");
  std::vector<Case> cases;
  const auto listed = parity::cases(file);
  for (const auto& [name, content] : listed.items()) {
    if (starts_with(content.at("mode").get<std::string>(), mode)) {
      cases.push_back(make_case(name, file.at("salt"), content));
    }
  }
  EXPECT_FALSE(cases.empty()) << "no case in mode " << mode;
  return cases;
}

/// One of the tensors that a case lists in eval mode.
torch::Tensor computed(Case& test, const std::string& tensor) {
  auto& encoder = *test.encoder;
  if (tensor == "final") return encoder.forward(test.input, test.valid);
  if (tensor == "unmasked") return encoder.forward(test.input);
  const auto modules = encoder.named_modules();
  const auto features = [&] {
    if (auto* video = modules["frontend"]->as<nn::VideoFrontend>())
      return video->forward(test.input);
    return modules["frontend"]->as<nn::AudioFrontend>()->forward(test.input);
  };
  if (tensor == "frontend") return features();
  if (tensor == "embed")
    return modules["embed"]->as<nn::InputEmbedding>()->forward(features(), {}).x;
  const auto block = std::stoul(tensor.substr(tensor.find('.') + 1));
  return encoder.all_blocks(test.input, test.valid).blocks.at(block);
}

TEST(EncoderParity, GivesTheFeaturesOfEveryLayer) {
  torch::NoGradGuard no_grad;
  const auto golden = parity::tensors("encoders.safetensors");
  for (auto& test : cases_of("eval")) {
    for (const auto& [tensor, error] : test.content.at("tensors").items()) {
      const auto& expected = golden.at(test.name + "/" + tensor);
      const auto actual = computed(test, tensor);
      if (tensor == "final" || tensor == "unmasked") {
        EXPECT_LE(tolerance::distance(actual, expected), tolerance::encoders::kFinal)
            << test.name << "/" << tensor;
      } else {
        EXPECT_LE(tolerance::relative_distance(actual, expected), tolerance::encoders::kInner)
            << test.name << "/" << tensor;
      }
    }
  }
}

void compare_listed(const Case& test, const weights::TensorFile& golden,
                    const torch::Tensor& output) {
  const auto state = golden::by_name(nn::state_dict(*test.encoder));
  for (const auto& [tensor, error] : test.content.at("tensors").items()) {
    const auto& expected = golden.at(test.name + "/" + tensor);
    const auto where = test.name + "/" + tensor;
    if (tensor == "final") {
      EXPECT_LE(tolerance::distance(output, expected), tolerance::encoders::kFinal) << where;
    } else if (starts_with(tensor, "grad.")) {
      const auto gradient = state.at(tensor.substr(5)).grad().to(torch::kDouble);
      EXPECT_LE((gradient - expected).norm().item<double>(),
                tolerance::encoders::kGradientNorm * expected.norm().item<double>())
          << where;
    } else {
      EXPECT_LE(tolerance::relative_distance(state.at(tensor), expected),
                tolerance::encoders::kInner)
          << where;
    }
  }
}

TEST(EncoderParity, TrainsWithTheGradientsAndRunningStatistics) {
  const auto golden = parity::tensors("encoders.safetensors");
  for (auto& test : cases_of("train")) {
    const auto output = test.encoder->forward(test.input, test.valid);
    (output * formula::noise(test.salt + "probe", output.sizes(), 0, 1)).sum().backward();
    compare_listed(test, golden, output);
    const auto state = golden::by_name(nn::state_dict(*test.encoder));
    for (const auto& [name, summary] : test.content.at("gradients").items()) {
      if (golden::is_key_bias(name)) continue;  // rounding noise
      golden::expect_gradient(state.at(name).grad(), summary, tolerance::encoders::kGradientNorm,
                              tolerance::encoders::kGradientSum, test.name + " gradient " + name);
    }
    for (const auto& [name, summary] : test.content.at("buffers_after").items()) {
      golden::expect_summary(state.at(name), summary, tolerance::encoders::kGradientNorm,
                             tolerance::encoders::kGradientSum, test.name + " buffer " + name);
    }
  }
}

}  // namespace
}  // namespace raven

#include "raven/evaluation/language_model_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "raven/config/flat_config.h"
#include "raven/core/error.h"
#include "raven/nn/state_dict.h"
#include "raven/weights/pytorch_writer.h"
#include "raven/weights/safetensors.h"
#include "support/temporary_folder.h"

namespace raven::evaluation {
namespace {

using testing::HasSubstr;

class LanguageModelFile : public testing::Test {
 protected:
  [[nodiscard]] std::filesystem::path file() const { return folder_.path() / "lm.safetensors"; }

  [[nodiscard]] models::LanguageModel model() const {
    torch::manual_seed(4);
    return models::LanguageModel(options_, units_.size());
  }
  [[nodiscard]] weights::TensorFile content() const {
    weights::TensorFile content;
    content.metadata = config::flatten(options_, "model.");
    content.metadata["format"] = "raven-language-model";
    content.metadata["format_version"] = "1";
    content.metadata["units"] = units_.text();
    for (const auto& [name, tensor] : nn::state_dict(*model()))
      content.tensors.emplace_back(name, tensor.detach());
    return content;
  }
  void write(const weights::TensorFile& content) const {
    weights::write_safetensors(file(), content, {.hashes = true});
  }
  [[nodiscard]] std::string problem() const {
    try {
      load_language_model(file());
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  TemporaryFolder folder_;
  text::Units units_{std::vector<std::string>{"\xE2\x96\x81", "A", "B"}};
  config::LanguageModelConfig options_{
      .embed_dim = 4, .dim = 8, .heads = 2, .ffn_dim = 12, .blocks = 2};
};

TEST_F(LanguageModelFile, PredictsAsTheModelThatWasWritten) {
  write(content());
  const auto loaded = load_language_model(file());
  EXPECT_EQ(loaded.units, units_.text());
  EXPECT_EQ(loaded.file, file());
  EXPECT_FALSE(loaded.checksum.empty());
  const torch::NoGradGuard no_grad;
  auto read = loaded.model, written = model();
  written->eval();
  const auto units = torch::tensor({{5, 3, 4, 3}});
  EXPECT_TRUE(torch::equal(read(units), written(units)));
}

TEST_F(LanguageModelFile, MayBeAnArchiveOfPyTorch) {
  const auto archive = folder_.path() / "rnnlm.pth";
  auto wide = options_;
  wide.dim = 128;
  wide.heads = 2;  // an archive does not say; 64 wide each, as published
  models::LanguageModel written(wide, units_.size());
  weights::write_pytorch_archive(archive, {.tensors = nn::state_dict(*written)});
  const auto loaded = load_language_model(archive);
  EXPECT_TRUE(loaded.units.empty());
  auto read = loaded.model;
  written->eval();
  const torch::NoGradGuard no_grad;
  const auto units = torch::tensor({{5, 3, 4, 3}});
  EXPECT_TRUE(torch::allclose(read(units), written(units)));
}

TEST_F(LanguageModelFile, SaysWhatElseAFileIs) {
  auto other = content();
  other.metadata["format"] = "raven-encoder";
  other.metadata["modality"] = "video";
  write(other);
  EXPECT_THAT(problem(), HasSubstr("expected a language model"));
}

TEST_F(LanguageModelFile, ANetworkIsMadeOnlyOfSizesThatTheTensorsHave) {
  for (const auto& [key, value] :
       std::map<std::string, std::string>{{"model.dim", "65536"},
                                          {"model.ffn_dim", "262144"},
                                          {"model.blocks", "256"},
                                          {"model.embed_dim", "60000"}}) {
    auto wrong = content();
    wrong.metadata[key] = value;
    write(wrong);
    EXPECT_THAT(problem(), HasSubstr("by its own settings")) << key;
  }
  // Nor of sizes that a thin tensor has in one direction alone.
  for (const std::string name :
       {"decoder.weight", "encoder.embed.0.weight", "encoder.encoders.1.self_attn.linear_q.weight",
        "encoder.encoders.0.feed_forward.w_1.weight"}) {
    auto thin = content();
    for (auto& [other, tensor] : thin.tensors) {
      if (other == name) tensor = tensor.narrow(1, 0, 1).contiguous();
    }
    write(thin);
    EXPECT_THAT(problem(), HasSubstr("by its own settings '" + name + "'"));
  }
  auto uneven = content();
  uneven.metadata["model.heads"] = "3";
  write(uneven);
  EXPECT_THAT(problem(), HasSubstr("does not divide"));
  auto none = content();
  std::erase_if(none.tensors, [](const auto& one) { return one.first == "decoder.bias"; });
  write(none);
  EXPECT_THAT(problem(), HasSubstr("no language model"));
}

TEST_F(LanguageModelFile, HasTheUnitsOfTheRecognizerThatItHelps) {
  write(content());
  auto loaded = load_language_model(file());
  EXPECT_NO_THROW(check_same_units(loaded, units_, "a.safetensors"));
  const text::Units others(std::vector<std::string>{"\xE2\x96\x81", "A", "C"}),
      fewer(std::vector<std::string>{"\xE2\x96\x81", "A"});
  EXPECT_THROW(check_same_units(loaded, others, "a.safetensors"), ConfigError);
  EXPECT_THROW(check_same_units(loaded, fewer, "a.safetensors"), ConfigError);
  loaded.units.clear();
  EXPECT_NO_THROW(check_same_units(loaded, others, "a.safetensors"));
  EXPECT_THROW(check_same_units(loaded, fewer, "a.safetensors"), ConfigError);
}

}  // namespace
}  // namespace raven::evaluation

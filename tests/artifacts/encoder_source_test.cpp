#include "raven/artifacts/encoder_source.h"

#include <gmock/gmock.h>

#include "raven/core/error.h"
#include "raven/nn/state_dict.h"
#include "support/temporary_folder.h"

namespace raven::artifacts {
namespace {

namespace fs = std::filesystem;
using models::Modality;
using testing::HasSubstr;

config::EncoderConfig tiny_options(std::int64_t blocks = 1) {
  config::EncoderConfig options;
  options.dim = 8;
  options.heads = 2;
  options.ffn_dim = 8;
  options.blocks = blocks;
  return options;
}

models::Encoder tiny_encoder(Modality modality,
                             const config::EncoderConfig& options = tiny_options()) {
  return models::Encoder(modality, options, config::FrontendConfig{.widths = {4, 4, 8, 8}});
}

class EncoderSource : public testing::Test {
 protected:
  fs::path write(const models::Encoder& encoder, const std::string& prefix,
                 const std::string& modality = "") const {
    weights::TensorFile file;
    for (const auto& [name, tensor] : nn::state_dict(*encoder))
      file.tensors.emplace_back(prefix + name, tensor);
    if (!modality.empty()) file.metadata["modality"] = modality;
    const auto path = folder_.path() / "encoder.safetensors";
    weights::write_safetensors(path, file);
    return path;
  }
  static std::string problem(const std::function<void()>& load) {
    try {
      load();
    } catch (const CheckpointError& error) {
      return error.what();
    }
    return "";
  }
  TemporaryFolder folder_;
};

TEST_F(EncoderSource, StartsFromAFileWithOrWithoutPrefixButNotFromItsLastNorm) {
  torch::manual_seed(1);
  auto source = tiny_encoder(Modality::kVideo);
  {
    torch::NoGradGuard no_grad;
    for (auto& parameter : source->parameters()) parameter.add_(0.25);
  }
  for (const std::string prefix : {"", "encoder.", "student_video."}) {
    auto encoder = tiny_encoder(Modality::kVideo);
    start_encoder(encoder, write(source, prefix), Modality::kVideo);
    const auto loaded = nn::state_dict(*encoder), expected = nn::state_dict(*source);
    for (std::size_t i = 0; i < loaded.size(); ++i) {
      const auto& name = loaded[i].first;
      if (name.rfind("after_norm.", 0) == 0) {
        const float fresh = name == "after_norm.weight" ? 1 : 0;
        EXPECT_TRUE((loaded[i].second == fresh).all().item<bool>()) << name;
      } else {
        EXPECT_TRUE(torch::equal(loaded[i].second, expected[i].second)) << name;
      }
    }
  }
}

TEST_F(EncoderSource, LeavesAMaskTokenBehind) {
  auto options = tiny_options();
  options.mask_token = true;
  const auto source = tiny_encoder(Modality::kAudio, options);
  auto encoder = tiny_encoder(Modality::kAudio);
  start_encoder(encoder, write(source, "encoder."), Modality::kAudio);
  EXPECT_TRUE(torch::equal(encoder->named_parameters()["embed.0.weight"],
                           source->named_parameters()["embed.linear.weight"]));
}

TEST_F(EncoderSource, RefusesTheOtherModalityByName) {
  const auto file = write(tiny_encoder(Modality::kAudio), "encoder.", "audio");
  EXPECT_THAT(problem([&] { read_encoder(file, Modality::kVideo); }),
              HasSubstr("holds an encoder of audio, expected one of video"));
  const auto students = write(tiny_encoder(Modality::kAudio), "student_audio.");
  EXPECT_THAT(problem([&] { read_encoder(students, Modality::kVideo); }),
              HasSubstr("has no video student"));
}

TEST_F(EncoderSource, ListsEveryTensorThatDoesNotFit) {
  const auto file = write(tiny_encoder(Modality::kVideo, tiny_options(2)), "encoder.");
  auto encoder = tiny_encoder(Modality::kVideo);
  const auto message = problem([&] { start_encoder(encoder, file, Modality::kVideo); });
  EXPECT_THAT(message, HasSubstr("unexpected  encoders.1.self_attn.linear_q.weight"));
  EXPECT_THAT(message, HasSubstr("unexpected  encoders.1.gamma_ff"));
  EXPECT_THAT(problem([&] { read_encoder(folder_.path() / "none", Modality::kVideo); }),
              HasSubstr("no such file or folder"));
}

}  // namespace
}  // namespace raven::artifacts

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

TEST_F(EncoderSource, RefusesTheOtherModalityByName) {
  const auto file = write(tiny_encoder(Modality::kAudio), "encoder.", "audio");
  EXPECT_THAT(problem([&] { read_encoder(file, Modality::kVideo); }),
              HasSubstr("holds an encoder of audio, expected one of video"));
  const auto students = write(tiny_encoder(Modality::kAudio), "student_audio.");
  EXPECT_THAT(problem([&] { read_encoder(students, Modality::kVideo); }),
              HasSubstr("has no video student"));
}

TEST_F(EncoderSource, CountsWhatElseTheFileHolds) {
  weights::TensorFile file;
  for (const auto& [name, tensor] : nn::state_dict(*tiny_encoder(Modality::kVideo)))
    file.tensors.emplace_back("encoder." + name, tensor);
  const auto of_encoder = file.tensors.size();
  for (const auto* name : {"ctc.ctc_lo.weight", "decoder.a.weight", "decoder.b"})
    file.tensors.emplace_back(name, torch::zeros({1}));
  weights::write_safetensors(folder_.path() / "r.safetensors", file);
  const auto source = open_encoder(folder_.path() / "r.safetensors", Modality::kVideo);
  EXPECT_EQ(source.encoder.tensors.size(), of_encoder);
  EXPECT_THAT(source.others,
              testing::ElementsAre(testing::Pair("ctc", 1), testing::Pair("decoder", 2)));
}

TEST_F(EncoderSource, SaysWhatIsNotThere) {
  EXPECT_THAT(problem([&] { read_encoder(folder_.path() / "none", Modality::kVideo); }),
              HasSubstr("no such file or folder"));
}

}  // namespace
}  // namespace raven::artifacts

#include "raven/artifacts/encoder_source.h"

#include <gmock/gmock.h>

#include "raven/core/error.h"
#include "raven/nn/state_dict.h"
#include "support/logged.h"
#include "support/temporary_folder.h"

namespace raven::artifacts {
namespace {

namespace fs = std::filesystem;
using models::Modality;
using testing::AllOf;
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

config::EncoderConfig with_token() {
  auto options = tiny_options();
  options.mask_token = true;
  return options;
}

torch::Tensor tensor_of(const models::Encoder& encoder, const std::string& name) {
  for (const auto& [key, tensor] : nn::state_dict(*encoder)) {
    if (key == name) return tensor;
  }
  ADD_FAILURE() << name;
  return {};
}

TEST_F(EncoderSource, NamesTheProjectionAsItsNetworkDoes) {
  const auto plain = tiny_encoder(Modality::kVideo),
             token = tiny_encoder(Modality::kVideo, with_token());
  auto source = open_encoder(write(plain, "encoder."), Modality::kVideo, /*mask_token=*/true);
  EXPECT_TRUE(
      torch::equal(source.encoder.at("embed.linear.weight"), tensor_of(plain, "embed.0.weight")));
  EXPECT_TRUE(source.others.empty());
  source = open_encoder(write(token, "encoder."), Modality::kVideo, /*mask_token=*/false);
  EXPECT_TRUE(
      torch::equal(source.encoder.at("embed.0.weight"), tensor_of(token, "embed.linear.weight")));
  EXPECT_THAT(source.others, testing::ElementsAre(testing::Pair("mask token", 1)));
  source = open_encoder(write(token, "encoder."), Modality::kVideo, /*mask_token=*/true);
  EXPECT_TRUE(
      torch::equal(source.encoder.at("embed.mask_emb"), tensor_of(token, "embed.mask_emb")));
}

TEST_F(EncoderSource, GivesAStudentAllThatItHas) {
  const auto given = tiny_encoder(Modality::kAudio);
  auto student = tiny_encoder(Modality::kAudio, with_token());
  const auto token = tensor_of(student, "embed.mask_emb").clone();
  auto source = open_encoder(write(given, "encoder."), Modality::kAudio, /*mask_token=*/true);
  std::erase_if(source.encoder.tensors,
                [](const auto& one) { return one.first.starts_with("after_norm."); });
  tensor_of(student, "after_norm.bias").detach().fill_(3);
  const auto said = logged([&] { apply_to_student(source, student, "model.init_audio"); });
  EXPECT_THAT(said, HasSubstr("starts anew: its mask token, its after_norm"));
  EXPECT_TRUE(
      torch::equal(tensor_of(student, "embed.linear.weight"), tensor_of(given, "embed.0.weight")));
  EXPECT_TRUE(torch::equal(tensor_of(student, "embed.mask_emb"), token));
  EXPECT_EQ(tensor_of(student, "after_norm.bias").mean().item<double>(), 3);
  auto larger = tiny_encoder(Modality::kAudio, tiny_options(2));
  EXPECT_THAT(problem([&] { apply_to_student(source, larger, "model.init_audio"); }),
              AllOf(HasSubstr("does not fit this model"), HasSubstr("embed.linear"),
                    HasSubstr("model.init_audio: model.encoder.*")));
}

TEST_F(EncoderSource, SaysWhatIsNotThere) {
  EXPECT_THAT(problem([&] { read_encoder(folder_.path() / "none", Modality::kVideo); }),
              HasSubstr("no such file or folder"));
}

}  // namespace
}  // namespace raven::artifacts

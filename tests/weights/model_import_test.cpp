#include "raven/weights/model_import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/sha256.h"
#include "raven/models/language_model.h"
#include "raven/models/recognizer.h"
#include "raven/weights/inspection.h"
#include "raven/weights/model_card.h"
#include "raven/weights/pytorch_writer.h"
#include "support/golden_recognizer.h"
#include "support/parity.h"
#include "support/temporary_folder.h"

namespace raven::weights {
namespace {

using nlohmann::json;
using testing::HasSubstr;

void write_archive(const std::filesystem::path& file, const nn::StateDict& state) {
  write_pytorch_archive(file, {.tensors = state});
}

nn::StateDict prefixed(const nn::StateDict& state, const std::string& prefix) {
  nn::StateDict result;
  for (const auto& [name, tensor] : state) result.emplace_back(prefix + name, tensor);
  return result;
}

void expect_same_bits(const TensorFile& file, const nn::StateDict& state) {
  ASSERT_EQ(file.tensors.size(), state.size());
  for (std::size_t i = 0; i < state.size(); ++i) {
    EXPECT_EQ(file.tensors[i].first, state[i].first);
    EXPECT_EQ(tensor_sha256(file.tensors[i].second), tensor_sha256(state[i].second))
        << state[i].first;
  }
}

std::string refusal_of(const std::filesystem::path& file) {
  try {
    import_model(file);
  } catch (const CheckpointError& error) {
    return error.what();
  }
  return "was taken";
}

models::Encoder small_encoder(models::Modality modality) {
  return models::Encoder(modality,
                         config::EncoderConfig{.dim = 8, .heads = 2, .ffn_dim = 12, .blocks = 2},
                         config::FrontendConfig{.widths = {2, 3, 4, 5}});
}

TEST(ModelImport, TakesTheGoldenRecognizers) {
  const auto file = parity::json("recognizers.json");
  const auto listed = parity::cases(file);
  const TemporaryFolder folder;
  for (const auto& [name, content] : listed.items()) {
    const auto& sizes = content.at("decoder");
    const auto recognizer = golden::recognizer(content, file.at("salt"));
    const auto path = folder.path() / (name + ".pth");
    write_archive(path, nn::state_dict(*recognizer));
    const auto model = import_model(path, {.heads = sizes.at("heads")});
    EXPECT_EQ(model.kind, ModelKind::kRecognizer) << name;
    expect_same_bits(model.file, nn::state_dict(*recognizer));
    const auto& metadata = model.file.metadata;
    EXPECT_EQ(metadata.at("modality"), content.at("modality").get<std::string>());
    EXPECT_EQ(metadata.contains("data.whole_sound"), metadata.at("modality") == "audio");
    EXPECT_EQ(metadata.at("model.decoder.dim"), std::to_string(sizes.at("dim").get<int>()));
    EXPECT_EQ(metadata.at("vocabulary"), std::to_string(content.at("vocab").get<int>()));
    if (metadata.at("modality") == "audio") {  // of a recognizer of ours that was trained without
      const auto beside = folder.path() / (name + ".settings.json");
      write_file_atomically(beside, settings_text({{"data.waveform", "none"}}));
      EXPECT_FALSE(import_model(path).file.metadata.contains("data.whole_sound"));
      std::filesystem::remove(beside);
    }
    const auto guessed = import_model(path);  // as many heads as the small encoder has
    EXPECT_EQ(guessed.file.metadata.at("model.decoder.heads"),
              std::to_string(sizes.at("heads").get<int>()));
  }
}

TEST(ModelImport, TakesEncodersUnderEachPublishedName) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "e.pth";
  for (const auto modality : {models::Modality::kVideo, models::Modality::kAudio}) {
    const auto encoder = small_encoder(modality);
    const auto state = nn::state_dict(*encoder);
    for (const std::string prefix :
         {"", "encoder.", "model._orig_mod.model.backbone.encoder.", "state_dict.encoder."}) {
      auto named = prefixed(state, prefix);
      if (prefix.size() > 8) named.emplace_back("predictor.weight", torch::ones({2}));
      write_archive(path, named);
      const auto model = import_model(path);
      EXPECT_EQ(model.kind, ModelKind::kEncoder) << prefix;
      EXPECT_EQ(model.notes.size(), prefix.size() > 8 ? 2U : 1U) << prefix;
      expect_same_bits(model.file, prefixed(state, "encoder."));
      EXPECT_EQ(model.file.metadata.at("model.encoder.blocks"), "2");
      EXPECT_EQ(model.file.metadata.at("model.encoder.ffn_norm"), "batch");
    }
  }
}

TEST(ModelImport, TakesOneHalfOfASharedEncoder) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "e.pth";
  const auto encoder = small_encoder(models::Modality::kVideo);
  nn::StateDict shared;
  for (const auto& [name, tensor] : nn::state_dict(*encoder)) {
    auto renamed = name;
    if (name.rfind("frontend.", 0) == 0) renamed = "frontend_v." + name.substr(9);
    if (name.rfind("embed.0.", 0) == 0) renamed = "linear_v." + name.substr(8);
    shared.emplace_back("model._orig_mod.model.backbone.encoder." + renamed, tensor);
  }
  write_archive(path, shared);
  EXPECT_THROW(import_model(path), CheckpointError);
  expect_same_bits(import_model(path, {.modality = "video"}).file,
                   prefixed(nn::state_dict(*encoder), "encoder."));
}

TEST(ModelImport, TakesALanguageModel) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "lm.pth";
  models::LanguageModel model(
      config::LanguageModelConfig{.embed_dim = 4, .dim = 8, .heads = 2, .ffn_dim = 12, .blocks = 3},
      11);
  write_archive(path, nn::state_dict(*model));
  const auto imported = import_model(path, {.heads = 2});
  EXPECT_EQ(imported.kind, ModelKind::kLanguageModel);
  expect_same_bits(imported.file, nn::state_dict(*model));
  EXPECT_EQ(imported.file.metadata.at("model.blocks"), "3");
}

TEST(ModelImport, LeavesRavensOwnFilesAsTheyAre) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "own.safetensors";
  TensorFile own{.tensors = nn::state_dict(*small_encoder(models::Modality::kAudio))};
  own.metadata = {{"format", "raven-encoder"}, {"data.waveform", "clip"}};
  write_safetensors(path, own);
  try {
    import_model(path);
    FAIL() << "its settings would be lost";
  } catch (const CheckpointError& error) {
    EXPECT_THAT(error.what(), HasSubstr("is raven's own file already"));
  }
}

TEST(ModelImport, WritesTheHashesOfSourceAndTensors) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "e.pth", out = folder.path() / "e.safetensors";
  const auto state = nn::state_dict(*small_encoder(models::Modality::kVideo));
  write_archive(path, state);
  write_imported(out, path, import_model(path));
  const auto written = read_safetensors(out);
  EXPECT_EQ(written.metadata.at(kSourceHash), sha256_file(path));
  const auto hashes = json::parse(written.metadata.at(kTensorHashes));
  ASSERT_EQ(hashes.size(), state.size());
  for (const auto& [name, tensor] : state) {
    EXPECT_EQ(hashes.at("encoder." + name), tensor_sha256(tensor)) << name;
  }
}

TEST(ModelImport, WritesNothingWhenTheSourceIsDamaged) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "e.pth", out = folder.path() / "e.safetensors";
  write_archive(path, nn::state_dict(*small_encoder(models::Modality::kVideo)));
  const auto model = import_model(path);
  auto damaged = read_file(path);
  const auto middle = damaged.size() / 2;  // within some tensor
  damaged[middle] = static_cast<char>(damaged[middle] ^ 1);
  std::ofstream(path, std::ios::binary) << damaged;
  try {
    write_imported(out, path, model);
    FAIL() << "was written";
  } catch (const CheckpointError& error) {
    EXPECT_THAT(error.what(), HasSubstr("is damaged: its CRC-32 is"));
  }
  EXPECT_FALSE(std::filesystem::exists(out));
  EXPECT_THROW(inspect(path), CheckpointError);
  EXPECT_NO_THROW(inspect(path, {.numbers = false}));
}

TEST(ModelImport, ASizeThatOtherTensorsDenyTakesNoMemory) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "encoder.pth";
  auto state = nn::state_dict(*small_encoder(models::Modality::kVideo));
  for (auto& [name, tensor] : state) {
    if (name == "embed.0.weight") tensor = torch::zeros({1 << 20, 1});
    if (name == "encoders.0.self_attn.pos_bias_u") tensor = torch::zeros({2, 1});
  }
  write_archive(path, state);
  EXPECT_THAT(refusal_of(path),
              HasSubstr("embed.0.weight is [1048576, 1] instead of [1048576, 5]"));
}

TEST(ModelImport, SettingsBesideAFileStandForWhatShapesDoNotTell) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "encoder.pth";
  write_archive(path, nn::state_dict(*small_encoder(models::Modality::kAudio)));
  EXPECT_EQ(import_model(path).file.metadata.at("data.waveform"), "none");
  const auto beside = folder.path() / "encoder.settings.json";
  write_file_atomically(beside, settings_text({{"data.waveform", "clip"},
                                               {"data.video.window", "72"},
                                               {"units", "left out"},
                                               {"model.encoder.dim", "9"}}));
  const auto metadata = import_model(path).file.metadata;
  EXPECT_EQ(metadata.at("data.waveform"), "clip");
  EXPECT_EQ(metadata.at("data.video.window"), "72");
  EXPECT_EQ(metadata.at("model.encoder.dim"), "8");
  EXPECT_THAT(metadata.at("normalisation"), HasSubstr("mean 0"));
  for (const char* wrong :
       {R"({"model.encoder.dim": "9"})", R"({"data.waveform": 1})", "[]", "{"}) {
    write_file_atomically(beside, wrong);
    EXPECT_THAT(refusal_of(path), HasSubstr("encoder.settings.json")) << wrong;
  }
}

TEST(ModelImport, PublishedPicturesHadPublishedGrey) {
  const TemporaryFolder folder;
  const auto pth = folder.path() / "encoder.pth", own = folder.path() / "own.safetensors";
  write_archive(pth, nn::state_dict(*small_encoder(models::Modality::kVideo)));
  const auto model = import_model(pth);
  EXPECT_EQ(model.file.metadata.at("data.grey"), "published");
  write_imported(own, pth, model);
  EXPECT_TRUE(saw_published_grey(pth));
  EXPECT_TRUE(saw_published_grey(own));
  EXPECT_FALSE(saw_published_grey(folder.path()));
  // What raven trained says nothing of grey, nor does what it exported of that.
  write_safetensors(own, {.tensors = {}, .metadata = {{"format", "raven-encoder"}}});
  EXPECT_FALSE(saw_published_grey(own));
  const auto beside = folder.path() / "encoder.settings.json";
  write_file_atomically(beside, settings_text({{"data.waveform", "none"}}));
  EXPECT_FALSE(saw_published_grey(pth));
  write_file_atomically(beside, settings_text(model.file.metadata));  // exported again
  EXPECT_TRUE(saw_published_grey(pth));
  EXPECT_EQ(import_model(pth).file.metadata.at("data.grey"), "published");
}

TEST(ModelImport, EveryBitOfTheSettingsBesideIsRefusedOrHarmless) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "encoder.pth", beside = folder.path() / "encoder.settings.json";
  write_file_atomically(beside,
                        settings_text({{"data.waveform", "clip"}, {"units", "<unk> 1\n"}}, "ab"));
  const auto whole = settings_beside(path).settings;
  EXPECT_EQ(whole, (Metadata{{"data.waveform", "clip"}}));
  EXPECT_EQ(settings_beside(path).units_hash, sha256("<unk> 1\n"));
  EXPECT_EQ(settings_beside(path).weights_hash, "ab");
  auto bytes = read_file(beside);
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      bytes[at] = static_cast<char>(bytes[at] ^ 1 << bit);
      std::ofstream(beside, std::ios::binary) << bytes;
      try {
        EXPECT_EQ(settings_beside(path).settings, whole);
      } catch (const CheckpointError&) {
      }
      bytes[at] = static_cast<char>(bytes[at] ^ 1 << bit);
    }
  }
  write_file_atomically(beside, R"({"data.waveform": "clip"})");  // of an older program
  EXPECT_EQ(settings_beside(path).settings, whole);
}

TEST(ModelImport, RefusesWhatIsDamagedByItsOwnHashes) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "encoder.safetensors";
  write_safetensors(path, {.tensors = nn::state_dict(*small_encoder(models::Modality::kAudio))},
                    {.hashes = true});
  EXPECT_NO_THROW(import_model(path));
  auto bytes = read_file(path);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  std::ofstream(path, std::ios::binary) << bytes;
  EXPECT_THAT(refusal_of(path), HasSubstr("is damaged"));
}

TEST(ModelImport, RefusesWhatDoesNotFit) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "e.pth";
  const auto state = nn::state_dict(*small_encoder(models::Modality::kVideo));
  const auto refusal = [&](const nn::StateDict& wrong) {
    write_archive(path, wrong);
    return refusal_of(path);
  };
  auto wrong = state;
  for (auto& [name, tensor] : wrong) {
    if (name == "encoders.1.norm_mha.bias") tensor = torch::ones({9});
  }
  EXPECT_THAT(refusal(wrong), HasSubstr("encoders.1.norm_mha.bias is [9] instead of [8]"));
  wrong = state;
  wrong.pop_back();
  wrong.pop_back();
  wrong.erase(wrong.begin() + 1);
  EXPECT_THAT(refusal(wrong), HasSubstr("missing " + state[1].first));
  wrong = state;
  wrong.emplace_back("encoders.1.surprise", torch::ones({1}));
  EXPECT_THAT(refusal(wrong), HasSubstr("unexpected encoders.1.surprise"));
  EXPECT_THAT(refusal({{"w", torch::ones({1})}}), HasSubstr("neither a recognizer nor"));
  wrong = state;
  wrong.emplace_back("encoders.1.gamma_conv", torch::ones({8}));
  EXPECT_EQ(refusal(wrong), "was taken");
}

}  // namespace
}  // namespace raven::weights

// Recognizers under the published names, as files of PyTorch: `raven import` takes them in one
// command, and what it writes holds the golden values.
#include <gtest/gtest.h>

#include "raven/core/files.h"
#include "raven/evaluation/recognizer_file.h"
#include "raven/weights/pytorch_writer.h"
#include "support/golden_recognizer.h"
#include "support/parity_tensors.h"
#include "support/shell.h"
#include "support/temporary_folder.h"
#include "support/tolerance.h"

namespace raven {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// A units file of that many units.
void write_units(const fs::path& file, std::int64_t units) {
  std::string text = "<unk> 1\n";
  for (std::int64_t i = 2; i < units - 1; ++i) text += fmt::format("piece{} {}\n", i, i);
  write_file_atomically(file, text);
}

/// Writes the model as a .pth, imports that, and loads what was written. The heads of a decoder are
/// not told by its shapes.
evaluation::LoadedRecognizer through_a_file(models::Recognizer& recognizer, const json& content,
                                            const TemporaryFolder& folder) {
  const auto pth = folder.path() / "published.pth", out = folder.path() / "recognizer.safetensors";
  weights::write_pytorch_archive(pth, {.tensors = nn::state_dict(*recognizer)});
  write_units(folder.path() / "units.txt", recognizer->options().units);
  const auto result =
      shell(RAVEN_BINARY_DIR "/bin/raven import " + pth.string() + " " + out.string() +
            " --units " + (folder.path() / "units.txt").string() +
            fmt::format(" --heads {}", content.at("decoder").at("heads").get<std::int64_t>()));
  EXPECT_EQ(result.code, 0) << result.output;
  return evaluation::load_recognizer(out);
}

TEST(ImportParity, GoldenRecognizersKeepTheirOutputs) {
  torch::NoGradGuard no_grad;
  const auto file = parity::json("recognizers.json");
  const auto golden = parity::tensors("recognizers.safetensors");
  const std::string salt = file.at("salt");
  const auto listed = parity::cases(file);
  std::size_t compared = 0;
  for (const auto& [name, content] : listed.items()) {
    if (content.at("tensors").empty()) continue;
    const TemporaryFolder folder;
    auto written = golden::recognizer(content, salt);
    auto loaded = through_a_file(written, content, folder);
    auto& recognizer = *loaded.recognizer;
    const auto [input, valid, labels] = golden::recognizer_input(content, salt);
    const auto encoded = recognizer.encode(input, valid);
    const auto sentence = models::teacher_forcing(labels, recognizer.end_unit());
    const std::map<std::string, torch::Tensor> computed = {
        {"encoder", encoded},
        {"ctc_log_probs", recognizer.ctc(encoded)},
        {"decoder_logits", recognizer.decoder(sentence.read, encoded, valid)}};
    for (const auto& [tensor, error] : content.at("tensors").items()) {
      const auto tolerance =
          tensor == "encoder" ? tolerance::encoders::kFinal : tolerance::recognizers::kOutput;
      EXPECT_LE(tolerance::distance(computed.at(tensor), golden.at(name + "/" + tensor)), tolerance)
          << name << "/" << tensor;
      ++compared;
    }
  }
  EXPECT_GT(compared, 0U);
}

TEST(ImportParity, RecognizersKeepTheOutputsOfTheGoldenEncoders) {
  torch::NoGradGuard no_grad;
  const auto file = parity::json("encoders.json");
  const auto golden = parity::tensors("encoders.safetensors");
  const std::string salt = file.at("salt");
  const auto listed = parity::cases(file);
  std::size_t compared = 0;
  for (const auto& [name, content] : listed.items()) {
    const auto mode = content.at("mode").get<std::string>();
    if (mode.rfind("eval", 0) != 0 || content.contains("extra_samples")) continue;
    const TemporaryFolder folder;
    json whole = content;
    whole["decoder"] = content.at("encoder");  // any will do: the encoder is what is compared
    whole["decoder"]["blocks"] = 1;
    whole["vocab"] = 1049;
    whole["weights_prefix"] = "";
    auto written = golden::recognizer(whole, salt);
    auto loaded = through_a_file(written, whole, folder);
    const auto lengths = golden::lengths(content);
    const auto frames = golden::longest(content);
    const auto input_name = content.at("input").get<std::string>();
    const auto input = content.at("modality") == "video"
                           ? formula::video(salt, input_name, lengths, frames)
                           : formula::audio(salt, input_name, lengths, frames);
    const auto valid = mode.find("no padding mask") == std::string::npos
                           ? formula::valid(lengths, frames)
                           : torch::Tensor();
    EXPECT_LE(
        tolerance::distance(loaded.recognizer->encode(input, valid), golden.at(name + "/final")),
        tolerance::encoders::kFinal)
        << name;
    ++compared;
  }
  EXPECT_GT(compared, 0U);
}

}  // namespace
}  // namespace raven

// `raven import` and `raven export` as a user runs them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "raven/core/files.h"
#include "raven/models/recognizer.h"
#include "raven/nn/state_dict.h"
#include "raven/text/units.h"
#include "raven/weights/inspection.h"
#include "raven/weights/pytorch_writer.h"
#include "support/open_count.h"
#include "support/shell.h"
#include "support/temporary_folder.h"

namespace raven::cli {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

const std::string kArchives = RAVEN_SOURCE_DIR "/tests/parity/data/archives/";

class Exchange : public testing::Test {
 protected:
  static ShellResult raven(const std::string& arguments) {
    return shell(std::string(RAVEN_BINARY_DIR) + "/bin/raven " + arguments + " 2>&1");
  }
  [[nodiscard]] std::string file(const std::string& name) const {
    return (folder_.path() / name).string();
  }
  [[nodiscard]] std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_.path())) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }
  /// A recognizer of 5 units.
  static models::Recognizer tiny(models::Modality modality) {
    return models::Recognizer(
        models::RecognizerOptions{.modality = modality,
                                  .encoder = {.dim = 8, .heads = 2, .ffn_dim = 12, .blocks = 2},
                                  .frontend = {.widths = {2, 3, 4, 5}},
                                  .decoder = {.dim = 6, .heads = 2, .ffn_dim = 10, .blocks = 1},
                                  .units = 5});
  }
  void write_pth(const std::string& name) const {
    weights::write_pytorch_archive(file(name),
                                   {.tensors = nn::state_dict(*tiny(models::Modality::kAudio))});
  }
  void write_units(const std::string& name, const std::vector<std::string>& pieces) const {
    write_file_atomically(file(name), text::Units(pieces).text());
  }

 private:
  TemporaryFolder folder_;
};

TEST_F(Exchange, ADryRunTellsAndWritesNothing) {
  write_pth("a.pth");
  const auto result = raven("import " + file("a.pth") + " " + file("out/") + " --dry-run");
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.output, HasSubstr("fine-tuned recognizer of audio (8 wide"));
  EXPECT_THAT(result.output, HasSubstr("its units are not known"));
  EXPECT_THAT(result.output, HasSubstr("would write " + file("out/recognizer.safetensors")));
  EXPECT_THAT(files(), ElementsAre("a.pth"));
  const auto without = raven("import " + file("a.pth") + " --dry-run");
  EXPECT_EQ(without.code, 0);
  EXPECT_THAT(without.output, HasSubstr("fine-tuned recognizer of audio (8 wide"));
  EXPECT_EQ(raven("import " + file("a.pth")).code, 2);
  EXPECT_THAT(raven("import " + file("a.pth")).output, HasSubstr("OUT must be given"));
}

TEST_F(Exchange, AHostileFileIsRefusedAndNothingWritten) {
  const auto result =
      raven("import " + kArchives + "runs_a_command.pth " + file("out.safetensors"));
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.output, HasSubstr("posix.system"));
  EXPECT_TRUE(files().empty());
}

TEST_F(Exchange, ImportFindsUnitsBesideTheFile) {
  write_pth("a.pth");
  write_units("units.txt", {"A"});  // of another model
  auto result = raven("import " + file("a.pth") + " " + file("a.safetensors"));
  EXPECT_EQ(result.code, 0) << result.output;
  EXPECT_THAT(result.output, HasSubstr("has 4 units, but the model has 5; it was left out"));
  EXPECT_EQ(weights::read_safetensors_metadata(file("a.safetensors")).count("units"), 0U);
  EXPECT_EQ(raven("import " + file("a.pth") + " " + file("a.safetensors") + " --units " +
                  file("units.txt"))
                .code,
            2);
  write_units("a.units.txt", {"A", "B"});
  EXPECT_EQ(raven("import " + file("a.pth") + " " + file("a.safetensors")).code, 0);
  EXPECT_EQ(weights::read_safetensors_metadata(file("a.safetensors")).at("units"),
            read_file(file("a.units.txt")));
}

TEST_F(Exchange, ExportAndImportKeepEveryBit) {
  write_pth("a.pth");
  write_units("a.units.txt", {"A", "B"});
  ASSERT_EQ(raven("import " + file("a.pth") + " " + file("b.safetensors")).code, 0);
  const auto out = raven("export " + file("b.safetensors") + " " + file("c.pth"));
  ASSERT_EQ(out.code, 0) << out.output;
  EXPECT_EQ(read_file(file("c.pth")), read_file(file("a.pth")));
  EXPECT_EQ(read_file(file("c.units.txt")), read_file(file("a.units.txt")));
  ASSERT_EQ(raven("import " + file("c.pth") + " " + file("d.safetensors")).code, 0);
  const auto b = weights::read_safetensors_metadata(file("b.safetensors"));
  auto d = weights::read_safetensors_metadata(file("d.safetensors"));
  EXPECT_EQ(d.at("source"), "c.pth");
  d["source"] = b.at("source");
  EXPECT_NE(d.at("metadata_sha256"), b.at("metadata_sha256"));  // of the source, too
  d["metadata_sha256"] = b.at("metadata_sha256");
  EXPECT_EQ(b, d);
}

// A kill between an export's weights and what goes beside them.
TEST_F(Exchange, WeightsBesideTheSettingsOfOthersAreRefused) {
  for (const char* name : {"a.pth", "b.pth"}) {
    write_pth(name);  // random ones
    ASSERT_EQ(raven("import " + file(name) + " " + file(name) + ".safetensors").code, 0);
    ASSERT_EQ(raven("export " + file(name) + ".safetensors " + file(name)).code, 0);
    // The same model in another format shares what lies beside.
    ASSERT_EQ(
        raven("export " + file(name) + " " + file(name).substr(0, file(name).size() - 3) + "npz")
            .code,
        0);
    EXPECT_EQ(raven("import " + file(name) + " --dry-run").code, 0);
  }
  fs::rename(file("b.pth"), file("a.pth"));
  const auto refused = raven("import " + file("a.pth") + " --dry-run");
  EXPECT_NE(refused.code, 0);
  EXPECT_THAT(refused.output, HasSubstr("a.settings.json beside it belongs to other weights"));
  fs::remove(file("a.settings.json"));
  EXPECT_EQ(raven("import " + file("a.pth") + " --dry-run").code, 0);
}

TEST_F(Exchange, WhatIsReadIsOpenedOnce) {
  write_pth("a.pth");
  OpenCount openings(file("a.pth"));
  for (const auto& command : {"import " + file("a.pth") + " --dry-run",
                              "import " + file("a.pth") + " " + file("b.safetensors"),
                              "export " + file("a.pth") + " " + file("c.safetensors")}) {
    EXPECT_EQ(raven(command).code, 0);
    EXPECT_EQ(openings.take(), 1) << command;
  }
}

TEST_F(Exchange, ExportTakesTheEncoderOutUnderItsBareNames) {
  write_pth("a.pth");
  ASSERT_EQ(raven("export " + file("a.pth") + " " + file("e.pth") + " --part encoder").code, 0);
  const auto encoder = weights::open_weights(file("e.pth")).content;
  const auto state = nn::state_dict(*tiny(models::Modality::kAudio)->encoder);
  ASSERT_EQ(encoder.tensors.size(), state.size());
  for (std::size_t i = 0; i < state.size(); ++i) {
    EXPECT_EQ(encoder.tensors[i].first, state[i].first);
  }
  ASSERT_EQ(
      raven("export " + file("a.pth") + " " + file("folder/") + " --part audio --format npz").code,
      0);
  EXPECT_TRUE(fs::exists(file("folder/audio.npz")));
  ASSERT_EQ(raven("export " + file("e.pth") + " " + file("e.safetensors")).code, 0);
  const auto metadata = weights::read_safetensors_metadata(file("e.safetensors"));
  EXPECT_EQ(metadata.at("format"), "raven-encoder");
  EXPECT_EQ(metadata.at("modality"), "audio");
  EXPECT_EQ(metadata.count("model.decoder.dim"), 0U);
}

TEST_F(Exchange, ExportTakesOneHalfOfASharedEncoder) {
  nn::StateDict shared;
  for (const auto& [name, tensor] : nn::state_dict(*tiny(models::Modality::kAudio)->encoder)) {
    auto renamed = name;
    if (name.rfind("frontend.", 0) == 0) renamed = "frontend_a." + name.substr(9);
    if (name.rfind("embed.0.", 0) == 0) renamed = "linear_a." + name.substr(8);
    shared.emplace_back("encoder." + renamed, tensor);
  }
  weights::write_pytorch_archive(file("shared.pth"), {.tensors = shared});
  const auto command = "export " + file("shared.pth") + " " + file("half.safetensors");
  const auto unclear = raven(command);
  EXPECT_NE(unclear.code, 0);
  EXPECT_THAT(unclear.output, HasSubstr("--part video or --part audio"));
  const auto half = raven(command + " --part audio");
  ASSERT_EQ(half.code, 0) << half.output;
  EXPECT_EQ(weights::read_safetensors_metadata(file("half.safetensors")).at("modality"), "audio");
}

TEST_F(Exchange, ExportSaysWhatIsWrongWithItsArguments) {
  write_pth("a.pth");
  const auto refusal = [&](const std::string& arguments) {
    const auto result = raven("export " + arguments);
    EXPECT_NE(result.code, 0) << arguments;
    return result.output;
  };
  EXPECT_THAT(refusal(file("a.pth") + " " + file("b.pth") + " --part video"),
              HasSubstr("holds recognizer and audio"));
  EXPECT_THAT(refusal(file("a.pth") + " " + file("b.pth") + " --format npz"),
              HasSubstr("ends as a file of pth"));
  EXPECT_THAT(refusal(file("a.pth") + " " + file("a.pth")), HasSubstr("is the file that is read"));
  const auto none = HasSubstr(file("none") + ": no such file or folder; expected a run");
  EXPECT_THAT(refusal(file("none") + " " + file("b.pth")), none);
  for (const auto& command :
       {"import " + file("none") + " --dry-run", "inspect " + file("none"),
        "average " + file("none") + " --out " + file("b.safetensors"),
        "features --model " + file("none") + " --out " + file("f") + " " + file("a.pth")})
    EXPECT_THAT(raven(command).output, none) << command;
  EXPECT_THAT(files(), ElementsAre("a.pth"));
  const auto without = raven("import " + file("a.pth") + " --dry-run");
  EXPECT_EQ(without.code, 0);
  EXPECT_THAT(without.output, HasSubstr("fine-tuned recognizer of audio (8 wide"));
  EXPECT_EQ(raven("import " + file("a.pth")).code, 2);
  EXPECT_THAT(raven("import " + file("a.pth")).output, HasSubstr("OUT must be given"));
}

}  // namespace
}  // namespace raven::cli

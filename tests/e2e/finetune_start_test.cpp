// What `raven finetune` starts from, and what it tells of its lists.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "e2e/tiny_recognizers.h"
#include "raven/core/sha256.h"
#include "raven/report/run_history.h"
#include "raven/weights/safetensors.h"

namespace raven {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

class FinetuneStart : public TinyRecognizers {
 protected:
  [[nodiscard]] std::string said(const std::string& name) const { return read_file(log(name)); }
  [[nodiscard]] json environment(const std::string& run) const {
    return json::parse(read_file(folder(run) / "environment.json"));
  }
  [[nodiscard]] static std::map<std::string, std::string> metadata(const fs::path& file) {
    return weights::read_safetensors_metadata(file);
  }
  /// Of the first evaluation, before any step.
  [[nodiscard]] double first_held_out_loss(const std::string& run) const {
    std::ifstream lines(folder(run) / "metrics.jsonl");
    for (std::string line; std::getline(lines, line);) {
      const auto numbers = json::parse(line);
      if (numbers.contains("valid_loss")) return numbers.at("valid_loss");
    }
    ADD_FAILURE() << "no evaluation";
    return 0;
  }

  /// The test clips as a list of names of their own, changed.
  template <class Change>
  std::string test_list(const std::string& name, const Change& change) const {
    auto manifest = data::read_manifest(test());
    manifest.file = folder(name);
    for (auto& utterance : manifest.utterances) utterance.id = "test/" + utterance.id;
    change(manifest.utterances);
    data::write_manifest(manifest);
    return manifest.file.string();
  }
};

TEST_F(FinetuneStart, GoesOnFromAWholeRecognizer) {
  ASSERT_EQ(finetune("first", {"train.steps=60"}), 0) << said("first");
  const auto from = [&](const std::string& run, std::vector<std::string> more) {
    more.insert(more.end(), {"model.init=" + folder("first").string(), "train.steps=6"});
    return finetune(run, more);
  };
  ASSERT_EQ(from("whole", {"model.init_parts=all"}), 0) << said("whole");
  EXPECT_THAT(said("whole"), HasSubstr("model.init: takes the whole recognizer of "));
  EXPECT_THAT(said("whole"), Not(HasSubstr("not taken")));
  ASSERT_EQ(from("encoder", {"model.reinit_blocks=1"}), 0) << said("encoder");
  EXPECT_THAT(said("encoder"),
              HasSubstr("takes the encoder but its after_norm and its last block of "));
  EXPECT_THAT(said("encoder"), HasSubstr("model.init: not taken: ctc (2 tensors), decoder ("));
  EXPECT_THAT(said("encoder"), HasSubstr("the encoder's last block ("));
  EXPECT_LT(first_held_out_loss("whole"), 0.8 * first_held_out_loss("encoder"));
  for (const auto& [run, taken] : std::map<std::string, std::string>{
           {"whole", "the whole recognizer"},
           {"encoder", "the encoder but its after_norm and its last block"}}) {
    EXPECT_EQ(environment(run).at("started_with"), taken);
    EXPECT_EQ(environment(run).at("started_from"), "first");
    EXPECT_EQ(metadata(folder(run) / "recognizer.safetensors").at("started_with"), taken);
  }
  // A checkpoint and a .pth serve as well.
  const auto pth = folder("first.pth").string();
  ASSERT_EQ(raven("export", {"export", folder("first").string(), pth}), 0) << said("export");
  const std::vector<std::string> all = {"model.init_parts=all", "train.steps=6"};
  auto of_pth = all, of_checkpoint = all;
  of_pth.push_back("model.init=" + pth);
  of_checkpoint.push_back("model.init=" + (folder("first") / "checkpoints" / "last").string());
  ASSERT_EQ(finetune("pth", of_pth), 0) << said("pth");
  EXPECT_EQ(recognizer("pth").substr(recognizer("pth").size() - 5000),
            recognizer("whole").substr(recognizer("whole").size() - 5000));
  ASSERT_EQ(finetune("checkpoint", of_checkpoint), 0) << said("checkpoint");
  EXPECT_EQ(environment("checkpoint").at("started_from"), "first/checkpoints/last");
}

TEST_F(FinetuneStart, TheEncodersInputIsThatOfItsTraining) {
  ASSERT_EQ(finetune("first", {"data.video.window=80", "train.steps=6"}), 0) << said("first");
  // What the fixture writes, crop and shrink, agrees; the window is written nowhere.
  const auto init = "model.init=" + folder("first").string();
  ASSERT_EQ(finetune("second", {init, "train.steps=6"}), 0) << said("second");
  EXPECT_THAT(said("second"),
              HasSubstr("data.video.crop=20 data.video.shrink=4 data.video.window=80"));
  const auto kept = json::parse(read_file(folder("second") / "config.json"));
  EXPECT_EQ(kept.at("data").at("video").at("window"), 80);
  // It goes on, also where the encoder is gone.
  fs::rename(folder("first"), folder("away"));
  EXPECT_EQ(finetune("second", {init, "train.steps=9"}), 0) << said("second");
  const auto moved = "model.init=" + folder("away").string();
  EXPECT_EQ(finetune("other", {moved, "data.video.window=96", "train.steps=6"}), 2);
  EXPECT_THAT(said("other"), HasSubstr("data.video.window: 80 there, 96 here"));
  EXPECT_THAT(said("other"), HasSubstr("model.init_input=own"));
  EXPECT_FALSE(fs::exists(folder("other")));
  ASSERT_EQ(
      finetune("own", {moved, "data.video.window=96", "model.init_input=own", "train.steps=6"}), 0)
      << said("own");
  EXPECT_THAT(said("own"), HasSubstr("was trained on other input"));
  EXPECT_EQ(
      json::parse(read_file(folder("own") / "config.json")).at("data").at("video").at("window"),
      96);
}

TEST_F(FinetuneStart, WarnsOfRandomWeightsThatAreFrozen) {
  ASSERT_EQ(finetune("frozen", {"model.frozen=frontend", "model.init=", "train.steps=4"}), 0)
      << said("frozen");
  EXPECT_THAT(said("frozen"), HasSubstr("model.frozen=frontend with random weights (model.init is "
                                        "empty): what is frozen never learns"));
  ASSERT_EQ(finetune("free", {"model.init=", "train.steps=4"}), 0) << said("free");
  EXPECT_THAT(said("free"), Not(HasSubstr("random weights (model.init")));
}

TEST_F(FinetuneStart, ARunKnowsItsEncoderByContent) {
  ASSERT_EQ(finetune("first", {"train.steps=6"}), 0) << said("first");
  const auto file = folder("first") / "recognizer.safetensors";
  const auto sha256 = sha256_file(file);
  const auto from = [&](const fs::path& init, const std::string& steps) {
    return finetune("second", {"model.init=" + init.string(), "train.steps=" + steps});
  };
  ASSERT_EQ(from(file, "6"), 0) << said("second");
  EXPECT_EQ(environment("second").at("started_from_sha256"), sha256);
  EXPECT_EQ(environment("second").at("started_from_step"), "6");
  // Elsewhere, and from another working directory: the same weights.
  const auto copy = folder("copy.safetensors");
  fs::copy_file(file, copy);
  ASSERT_EQ(from(copy, "9"), 0) << said("second");
  const auto told = metadata(folder("second") / "recognizer.safetensors");
  EXPECT_EQ(told.at("started_from_sha256"), sha256);
  EXPECT_EQ(told.at("started_from"), "recognizer.safetensors");
  fs::rename(folder("second"), folder("moved"));
  EXPECT_EQ(finetune("moved", {"model.init=" + copy.string(), "train.steps=12"}), 0)
      << said("moved");
  fs::rename(folder("moved"), folder("second"));
  ASSERT_EQ(finetune("third", {"train.steps=9"}), 0);
  EXPECT_EQ(from(folder("third"), "15"), 2);
  EXPECT_THAT(said("second"), HasSubstr("holds other weights"));
  EXPECT_EQ(from(folder("none"), "15"), 2);
  EXPECT_THAT(said("second"), HasSubstr("cannot be compared with it"));
  const auto parts = report::parse_history(read_file(folder("second") / "history.jsonl"));
  ASSERT_EQ(parts.size(), 3U);
  EXPECT_EQ(parts[2].start.from_step, 9);
  EXPECT_EQ(parts[2].start.steps, 12);
  EXPECT_EQ(parts[2].stop->reason, "done");
  EXPECT_EQ(parts[0].start.arguments.front(), "finetune");
}

TEST_F(FinetuneStart, AWholeRecognizerKeepsItsVocabularyAndSizes) {
  ASSERT_EQ(finetune("first"), 0) << said("first");
  const auto characters = (temporary_.path() / "characters").string();
  ASSERT_EQ(Process({kRaven, "tokenizer", "train", train(), "--kind", "char", "--out", characters},
                    log("tokenizer"))
                .wait(),
            0);
  const auto init = "model.init=" + folder("first").string();
  const auto other_units = "text.model=" + characters + ".model";
  EXPECT_EQ(finetune("units", {init, "model.init_parts=all", other_units}), 1);
  EXPECT_THAT(said("units"), HasSubstr("its heads are for other units ("));
  EXPECT_EQ(finetune("sizes", {init, "model.init_parts=all", "model.decoder.ffn_dim=48"}), 1);
  EXPECT_THAT(said("sizes"), HasSubstr("model.decoder.ffn_dim: 32 in the file, 48 here"));
  EXPECT_EQ(finetune("encoder", {init, other_units, "model.decoder.ffn_dim=48"}), 0)
      << said("encoder");
}

TEST_F(FinetuneStart, TestClipsAreKeptOutOfTraining) {
  const auto training = data::read_manifest(train());
  const auto no_change = [](auto&) {};
  const auto test = "data.test_manifest=" + test_list("test.tsv", no_change);
  ASSERT_EQ(finetune("clean", {test}), 0) << said("clean");
  EXPECT_EQ(environment("clean").at("overlap_check"), "passed, speakers not known");
  const auto planted_id =
      test_list("id.tsv", [&](auto& utterances) { utterances[3].id = training.utterances[5].id; });
  EXPECT_EQ(finetune("id", {"data.test_manifest=" + planted_id}), 2);
  EXPECT_THAT(said("id"), HasSubstr("1 of the 12 training clips are in data.test_manifest"));
  EXPECT_THAT(said("id"), HasSubstr("'clip5' ("));
  EXPECT_THAT(said("id"), HasSubstr("the id of 'clip5' ("));
  EXPECT_FALSE(fs::exists(folder("id")));
  const auto planted_clip = test_list("clip.tsv", [&](auto& utterances) {
    const auto copy = folder("copy.mp4");
    fs::copy_file(training.utterances[7].video.file, copy);
    utterances[3].video.file = copy;
  });
  EXPECT_EQ(finetune("clip", {"data.test_manifest=" + planted_clip}), 2);
  EXPECT_THAT(said("clip"), HasSubstr("'clip7' ("));
  EXPECT_THAT(said("clip"), HasSubstr("the video of 'test/clip3' ("));
  // Turned off it trains, and every record says so.
  ASSERT_EQ(finetune("off", {"data.test_manifest=" + planted_clip, "data.check_overlap=false"}), 0)
      << said("off");
  EXPECT_THAT(said("off"), HasSubstr("data.check_overlap is false"));
  EXPECT_EQ(environment("off").at("overlap_check"), "off");
  EXPECT_EQ(metadata(folder("off") / "recognizer.safetensors").at("overlap_check"), "off");
}

TEST_F(FinetuneStart, SpeakersInBothListsAreWarnedOf) {
  auto list = data::read_manifest(train());
  list.file = folder("train.tsv");
  list.utterances[0].speaker = "Ann";
  list.utterances[1].speaker = "Bob";
  data::write_manifest(list);
  const auto test = test_list("test.tsv", [](auto& utterances) {
    utterances[2].speaker = "Bob";
    utterances[3].speaker = "Cid";
  });
  ASSERT_EQ(finetune("run", {"data.manifest=" + list.file.string(), "data.test_manifest=" + test}),
            0)
      << said("run");
  EXPECT_THAT(said("run"),
              HasSubstr("1 speakers of data.test_manifest are in data.manifest as well ('Bob')"));
  EXPECT_EQ(environment("run").at("overlap_check"), "passed, 1 shared speakers");
}

TEST_F(FinetuneStart, ValidationClipsInTrainingAreWarnedOf) {
  const auto own = test_list("valid.tsv", [](auto&) {});
  ASSERT_EQ(finetune("apart", {"data.valid_manifest=" + own, "train.steps=6"}), 0);
  EXPECT_THAT(said("apart"), Not(HasSubstr("in data.valid_manifest as well")));
  ASSERT_EQ(finetune("same", {"data.valid_manifest=" + train(), "train.steps=6"}), 0);
  EXPECT_THAT(said("same"), HasSubstr("12 training clips are in data.valid_manifest as well"));
}

TEST_F(FinetuneStart, AModelTellsItsListsWhereverItGoes) {
  ASSERT_EQ(finetune("run"), 0) << said("run");
  const auto told = metadata(folder("run") / "recognizer.safetensors");
  const auto trained = json::parse(told.at("trained_on"));
  EXPECT_EQ(trained, json::array({{{"list", "manifest.tsv"},
                                   {"clips", 12},
                                   {"used", 12},
                                   {"xxh3", checksum_text(checksum_file(train()))}}}));
  EXPECT_EQ(json::parse(told.at("validated_on"))[0].at("xxh3"),
            checksum_text(checksum_file(test())));
  EXPECT_EQ(environment("run").at("trained_on"), told.at("trained_on"));
  const auto same = [&](const std::string& name, const std::string& text) {
    EXPECT_EQ(text, told.at(name)) << name;
  };
  const auto exported = folder("last.safetensors").string();
  ASSERT_EQ(
      raven("export", {"export", (folder("run") / "checkpoints" / "last").string(), exported}), 0)
      << said("export");
  same("trained_on", metadata(exported).at("trained_on"));
  const auto pth = folder("r.pth").string(), back = folder("back.safetensors").string();
  ASSERT_EQ(raven("export", {"export", folder("run").string(), pth, "--part", "encoder"}), 0);
  same("validated_on",
       json::parse(read_file(folder("r.settings.json"))).at("validated_on").get<std::string>());
  ASSERT_EQ(raven("import", {"import", pth, back}), 0) << said("import");
  same("trained_on", metadata(back).at("trained_on"));
}

}  // namespace
}  // namespace raven

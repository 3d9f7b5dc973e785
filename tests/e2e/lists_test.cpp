// Lists that lack a modality, list nothing or are damaged: what each command makes of them.
#include <stdlib.h>
#include <nlohmann/json.hpp>

#include "e2e/tiny_recognizers.h"

namespace raven {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

class Lists : public TinyRecognizers {
 protected:
  /// The training list with the video or audio column emptied; where the fourth line stands it is
  /// "...:4".
  std::string list_without(const std::string& column, const std::string& name = "heard.tsv") const {
    auto manifest = data::read_manifest(train());
    manifest.file = folder(name);
    for (auto& utterance : manifest.utterances)
      (column == "video" ? utterance.video : utterance.audio) = {};
    data::write_manifest(manifest);
    return manifest.file.string();
  }

  /// Runs of the two trainers on one list alone.
  int finetune_on(const std::string& list, const std::string& modality) const {
    return finetune("run", {"model.modality=" + modality, "train.steps=6", "data.manifest=" + list,
                            "data.valid_manifest="});
  }
  int pretrain_on(const std::string& list) const {
    std::vector<std::string> words = {"pretrain", "run.dir=" + folder("pre").string(),
                                      "data.manifest=" + list, "data.valid_manifest="};
    words.insert(words.end(), kTinySettings.begin(), kTinySettings.end());
    words.insert(words.end(), kTinyPretraining.begin(), kTinyPretraining.end());
    return raven("pretrain", words);
  }
  [[nodiscard]] std::string said(const std::string& name) const { return read_file(log(name)); }
};

TEST_F(Lists, OfSoundAloneServeSpeechRecognitionFromEndToEnd) {
  const auto list = list_without("video");
  ASSERT_EQ(finetune_on(list, "audio"), 0) << said("run");
  const auto model = "model=" + folder("run").string();
  ASSERT_EQ(raven("evaluate", {"evaluate", model, "data.manifest=" + list, "device=cpu",
                               "decode.kind=greedy_ctc", "noise.kind=white", "noise.snr_db=[5]",
                               "out=" + folder("scores").string()}),
            0)
      << said("evaluate");
  const auto scores = nlohmann::json::parse(read_file(folder("scores") / "heard" / "wer.json"));
  EXPECT_EQ(scores.at("utterances"), 12);
  ASSERT_EQ(raven("features", {"features", model, "data.manifest=" + list, "device=cpu", "--out",
                               folder("features").string()}),
            0)
      << said("features");
  EXPECT_THAT(said("features"), HasSubstr("12 utterances written"));
  EXPECT_EQ(raven("verify", {"data", "verify", list}), 0) << said("verify");
  EXPECT_THAT(said("verify"), HasSubstr("12 of 12 utterances usable"));
  EXPECT_EQ(raven("stats", {"data", "stats", list, "--json"}), 0) << said("stats");
  const auto counted = nlohmann::json::parse(said("stats"));
  EXPECT_EQ(counted.at("with_video"), 0);
  EXPECT_EQ(counted.at("with_audio"), 12);
  const auto sheet = folder("sheet.png").string();
  EXPECT_EQ(raven("show", {"data", "show", list, "--out", sheet}), 0) << said("show");
  EXPECT_GT(fs::file_size(sheet), 1000U);
  EXPECT_EQ(raven("tokenizer", {"tokenizer", "train", list, "--kind", "word", "--out",
                                folder("words").string()}),
            0)
      << said("tokenizer");
}

TEST_F(Lists, EachCommandRefusesOneThatLacksWhatItNeedsBeforeAnyWork) {
  const auto heard = list_without("video"), seen = list_without("audio", "seen.tsv");
  const auto expect_refused = [&](int code, const std::string& log, const std::string& list,
                                  const std::string& lack, const std::string& need) {
    EXPECT_EQ(code, 2) << said(log);
    EXPECT_THAT(said(log), HasSubstr(list + ":2: 'clip0' has no " + lack)) << log;
    EXPECT_THAT(said(log), HasSubstr(need)) << log;
    EXPECT_THAT(said(log), Not(HasSubstr("parameters"))) << log;
  };
  expect_refused(pretrain_on(heard), "pretrain", heard, "video (like 11 more of 12 utterances)",
                 "raven pretrain needs video and audio");
  EXPECT_FALSE(fs::exists(folder("pre")));
  expect_refused(pretrain_on(seen), "pretrain", seen, "audio", "needs video and audio");
  expect_refused(finetune_on(heard, "video"), "run", heard, "video",
                 "model.modality=video needs video");
  expect_refused(finetune_on(seen, "audio"), "run", seen, "audio",
                 "model.modality=audio needs audio");
  EXPECT_FALSE(fs::exists(folder("run")));
  expect_refused(finetune("run", {"model.modality=video", "data.valid_manifest=" + heard}), "run",
                 heard, "video", "needs video");

  ASSERT_EQ(finetune_on(seen, "video"), 0) << said("run");
  const auto model = "model=" + folder("run").string();
  expect_refused(raven("evaluate", {"evaluate", model, "data.manifest=" + heard, "device=cpu",
                                    "out=" + folder("scores").string()}),
                 "evaluate", heard, "video", "needs video");
  EXPECT_FALSE(fs::exists(folder("scores")));
  expect_refused(raven("features", {"features", model, "data.manifest=" + heard, "device=cpu",
                                    "--out", folder("features").string()}),
                 "features", heard, "video", "needs video");
  EXPECT_FALSE(fs::exists(folder("features")));
  expect_refused(raven("bench", {"bench", "loader", "--manifest", heard, "device=cpu"}), "bench",
                 heard, "video", "raven bench loader needs video and audio");
}

TEST_F(Lists, OfNothingFailInEveryCommand) {
  const auto empty = folder("empty.tsv");
  write_file_atomically(empty, "id\tvideo\taudio\tframes\ttext\n");
  const auto list = empty.string();
  EXPECT_EQ(pretrain_on(list), 1) << said("pretrain");
  EXPECT_EQ(finetune_on(list, "audio"), 1) << said("run");
  EXPECT_EQ(raven("stats", {"data", "stats", list}), 1);
  EXPECT_EQ(raven("verify", {"data", "verify", list}), 1);
  EXPECT_EQ(raven("show", {"data", "show", list, "--out", folder("x.png").string()}), 1);
  EXPECT_EQ(raven("tokenizer", {"tokenizer", "train", list, "--out", folder("x").string()}), 1);
  for (const std::string name : {"pretrain", "run", "stats", "verify", "show", "tokenizer"})
    EXPECT_THAT(said(name), HasSubstr(list + ": lists no utterances")) << name;
}

TEST_F(Lists, AFaultInTheSecondOfSeveralIsToldUnderItsName) {
  const auto second = folder("second.tsv");
  const auto refusal = [&](const std::string& line) {
    write_file_atomically(second, "id\tvideo\taudio\tframes\ttext\n" + line + "\n");
    EXPECT_EQ(finetune_on("[" + train() + "," + second.string() + "]", "audio"), 1) << said("run");
    return said("run");
  };
  EXPECT_THAT(refusal("x\ta.mp4\ta.wav\tmany\tRED"), HasSubstr(second.string() + ":2: frames"));
  EXPECT_THAT(refusal("clip0\ta.mp4\ta.wav\t5\tRED"),
              HasSubstr(second.string() + ":2: id 'clip0' stands in " + train() + ":2 as well"));
  EXPECT_THAT(refusal("caf\xE9\ta.mp4\ta.wav\t5\tRED"),
              HasSubstr(second.string() + ":2: id 'caf\\xe9' is not UTF-8 text"));
  write_file_atomically(second, "id\taudio\tframes\ttext\nx\tnone.wav\t5\tRED\n");
  EXPECT_EQ(finetune("run", {"model.modality=audio", "data.max_skipped=0", "data.valid_manifest=",
                             "data.manifest=[" + train() + "," + second.string() + "]"}),
            3)
      << said("run");
  EXPECT_THAT(said("run"), HasSubstr(second.string() + ":2: "));
}

TEST_F(Lists, ATildeIsTheHomeFolderInSettingsAndOptions) {
  ::setenv("HOME", folder("").string().c_str(), 1);
  fs::create_directories(folder(""));
  list_without("video", "home.tsv");
  EXPECT_EQ(finetune("run", {"model.modality=audio", "train.steps=6", "data.valid_manifest=",
                             "data.manifest=~/home.tsv", "run.dir=~/at_home"}),
            0)
      << said("run");
  EXPECT_TRUE(fs::exists(folder("at_home") / "recognizer.safetensors"));
  EXPECT_EQ(raven("show", {"data", "show", "--out=~/sheet.png", train()}), 0) << said("show");
  EXPECT_TRUE(fs::exists(folder("sheet.png")));
}

}  // namespace
}  // namespace raven

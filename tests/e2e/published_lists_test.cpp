// Published four-column lists: written by `raven data export`, with counts that are wrong, and
// videos and sound below roots of their own.
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "e2e/tiny_recognizers.h"
#include "raven/media/audio_reader.h"
#include "raven/media/media_writer.h"

namespace raven {
namespace {

using testing::HasSubstr;
using testing::Not;

class PublishedLists : public TinyRecognizers {
 protected:
  void SetUp() override {
    for (const std::string part : {"train", "test"}) {
      const auto list = (corpus_->path() / part / "manifest.tsv").string();
      ASSERT_EQ(raven("export", {"data", "export", list, "--out", folder(part).string(), "--tag",
                                 "lrs3", "--model", (corpus_->path() / "words.model").string()}),
                0)
          << said("export");
      EXPECT_THAT(said("export"), HasSubstr("12 utterances written, 0 kept, 0 skipped"));
    }
  }

  /// The list of a part with its counts changed, in a folder without media.
  [[nodiscard]] std::string list_with_counts(const std::string& part,
                                             std::int64_t (*changed)(std::int64_t)) const {
    std::istringstream lines(read_file(folder(part) / "manifest.csv"));
    std::string content;
    for (std::string line; std::getline(lines, line);) {
      std::istringstream fields(line);
      std::string tag, path, frames, ids;
      std::getline(fields, tag, ','), std::getline(fields, path, ',');
      std::getline(fields, frames, ','), std::getline(fields, ids);
      content += tag + "," + path + "," + std::to_string(changed(std::stoll(frames))) + "," + ids;
      content += "\n";
    }
    const auto file = folder("lists") / (part + ".csv");
    fs::create_directories(file.parent_path());
    write_file_atomically(file, content);
    return file.string();
  }
  [[nodiscard]] std::vector<std::string> roots(const std::string& part) const {
    return {"data.video_root=" + folder(part).string(),
            "data.audio_root=" + folder(part + "_sound").string()};
  }
  /// The sound of a part to a root of its own.
  void part_sound(const std::string& part) const {
    fs::create_directories(folder(part + "_sound") / "lrs3");
    for (int i = 0; i < 12; ++i) {
      const auto name = "lrs3/clip" + std::to_string(i) + ".wav";
      fs::rename(folder(part) / name, folder(part + "_sound") / name);
    }
  }
  int raven_with(const std::string& name, std::vector<std::string> words,
                 const std::vector<std::string>& more) const {
    words.insert(words.end(), more.begin(), more.end());
    return raven(name, words);
  }
  [[nodiscard]] std::string said(const std::string& name) const { return read_file(log(name)); }
};

TEST_F(PublishedLists, WithWrongCountsLoseNoUtteranceInAnyCommand) {
  part_sound("train");
  const auto short_counts = list_with_counts("train", [](std::int64_t n) { return n / 8; });
  std::vector<std::string> training = {"model.modality=video", "train.steps=6",
                                       "data.manifest=" + short_counts, "data.valid_manifest="};
  const auto of_train = roots("train");
  training.insert(training.end(), of_train.begin(), of_train.end());
  ASSERT_EQ(finetune("run", training), 0) << said("run");
  EXPECT_THAT(said("run"), Not(HasSubstr("skipped '")));
  EXPECT_THAT(said("run"), HasSubstr("utterances are longer or shorter than listed, e.g. " +
                                     short_counts + ":"));
  EXPECT_THAT(read_file(folder("run") / "config.yaml"), HasSubstr(folder("train_sound").string()));
  std::vector<std::string> pretraining = {"pretrain", "run.dir=" + folder("pre").string(),
                                          "data.manifest=" + short_counts, "data.valid_manifest="};
  for (const auto* more : {&kTinySettings, &kTinyPretraining})
    pretraining.insert(pretraining.end(), more->begin(), more->end());
  pretraining.emplace_back("train.steps=6");
  ASSERT_EQ(raven_with("pretrain", pretraining, of_train), 0) << said("pretrain");
  EXPECT_THAT(said("pretrain"), Not(HasSubstr("skipped '")));

  const auto model = "model=" + folder("run").string();
  const auto evaluate = [&](const std::string& name, const std::string& list,
                            const std::vector<std::string>& more) {
    return raven_with(name,
                      {"evaluate", model, "data.manifest=" + list, "device=cpu",
                       "decode.beam_size=3", "data.max_frames=30", "out=" + folder(name).string()},
                      more);
  };
  const auto right = (folder("test") / "manifest.csv").string();
  ASSERT_EQ(evaluate("right", right, {}), 0) << said("right");
  EXPECT_THAT(said("right"), Not(HasSubstr("than listed")));
  part_sound("test");
  for (const auto changed : {+[](std::int64_t) { return std::int64_t{1}; },
                             +[](std::int64_t n) { return n % 2 == 0 ? n + 1 : n - 1; },
                             +[](std::int64_t) { return std::int64_t{90'000}; }}) {
    const auto list = list_with_counts("test", changed);
    ASSERT_EQ(evaluate("wrong", list, roots("test")), 0) << said("wrong");
    EXPECT_THAT(said("wrong"), HasSubstr("12 utterances are longer or shorter than listed"));
    const auto scores = nlohmann::json::parse(read_file(folder("wrong") / "test" / "wer.json"));
    EXPECT_EQ(scores.at("utterances"), 12);
    EXPECT_EQ(read_file(folder("wrong") / "test" / "hyp.trn"),
              read_file(folder("right") / "manifest" / "hyp.trn"));
    // What was recognised is a list of ours, whose counts are right.
    EXPECT_EQ(
        raven("verify", {"data", "verify", (folder("wrong") / "test" / "recognised.tsv").string()}),
        0)
        << said("verify");
    fs::remove_all(folder("features"));
    const std::vector<std::string> features = {
        "features",           model,   "data.manifest=" + list,    "device=cpu",
        "data.max_frames=30", "--out", folder("features").string()};
    ASSERT_EQ(raven_with("features", features, roots("test")), 0) << said("features");
    EXPECT_THAT(said("features"), HasSubstr("12 utterances written, 0 kept, 0 skipped"));
    ASSERT_EQ(raven_with("features", features, roots("test")), 0) << said("features");
    EXPECT_THAT(said("features"), HasSubstr("0 utterances written, 12 kept, 0 skipped"));
    fs::remove_all(folder("wrong"));
  }
  const auto absent = raven_with("absent",
                                 {"evaluate", model, "data.manifest=" + right, "device=cpu",
                                  "data.video_root=" + folder("none").string()},
                                 {});
  EXPECT_EQ(absent, 2);
  EXPECT_THAT(said("absent"), HasSubstr("data.video_root: there is no folder"));
  EXPECT_EQ(raven("verify",
                  {"data", "verify", list_with_counts("test", [](std::int64_t n) { return n + 1; }),
                   "--video-root", folder("test").string(), "--audio-root",
                   folder("test_sound").string()}),
            0)
      << said("verify");
  EXPECT_THAT(said("verify"), HasSubstr("12 are longer or shorter than the published list says"));
}

TEST_F(PublishedLists, OfWholeSoundAreHeardBeyondTheLastVideoFrame) {
  // Two frames and a half of sound more than video.
  for (const std::string part : {"train", "test"}) {
    for (int i = 0; i < 12; ++i) {
      const auto file = folder(part) / "lrs3" / ("clip" + std::to_string(i) + ".wav");
      auto samples = media::read_audio(media::Source(file)).samples;
      samples.resize(samples.size() + 1600, 0.1F);
      write_file_atomically(file, media::encode_wav(samples));
    }
  }
  const auto train_list = (folder("train") / "manifest.csv").string();
  const auto test_list = (folder("test") / "manifest.csv").string();
  const std::vector<std::string> training = {"data.whole_sound=true", "train.steps=6",
                                             "data.manifest=" + train_list,
                                             "data.valid_manifest=" + test_list};
  auto seen = training;
  seen.emplace_back("model.modality=video");
  EXPECT_EQ(finetune("seen", seen), 2);
  EXPECT_THAT(said("seen"), HasSubstr("data.whole_sound is true, but the recognizer sees"));
  auto heard = training;
  heard.emplace_back("model.modality=audio");
  ASSERT_EQ(finetune("run", heard), 0) << said("run");

  const auto frames_in_index = [&](const std::string& name, const std::vector<std::string>& more) {
    EXPECT_EQ(
        raven_with("features",
                   {"features", "model=" + folder("run").string(), "data.manifest=" + test_list,
                    "device=cpu", "--out", folder(name).string()},
                   more),
        0)
        << said("features");
    std::istringstream index(read_file(folder(name) / "index.tsv"));
    std::int64_t sum = 0;
    std::string line;
    std::getline(index, line);
    while (std::getline(index, line)) {
      std::istringstream fields(line);
      std::string id, file, frames;
      std::getline(fields, id, '\t'), std::getline(fields, file, '\t');
      std::getline(fields, frames, '\t');
      sum += std::stoll(frames);
    }
    return sum;
  };
  const auto seen_frames = data::read_manifest(test_list).total_frames();
  EXPECT_EQ(frames_in_index("whole", {}), seen_frames + 24);  // as the model was trained
  EXPECT_EQ(frames_in_index("cut", {"data.whole_sound=false"}), seen_frames);

  ASSERT_EQ(raven("evaluate",
                  {"evaluate", "model=" + folder("run").string(), "data.manifest=" + test_list,
                   "device=cpu", "decode.kind=greedy_ctc", "out=" + folder("scores").string()}),
            0)
      << said("evaluate");
  std::istringstream decoded(read_file(folder("scores") / "manifest" / "decoded.jsonl"));
  std::int64_t sum = 0;
  for (std::string line; std::getline(decoded, line);) {
    const auto json = nlohmann::json::parse(line);
    if (json.contains("id")) sum += json.at("frames").get<std::int64_t>();
  }
  EXPECT_EQ(sum, seen_frames + 24);
  // The list of what was recognised counts the video, which a lip reader learns from.
  EXPECT_EQ(raven("verify",
                  {"data", "verify", (folder("scores") / "manifest" / "recognised.tsv").string()}),
            0)
      << said("verify");
}

}  // namespace
}  // namespace raven

// `raven features` itself: from runs and files, of lists and media files, stopped and going on.
#include <map>

#include "e2e/tiny_recognizers.h"
#include "raven/corpus/npy.h"
#include "raven/media/media_writer.h"
#include "raven/weights/safetensors.h"

namespace raven {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class Features : public TinyRecognizers {
 protected:
  static void SetUpTestSuite() {
    TinyRecognizers::SetUpTestSuite();
    models_ = new TemporaryFolder;
    std::vector<std::string> words = {kRaven, "pretrain", "run.dir=" + model(),
                                      "data.manifest=" + train()};
    words.insert(words.end(), kTinySettings.begin(), kTinySettings.end());
    words.insert(words.end(), kTinyPretraining.begin(), kTinyPretraining.end());
    words.insert(words.end(), {"model.encoder.blocks=2", "train.steps=4", "monitor.every=0"});
    ASSERT_EQ(Process(words, models_->path() / "log.txt").wait(), 0)
        << read_file(models_->path() / "log.txt");
  }
  static void TearDownTestSuite() {
    delete models_;
    models_ = nullptr;
    TinyRecognizers::TearDownTestSuite();
  }

  /// A finished run of pre-training.
  static std::string model() { return (models_->path() / "run").string(); }

  [[nodiscard]] std::vector<std::string> command_to(const std::string& out,
                                                    const std::vector<std::string>& more) const {
    std::vector<std::string> words = {kRaven,      "features", "device=cpu",
                                      "threads=1", "--out",    folder(out).string()};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  int features(const std::string& out, const std::vector<std::string>& more) const {
    return Process(command_to(out, more), log(out)).wait();
  }
  /// All files of a folder by name.
  [[nodiscard]] std::map<std::string, std::string> files(const std::string& out) const {
    std::map<std::string, std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(folder(out))) {
      if (!entry.is_regular_file() || entry.path().filename() == ".lock") continue;
      found[fs::relative(entry.path(), folder(out)).string()] = read_file(entry.path());
    }
    return found;
  }
  [[nodiscard]] std::vector<std::int64_t> shape(const std::string& file) const {
    const auto bytes = read_file(folder(file));
    return corpus::parse_npy(std::as_bytes(std::span(bytes)), file).shape;
  }

  const std::vector<std::string> video_ = {"--model", model(), "--modality", "video"};
  [[nodiscard]] std::vector<std::string> of_list(std::vector<std::string> more) const {
    more.insert(more.begin(), video_.begin(), video_.end());
    more.push_back("data.manifest=" + test());
    return more;
  }

  static inline TemporaryFolder* models_ = nullptr;
};

TEST_F(Features, AreSharedByRanks) {
  const std::vector<std::string> settings = {
      "--model", model(), "--modality", "video", "data.manifest=" + train(), "data.max_frames=30"};
  ASSERT_EQ(features("alone", settings), 0) << read_file(log("alone")).substr(0, 500);
  for (const auto* ranks : {"ranks=2", "ranks=4"}) {
    auto words = settings;
    words.emplace_back(ranks);
    ASSERT_EQ(features(ranks, words), 0) << read_file(log(ranks)).substr(0, 500);
    EXPECT_TRUE(files(ranks) == files("alone")) << ranks;
    EXPECT_THAT(read_file(log(ranks)), HasSubstr("0 kept, 0 skipped"));
  }
}

TEST_F(Features, RunsCheckpointsAndFilesGiveTheSame) {
  ASSERT_EQ(features("run", of_list({})), 0) << read_file(log("run"));
  EXPECT_THAT(read_file(log("run")), HasSubstr("(frames, 16) float32: 12 utterances written"));
  EXPECT_EQ(shape("run/clip0.npy").at(1), 16);
  const auto checkpoint = fs::path(model()) / "checkpoints" / "last";
  ASSERT_EQ(features("checkpoint",
                     {"--model", checkpoint.string(), "modality=video", "data.manifest=" + test()}),
            0)
      << read_file(log("checkpoint"));
  ASSERT_EQ(
      raven("export", {"export", model(), folder("v.safetensors").string(), "--part", "video"}), 0);
  ASSERT_EQ(
      features("file", {"--model", folder("v.safetensors").string(), "data.manifest=" + test()}), 0)
      << read_file(log("file"));
  for (int i = 0; i < 12; ++i) {
    const auto name = "clip" + std::to_string(i) + ".npy";
    EXPECT_EQ(read_file(folder("checkpoint") / name), read_file(folder("run") / name));
    EXPECT_EQ(read_file(folder("file") / name), read_file(folder("run") / name));
  }
}

TEST_F(Features, OfARecognizerAndItsPthAreThoseOfItsEncoder) {
  ASSERT_EQ(finetune("tuned", {"train.steps=4", "data.video.shrink=1", "data.video.crop=88"}), 0)
      << read_file(log("tuned"));
  ASSERT_EQ(raven("export", {"export", folder("tuned").string(), folder("t.pth").string()}), 0);
  for (const std::string name : {"tuned", "t.pth"}) {
    ASSERT_EQ(features("of_" + name, {"--model", folder(name).string(), "data.manifest=" + test()}),
              0)
        << read_file(log("of_" + name));
  }
  EXPECT_EQ(read_file(folder("of_t.pth") / "clip3.npy"), read_file(folder("of_tuned/clip3.npy")));
}

TEST_F(Features, MediaFilesNeedNoList) {
  ASSERT_EQ(features("list", of_list({"layers=all", "data.max_frames=1"})), 0);
  const auto clips = fs::path(test()).parent_path();
  auto words = video_;
  words.insert(words.end(), {(clips / "clip0.mp4").string(), "layers=all",
                             (clips / "clip1.mp4").string(), "data.max_frames=1"});
  ASSERT_EQ(features("media", words), 0) << read_file(log("media"));
  EXPECT_EQ(shape("media/clip0.npy").at(0), 3);
  for (const std::string name : {"clip0.npy", "clip1.npy"})
    EXPECT_EQ(read_file(folder("media") / name), read_file(folder("list") / name));
  ASSERT_EQ(features("sound", {"--model", model(), "--modality", "audio", "--format", "safetensors",
                               (clips / "clip0.wav").string()}),
            0)
      << read_file(log("sound"));
  EXPECT_EQ(weights::read_safetensors(folder("sound/clip0.safetensors")).said("modality"), "audio");
}

TEST_F(Features, StoppedOrKilledTheyEndWithTheSameBytes) {
  auto manifest = data::read_manifest(test());
  const auto clips = manifest.utterances;
  for (int copy = 0; copy < 20; ++copy) {
    for (auto utterance : clips) {
      utterance.id = "copy" + std::to_string(copy) + "/" + utterance.id;
      manifest.utterances.push_back(utterance);
    }
  }
  manifest.file = folder("long.tsv");
  data::write_manifest(manifest);
  const auto words = [&] {
    auto all = video_;
    all.insert(all.end(), {"data.manifest=" + manifest.file.string(), "data.max_frames=100"});
    return all;
  }();
  ASSERT_EQ(features("whole", words), 0) << read_file(log("whole"));
  const auto index_size = [&] {
    std::error_code absent;
    const auto size = fs::file_size(folder("cut") / "index.tsv", absent);
    return absent ? 0 : size;
  };
  for (const int signal : {SIGTERM, SIGKILL, SIGINT}) {
    const auto before = index_size();
    Process process(command_to("cut", words), log("cut"));
    for (int i = 0; i < 20000 && index_size() <= before; ++i) ::usleep(500);
    process.signal(signal);
    EXPECT_EQ(process.wait(), signal == SIGKILL ? -SIGKILL : 75) << read_file(log("cut"));
  }
  ASSERT_EQ(features("cut", words), 0) << read_file(log("cut"));
  EXPECT_EQ(files("cut"), files("whole"));
  EXPECT_EQ(files("whole").size(), 12U * 21 + 2);
}

TEST_F(Features, SayWhatIsWrong) {
  const auto said = [&](int code, const std::vector<std::string>& words) {
    EXPECT_EQ(features("out", words), code);
    return read_file(log("out"));
  };
  EXPECT_THAT(said(2, {"--model", model(), "data.manifest=" + test()}),
              HasSubstr("holds encoders of video and audio; choose one with --modality"));
  EXPECT_THAT(said(2, of_list({"layers=3"})),
              HasSubstr("has 2 blocks: expected 0 (what the first block takes) to 2, or final"));
  EXPECT_THAT(said(2, video_), HasSubstr("nothing to encode; give data.manifest=FILE or MEDIA"));
  EXPECT_THAT(said(2, of_list({"a.mp4"})), HasSubstr("are both given"));
  EXPECT_THAT(said(2, {"data.manifest=" + test()}), HasSubstr("model must be given"));
  EXPECT_THAT(said(1, {"--model", test(), "data.manifest=" + test()}), HasSubstr("manifest.tsv"));
  EXPECT_FALSE(fs::exists(folder("out")));
  const auto write = [&](const std::string& name, const std::string& bytes) {
    write_file_atomically(folder(name), bytes);
    return folder(name).string();
  };
  const std::vector<std::uint8_t> pixels(128 * 128 * 2);
  const auto face =
      write("face.mp4",
            media::encode_mp4({.pixels = pixels, .num_frames = 2, .height = 128, .width = 128}));
  auto words = video_;
  words.push_back(face);
  EXPECT_THAT(said(3, words), HasSubstr("(no-face)"));
  EXPECT_FALSE(fs::exists(folder("out/index.tsv")));
  fs::remove_all(folder("out"));  // it says with which model faces were looked for
  words.back() = write("speech.wav", media::encode_wav(std::vector<float>(6400, 0.1F)));
  EXPECT_THAT(said(3, words), HasSubstr("no-video"));
  EXPECT_THAT(said(3, {"--model", model(), "--modality", "audio",
                       write("empty.wav", media::encode_wav({}))}),
              HasSubstr("not one of 1 files is usable"));
  auto listed = data::read_manifest(test());
  listed.file = folder("escape.tsv");
  listed.utterances[1].id = "../../escape";
  data::write_manifest(listed);
  words.back() = "data.manifest=" + listed.file.string();
  EXPECT_THAT(said(1, words), HasSubstr("id '../../escape' would leave the folder"));
  EXPECT_FALSE(fs::exists(folder("out")));
  ASSERT_EQ(features("out", of_list({})), 0);
  EXPECT_THAT(said(2, of_list({"mean=true"})), HasSubstr("mean: false there, true here"));
}

}  // namespace
}  // namespace raven

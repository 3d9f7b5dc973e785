// `raven transcribe` itself: from sound, lips and both, stopped and going on, of good and bad
// files.
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "corpus/make_corpus.h"
#include "e2e/tiny_recognizers.h"
#include "media/make_media.h"
#include "raven/media/media_writer.h"
#include "raven/media/video_reader.h"

namespace raven {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using Json = nlohmann::json;

/// Voice of two seconds, a second of silence, ...
double voice(double t) {
  return std::fmod(t, 3) < 2 ? 0.3 * std::sin(2000 * t + 20 * std::sin(7 * t)) : 0;
}

/// With a bonus, since untrained recognizers say little.
const std::vector<std::string> kDecoding = {"device=cpu", "threads=1", "decode.beam_size=2",
                                            "decode.length_bonus=3", "decode.max_length_ratio=-6"};

class Transcribe : public TinyRecognizers {
 protected:
  static void SetUpTestSuite() {
    TinyRecognizers::SetUpTestSuite();
    models_ = new TemporaryFolder;
  }
  static void TearDownTestSuite() {
    delete models_;
    models_ = nullptr;
    TinyRecognizers::TearDownTestSuite();
  }

  /// A recognizer that hardly learned anything, made once.
  std::string model(const std::string& modality) const {
    const auto run = models_->path() / modality;
    if (!fs::exists(run)) {
      EXPECT_EQ(finetune(modality, {"model.modality=" + modality, "train.steps=4"}), 0)
          << read_file(log(modality));
      fs::rename(folder(modality), run);
    }
    return run.string();
  }

  fs::path sound(const std::string& name, double length_s) const {
    std::vector<float> samples;
    for (std::int64_t i = 0; i < std::llround(16000 * length_s); ++i)
      samples.push_back(static_cast<float>(voice(static_cast<double>(i) / 16000)));
    write_file_atomically(folder(name), media::encode_wav(samples));
    return folder(name);
  }
  fs::path film(const std::string& name, int side, std::int64_t frames, bool with_sound) const {
    media::MediaSpec spec{.video = media::VideoStreamSpec{.width = side,
                                                          .height = side,
                                                          .times = media::regular_times(frames)}};
    spec.video->pixel = [](int i, int x, int y) { return (x * 2 + y + 9 * i) % 256; };
    if (with_sound) {
      spec.audio = media::AudioStreamSpec{
          .num_samples = 640 * frames,
          .sample = [](std::int64_t i, int) { return voice(static_cast<double>(i) / 16000); }};
    }
    write_file_atomically(folder(name), media::make_media("matroska", spec));
    return folder(name);
  }

  std::vector<std::string> command_to(const std::string& out,
                                      const std::vector<std::string>& more) const {
    std::vector<std::string> words = {kRaven, "transcribe", "--out", folder(out).string()};
    words.insert(words.end(), kDecoding.begin(), kDecoding.end());
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  int transcribe(const std::string& out, const std::vector<std::string>& more) const {
    return Process(command_to(out, more), log(out)).wait();
  }
  std::map<std::string, std::string> files(const std::string& out) const {
    std::map<std::string, std::string> found;
    for (const auto& entry : fs::directory_iterator(folder(out))) {
      if (entry.path().filename() == ".lock") continue;
      found[entry.path().filename().string()] = read_file(entry.path());
    }
    return found;
  }
  Json json(const std::string& file) const { return Json::parse(read_file(folder(file))); }

  /// There are words, and their times lie in the file.
  static void expect_times_in(const Json& transcript, double duration_s) {
    double before_s = 0;
    EXPECT_NE(transcript.at("text"), "");
    for (const auto& passage : transcript.at("passages")) {
      for (const auto& word : passage.at("words")) {
        EXPECT_GE(word.at("start").get<double>(), before_s);
        EXPECT_GE(word.at("end").get<double>(), word.at("start").get<double>());
        EXPECT_LE(word.at("end").get<double>(), duration_s);
        EXPECT_GE(word.at("confidence").get<double>(), 0);
        EXPECT_LE(word.at("confidence").get<double>(), 1);
        before_s = word.at("start").get<double>();
      }
    }
  }

  static inline TemporaryFolder* models_ = nullptr;
};

TEST_F(Transcribe, SoundBecomesTextWithTimes) {
  const auto talk = sound("talk.wav", 8);
  ASSERT_EQ(transcribe("out", {"--model", model("audio"), talk.string(), "--format",
                               "txt,json,tsv,srt,vtt"}),
            0)
      << read_file(log("out"));
  EXPECT_EQ(files("out").size(), 6U);  // and transcripts.jsonl
  const auto all = json("out/talk.json");
  EXPECT_EQ(all.at("duration"), 8.0);
  const auto& transcript = all.at("transcripts").at(0);
  EXPECT_EQ(transcript.at("modality"), "audio");
  EXPECT_EQ(transcript.at("passages").size(), 3U);
  expect_times_in(transcript, 8);
}

TEST_F(Transcribe, SoundAndLipsStandSideBySide) {
  const auto talk = film("talk.mkv", 96, 200, /*with_sound=*/true);
  ASSERT_EQ(transcribe("both", {"--model", model("audio"), "--model", model("video"), talk.string(),
                                "--format", "txt,json,vtt"}),
            0)
      << read_file(log("both"));
  const auto all = json("both/talk.json");
  ASSERT_EQ(all.at("transcripts").size(), 2U);
  for (const auto& transcript : all.at("transcripts")) {
    EXPECT_EQ(transcript.at("passages").size(), 3U);
    expect_times_in(transcript, 8);
  }
  EXPECT_TRUE(fs::exists(folder("both/talk.audio.vtt")));
  EXPECT_TRUE(fs::exists(folder("both/talk.video.txt")));
  // Each is what its recognizer alone makes of it.
  ASSERT_EQ(transcribe("lips", {"--model", model("video"), talk.string(), "--format", "json"}), 0);
  EXPECT_EQ(json("lips/talk.json").at("transcripts").at(0), all.at("transcripts").at(1));
}

TEST_F(Transcribe, LipsOfAnyFilmTakeItsLandmarks) {
  corpus::write_clip(temporary_.path() / "films", "talk.mp4", {.frames = 60});
  corpus::write_clip(temporary_.path() / "films", "other.mp4", {.frames = 30});
  fs::remove(folder("films/landmarks/other.npy"));
  EXPECT_EQ(transcribe("lips", {"--model", model("video"), folder("films/talk.mp4"),
                                folder("films/other.mp4"), "--landmarks",
                                folder("films/landmarks").string()}),
            3);
  EXPECT_THAT(read_file(log("lips")), HasSubstr("other.npy: no such file"));
  const auto transcript = json("lips/talk.json").at("transcripts").at(0);
  EXPECT_EQ(transcript.at("modality"), "video");
  expect_times_in(transcript, 60 / 25.0);
}

TEST_F(Transcribe, WithoutLandmarksFacesAreLookedFor) {
  const auto blank = film("blank.mkv", 128, 30, /*with_sound=*/true);
  EXPECT_EQ(transcribe("lips", {"--model", model("video"), blank.string()}), 3);
  EXPECT_THAT(read_file(log("lips")), HasSubstr("(no-face)"));
  EXPECT_EQ(
      transcribe("model", {"--model", model("video"), blank.string(), "--landmark-model", test()}),
      2);
  // What hears goes on.
  EXPECT_EQ(
      transcribe("both", {"--model", model("video"), "--model", model("audio"), blank.string()}), 0)
      << read_file(log("both"));
  EXPECT_THAT(json("both/blank.json").at("remarks").at(0).get<std::string>(),
              HasSubstr("lips are not read (no-face)"));
  EXPECT_EQ(json("both/blank.json").at("transcripts").size(), 1U);
}

TEST_F(Transcribe, AClipIsDecodedAsByEvaluate) {
  auto list = data::read_manifest(test());
  list.utterances.resize(4);
  std::vector<std::string> words = {"--model", model("video"), "--format", "json"};
  // A whole mouth crop without sound is one window.
  for (const auto& utterance : list.utterances) words.push_back(utterance.video.file.string());
  list.file = folder("few.tsv");
  data::write_manifest(list);
  ASSERT_EQ(transcribe("clips", words), 0) << read_file(log("clips"));
  std::vector<std::string> evaluate = {"evaluate", "model=" + model("video"),
                                       "data.manifest=" + list.file.string(),
                                       "out=" + folder("evaluated").string()};
  evaluate.insert(evaluate.end(), kDecoding.begin(), kDecoding.end());
  ASSERT_EQ(raven("evaluated", evaluate), 0) << read_file(log("evaluated"));
  std::istringstream decoded(read_file(folder("evaluated/few/decoded.jsonl")));
  int compared = 0;
  for (std::string line; std::getline(decoded, line);) {
    const auto expected = Json::parse(line);
    if (!expected.contains("hyp")) continue;
    const auto transcript =
        json("clips/" + expected.at("id").get<std::string>() + ".json").at("transcripts").at(0);
    EXPECT_EQ(transcript.at("text"), expected.at("hyp"));
    EXPECT_NEAR(transcript.at("passages").at(0).at("score").get<double>(),
                expected.at("score").get<double>(), 1e-4);
    ++compared;
  }
  EXPECT_EQ(compared, 4);
}

TEST_F(Transcribe, BadFilesAreToldOfAndTheOthersGoOn) {
  const auto talk = sound("talk.wav", 4);
  write_file_atomically(folder("notes.txt"), "no film at all");
  write_file_atomically(folder("silent.wav"),
                        media::encode_wav(std::vector<float>(16000 * 3, 0.0F)));
  write_file_atomically(folder("short.wav"), media::encode_wav(std::vector<float>(640 * 3, 0.2F)));
  const std::vector<std::string> words = {"--model",
                                          model("audio"),
                                          folder("absent.mp4").string(),
                                          folder("notes.txt").string(),
                                          film("mute.mkv", 64, 20, false).string(),
                                          folder("silent.wav").string(),
                                          folder("short.wav").string(),
                                          temporary_.path().string(),
                                          talk.string()};
  EXPECT_EQ(transcribe("mixed", words), 3);
  const auto said = read_file(log("mixed"));
  EXPECT_THAT(said, HasSubstr("no such file"));
  EXPECT_THAT(said, HasSubstr("(no-audio)"));
  EXPECT_THAT(said, HasSubstr("is a folder, expected a media file"));
  EXPECT_THAT(said, HasSubstr("nothing was heard that is loud enough"));
  EXPECT_THAT(said, HasSubstr("3 files transcribed"));
  EXPECT_THAT(said, HasSubstr("4 without a transcript"));
  EXPECT_TRUE(fs::exists(folder("mixed/talk.json")));
  EXPECT_EQ(read_file(folder("mixed/silent.txt")), "");
  EXPECT_EQ(json("mixed/short.json").at("duration"), 0.12);
  auto within = words;
  within.push_back("data.max_skipped=4");
  EXPECT_EQ(transcribe("mixed", within), 0) << read_file(log("mixed"));
  EXPECT_THAT(read_file(log("mixed")), HasSubstr("0 files transcribed"));
  EXPECT_THAT(read_file(log("mixed")), HasSubstr("3 kept"));
}

TEST_F(Transcribe, LipsSayWhatTheyNeed) {
  const auto talk = sound("talk.wav", 2);
  EXPECT_EQ(transcribe("lips", {"--model", model("video"), talk.string()}), 3);
  EXPECT_THAT(read_file(log("lips")), HasSubstr("(no-video)"));
  EXPECT_EQ(
      transcribe("twice", {"--model", model("video"), "--model", model("video"), talk.string()}),
      2);
  EXPECT_THAT(read_file(log("twice")), HasSubstr("both models read lips"));
  EXPECT_EQ(transcribe("none", {talk.string()}), 2);
  EXPECT_EQ(transcribe("none", {"--model", model("video")}), 2);
  EXPECT_EQ(transcribe("none", {"--model", model("video"), talk.string(), "--format", "doc"}), 2);
  EXPECT_THAT(read_file(log("none")), HasSubstr("format lists 'doc', expected one or several of"));
}

TEST_F(Transcribe, KilledAndStartedAgainItEndsWithTheSameBytes) {
  const auto talk = film("talk.mkv", 96, 1500, /*with_sound=*/true);
  const auto other = sound("other.wav", 4);
  const std::vector<std::string> words = {"--model",      model("audio"), "--model",
                                          model("video"), talk.string(),  other.string(),
                                          "--format",     "txt,json,srt"};
  ASSERT_EQ(transcribe("whole", words), 0) << read_file(log("whole"));
  const auto part_size = [&] {
    std::error_code absent;
    const auto size = fs::file_size(folder("cut/talk.part.jsonl"), absent);
    return absent ? 0 : size;
  };
  std::int64_t lines_before = 0;
  for (const int signal : {SIGKILL, SIGTERM, SIGKILL}) {
    const auto before = part_size();
    Process process(command_to("cut", words), log("cut"));
    for (int i = 0; i < 20000 && part_size() <= before; ++i) ::usleep(500);
    process.signal(signal);
    EXPECT_EQ(process.wait(), signal == SIGKILL ? -SIGKILL : 75) << read_file(log("cut"));
    const auto part = read_file(folder("cut/talk.part.jsonl"));
    const auto lines = std::count(part.begin(), part.end(), '\n');
    EXPECT_GT(lines, lines_before);  // it went on, and did not begin anew
    lines_before = lines;
  }
  ASSERT_EQ(transcribe("cut", words), 0) << read_file(log("cut"));
  EXPECT_EQ(files("cut"), files("whole"));
  ASSERT_EQ(transcribe("cut", words), 0);
  EXPECT_THAT(read_file(log("cut")), HasSubstr("2 kept"));
  auto other_settings = words;
  other_settings.push_back("cut.pause_s=0.4");
  ASSERT_EQ(transcribe("cut", other_settings), 0);
  EXPECT_THAT(read_file(log("cut")), HasSubstr("2 files transcribed"));
}

TEST_F(Transcribe, AnAnnotatedFilmIsMadeOnceAndReplacesNoOther) {
  corpus::write_clip(temporary_.path() / "films", "talk.mp4", {.frames = 60});
  const auto tone = sound("tone.wav", 3);
  const auto words = [&](const std::string& film, const std::vector<std::string>& more) {
    std::vector<std::string> all = {"--model",     model("video"),
                                    "--model",     model("audio"),
                                    "--landmarks", folder("films/landmarks").string(),
                                    "--annotate",  folder(film).string()};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  const auto talk = folder("films/talk.mp4").string();
  ASSERT_EQ(transcribe("out", words("seen.mp4", {talk})), 0) << read_file(log("out"));
  const auto film = read_file(folder("seen.mp4"));
  EXPECT_EQ(media::read_video(folder("seen.mp4")).num_frames, 60);
  ASSERT_EQ(transcribe("out", words("seen.mp4", {talk})), 0);
  EXPECT_THAT(read_file(log("out")), HasSubstr("1 kept"));
  fs::remove(folder("seen.mp4"));
  ASSERT_EQ(transcribe("out", words("seen.mp4", {talk})), 0);
  EXPECT_EQ(read_file(folder("seen.mp4")), film);
  // Of several files, and of one without pictures.
  ASSERT_EQ(transcribe("two", words("seen", {talk, tone.string()})), 0) << read_file(log("two"));
  EXPECT_EQ(read_file(folder("seen/talk.mp4")), film);
  EXPECT_FALSE(fs::exists(folder("seen/tone.mp4")));
  EXPECT_THAT(read_file(log("two")), HasSubstr("no annotated film (no-video)"));
  // Nothing of others is lost.
  EXPECT_EQ(transcribe("other", words("films/talk.mp4", {talk})), 2);
  EXPECT_THAT(read_file(log("other")), HasSubstr("would be written over itself"));
  EXPECT_EQ(transcribe("other", words("seen.mp4", {tone.string()})), 2);
  EXPECT_THAT(read_file(log("other")), HasSubstr("was not made from"));
  EXPECT_EQ(read_file(folder("seen.mp4")), film);
}

TEST_F(Transcribe, SeveralFilesAtOnceGiveTheSame) {
  std::vector<std::string> words = {"--model", model("audio")};
  for (int i = 0; i < 6; ++i) {
    const auto name = "talk" + std::to_string(i);
    fs::create_directories(folder("in/" + name));
    words.push_back(sound("in/" + name + "/talk.wav", 3 + i).string());
  }
  ASSERT_EQ(transcribe("one", words), 0) << read_file(log("one"));
  words.insert(words.end(), {"--jobs", "3"});
  ASSERT_EQ(transcribe("three", words), 0) << read_file(log("three"));
  EXPECT_EQ(files("three"), files("one"));
  EXPECT_TRUE(fs::exists(folder("one/talk-6.json")));
}

}  // namespace
}  // namespace raven

#include "raven/data/preparation.h"
#include "data/refused_options.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "corpus/make_corpus.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/folder_lock.h"
#include "raven/core/random.h"
#include "raven/data/manifest.h"
#include "raven/data/shard.h"
#include "raven/media/media_writer.h"
#include "support/temporary_folder.h"

namespace raven::data {
namespace {

namespace fs = std::filesystem;
using corpus::write_clip;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

/// Relative path -> checksum of every file, without the lock.
std::map<std::string, std::string> content_of(const fs::path& folder) {
  std::map<std::string, std::string> content;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const auto name = entry.path().lexically_relative(folder).string();
    if (entry.is_regular_file() && name != ".lock")
      content[name] = checksum_text(checksum_file(entry.path()));
  }
  return content;
}

std::vector<std::string> names_of(const std::map<std::string, std::string>& content) {
  std::vector<std::string> names;
  for (const auto& [name, bytes] : content) names.push_back(name);
  return names;
}

class Preparation : public testing::Test {
 protected:
  Preparation() {
    options.inputs = {input()};
    options.output = output("out");
    options.clip.format = corpus::StorageFormat::kRaw;
    options.workers = 2;
  }

  /// An LRS3-shaped corpus of small clips.
  void make_corpus(int count) {
    for (int i = 0; i < count; ++i) {
      const auto* part = i % 5 == 0 ? "test" : i % 2 == 0 ? "trainval" : "pretrain";
      write_clip(input(), fmt::format("{}/spk{}/{:05}.mp4", part, i % 3, i),
                 {.frames = 12 + i % 7, .shade = i, .text = fmt::format("Text:  CLIP {}\n", i)});
    }
  }

  [[nodiscard]] fs::path input() const { return temporary_.path() / "corpus"; }
  [[nodiscard]] fs::path output(const std::string& name) const { return temporary_.path() / name; }

  PreparationOptions options;

 private:
  TemporaryFolder temporary_;
};

TEST_F(Preparation, WritesShardsManifestsAndVerdicts) {
  write_clip(input(), "pretrain/ann/00001.mp4", {.frames = 15, .text = "Text:  ONE\n"});
  write_clip(input(), "pretrain/ann/00002.mp4", {.frames = 4});
  write_clip(input(), "test/bob/00001.mp4", {.frames = 20, .shade = 9, .text = "Text:  TWO\n"});
  const auto summary = prepare(options);
  EXPECT_THAT(summary.clips_by_verdict, UnorderedElementsAre(Pair("ok", 2), Pair("short", 1)));
  EXPECT_EQ(summary.utterances, 2);
  EXPECT_EQ(summary.frames, 35);
  EXPECT_EQ(summary.newly_prepared, 3);
  EXPECT_NEAR(summary.failed_share(), 1.0 / 3, 1e-12);

  EXPECT_THAT(
      names_of(content_of(options.output)),
      ElementsAre("manifest.tsv", "prepare.json", "pretrain.tsv", "shards/pretrain-00000.tar",
                  "shards/pretrain-00000.tar.index", "shards/pretrain-00000.tsv",
                  "shards/pretrain-00000.verdicts.tsv", "shards/test-00000.tar",
                  "shards/test-00000.tar.index", "shards/test-00000.tsv",
                  "shards/test-00000.verdicts.tsv", "test.tsv", "verdicts.tsv"));
  EXPECT_EQ(read_file(options.output / "test.tsv"),
            "id\tvideo\taudio\tframes\ttext\tspeaker\tsubset\tsource\n"
            "test/bob/00001\tshards/test-00000.tar/test/bob/00001.npy\t"
            "shards/test-00000.tar/test/bob/00001.wav\t20\tTWO\tbob\ttest\tlrs3\n");
  EXPECT_THAT(
      read_file(options.output / "verdicts.tsv"),
      HasSubstr("pretrain/ann/00002\tshort\t" + (input() / "pretrain/ann/00002.mp4").string() +
                ": 4 frames, at least 12 are needed\t" +
                (input() / "pretrain/ann/00002.mp4").string() + "\n"));

  const auto manifest = read_manifest(options.output / "manifest.tsv");
  ASSERT_EQ(manifest.utterances.size(), 2U);
  for (const auto& utterance : manifest.utterances) {
    const Shard shard(utterance.video.file);
    for (const auto& member : shard.members()) shard.verify(member);
    EXPECT_EQ(shard.read(utterance.audio.member).size(),
              44U + 1280U * static_cast<std::size_t>(utterance.frames));
    EXPECT_EQ(shard.read(utterance.id + ".txt").size(), 4U);
  }
}

TEST_F(Preparation, WorkerCountChangesNothing) {
  make_corpus(25);
  options.shard_bytes = 500'000;
  for (const auto format : {corpus::StorageFormat::kRaw, corpus::StorageFormat::kH264}) {
    options.clip.format = format;
    std::vector<std::map<std::string, std::string>> contents;
    for (const std::int64_t workers : {1, 3, 8}) {
      options.output = output(fmt::format("{}-{}", static_cast<int>(format), workers));
      options.workers = workers;
      prepare(options);
      contents.push_back(content_of(options.output));
    }
    EXPECT_GT(contents[0].size(), 12U);
    EXPECT_EQ(contents[0], contents[1]);
    EXPECT_EQ(contents[0], contents[2]);
  }
}

TEST_F(Preparation, SecondRunDoesOnlyWhatIsMissing) {
  make_corpus(6);
  prepare(options);
  const auto before = content_of(options.output);
  EXPECT_EQ(prepare(options).newly_prepared, 0);
  EXPECT_EQ(content_of(options.output), before);

  write_clip(input(), "pretrain/aaa/00000.mp4", {.text = "Text:  NEW\n"});
  const auto summary = prepare(options);
  EXPECT_EQ(summary.newly_prepared, 1);
  EXPECT_EQ(summary.utterances, 7);
  const auto after = content_of(options.output);
  EXPECT_EQ(after.at("shards/pretrain-00000.tar"), before.at("shards/pretrain-00000.tar"));
  EXPECT_TRUE(after.count("shards/pretrain-00001.tar"));
  EXPECT_EQ(prepare(options).newly_prepared, 0);
  EXPECT_EQ(content_of(options.output), after);
}

TEST_F(Preparation, TriesFailedClipsAgainWhenAsked) {
  make_corpus(3);
  options.landmarks = input() / "landmarks";
  const auto landmarks = options.landmarks / "pretrain/spk1/00001.npy";
  const auto kept = read_file(landmarks);
  fs::remove(landmarks);
  EXPECT_THAT(prepare(options).clips_by_verdict,
              UnorderedElementsAre(Pair("ok", 2), Pair("missing-landmarks", 1)));
  corpus::write_bytes(landmarks, kept);
  EXPECT_EQ(prepare(options).newly_prepared, 0);
  options.retry_failed = true;
  const auto summary = prepare(options);
  EXPECT_EQ(summary.newly_prepared, 1);
  EXPECT_THAT(summary.clips_by_verdict, UnorderedElementsAre(Pair("ok", 3)));
  EXPECT_EQ(read_manifest(options.output / "manifest.tsv").utterances.size(), 3U);
}

TEST_F(Preparation, TakesSeveralInputsAndChosenSubsets) {
  make_corpus(5);
  const auto second = input().parent_path() / "second";
  write_clip(second, "pretrain/zed/00001.mp4");
  options.inputs.push_back(second);
  options.subsets = {"pretrain"};
  EXPECT_EQ(prepare(options).num_clips(), 3);
  EXPECT_FALSE(fs::exists(options.output / "test.tsv"));
  options.subsets = {};
  EXPECT_EQ(prepare(options).num_clips(), 6);
  options.subsets = {"pretrain", "val"};
  EXPECT_THAT(config_error(options),
              HasSubstr("no clip of subset 'val'; found: pretrain, test, trainval"));
}

TEST_F(Preparation, TakesWhatAListNamesAndTellsWhatIsNotThere) {
  make_corpus(10);
  options.list = output("list.txt");
  write_file_atomically(options.list, "test/spk0/00000\nspk1/00001.mp4\nspk1/00099\n");
  const auto summary = prepare(options);
  EXPECT_EQ(summary.num_clips(), 2);
  EXPECT_EQ(summary.listed, 3);
  EXPECT_EQ(summary.missing, 1);
  EXPECT_EQ(read_file(options.output / "missing.txt"), "spk1/00099\n");
  write_file_atomically(options.list, "test\npretrain\ntrainval\n");
  const auto all = prepare(options);
  EXPECT_EQ(all.num_clips(), 10);
  EXPECT_EQ(all.newly_prepared, 8);
  EXPECT_FALSE(fs::exists(options.output / "missing.txt"));
}

TEST_F(Preparation, GivesDoubledIdsAVerdict) {
  options.layout = corpus::Layout::kFolder;
  write_clip(input(), "a.avi");
  write_clip(input(), "a.mkv");
  write_clip(input(), "b.avi", {.frames = 60});
  write_clip(input(), "b_00.avi");
  options.clip.segments.max_frames = 24;
  const auto summary = prepare(options);
  EXPECT_THAT(summary.clips_by_verdict, UnorderedElementsAre(Pair("ok", 2), Pair("duplicate", 2)));
  const auto verdicts = read_file(options.output / "verdicts.tsv");
  EXPECT_THAT(verdicts, HasSubstr("has the id of " + (input() / "a.avi").string()));
  EXPECT_THAT(verdicts, HasSubstr("b\tduplicate\tutterance 'b_00' has the id of another one"));
  EXPECT_EQ(read_manifest(options.output / "manifest.tsv").utterances.size(), 2U);
}

TEST_F(Preparation, TakesAnyFileName) {
  const std::vector<std::string> names = {"-rf",         "a b",          "it's \"x\"",
                                          "line\nbreak", "$(touch x)",   "tab\tname",
                                          "caf\xE9",     "\xE5\x8F\xA3", "100%"};
  for (const auto& name : names) write_clip(input(), name + ".avi");
  const auto summary = prepare(options);
  EXPECT_THAT(summary.clips_by_verdict, UnorderedElementsAre(Pair("ok", names.size())));
  const auto manifest = read_manifest(options.output / "manifest.tsv");
  ASSERT_EQ(manifest.utterances.size(), names.size());
  for (const auto& utterance : manifest.utterances) {
    EXPECT_FALSE(Shard(utterance.video.file).read(utterance.video.member).empty()) << utterance.id;
  }
  EXPECT_EQ(prepare(options).newly_prepared, 0);
}

TEST_F(Preparation, KeepsFilmsWithoutSoundAndSoundWithoutPictures) {
  write_clip(input(), "ann/a.avi", {.frames = 15, .has_audio = false, .text = "ONE"});
  write_clip(input(), "ann/b.avi", {.frames = 15, .has_audio = false});
  const std::vector<float> samples(16 * 640 + 300, 0.25F);
  corpus::write_bytes(input() / "ann/b.flac", media::encode_flac(samples));    // of a film's name
  corpus::write_bytes(input() / "ann/noise.wav", media::encode_wav(samples));  // of no film
  const auto heard = input().parent_path() / "heard";
  corpus::write_bytes(heard / "bob/c.FLAC", media::encode_flac(samples));
  corpus::write_bytes(heard / "bob/c.txt", "TWO");
  corpus::write_bytes(heard / "bob/d.wav", "no sound");
  options.inputs.push_back(heard);
  const auto summary = prepare(options);
  EXPECT_THAT(summary.clips_by_verdict, UnorderedElementsAre(Pair("ok", 3), Pair("corrupt", 1)));
  EXPECT_EQ(read_file(options.output / "manifest.tsv"),
            "id\tvideo\taudio\tframes\ttext\tspeaker\tsubset\tsource\n"
            "ann/a\tshards/clips-00000.tar/ann/a.npy\t\t15\tONE\tann\t\tfolder\n"
            "ann/b\tshards/clips-00000.tar/ann/b.npy\tshards/clips-00000.tar/ann/b.wav\t15\t\tann"
            "\t\tfolder\n"
            "bob/c\t\tshards/clips-00000.tar/bob/c.wav\t16\tTWO\tbob\t\tfolder\n");
  const auto verdicts = read_file(options.output / "verdicts.tsv");
  EXPECT_THAT(verdicts, HasSubstr("ann/a\tok\twithout sound\t"));
  EXPECT_THAT(verdicts, HasSubstr("ann/b\tok\tsound of the file beside it\t"));
  EXPECT_THAT(verdicts,
              HasSubstr("bob/c\tok\twithout pictures\t" + (heard / "bob/c.FLAC").string()));
  const auto manifest = read_manifest(options.output / "manifest.tsv");
  EXPECT_EQ(Shard(manifest.utterances[2].audio.file).read("bob/c.wav").size(), 44U + 1280U * 16);
  EXPECT_EQ(prepare(options).newly_prepared, 0);
}

TEST_F(Preparation, CutsLongSound) {
  corpus::write_bytes(input() / "a.wav", media::encode_wav(std::vector<float>(50 * 640, 0.5F)));
  options.clip.segments.max_frames = 24;
  prepare(options);
  const auto manifest = read_manifest(options.output / "manifest.tsv");
  ASSERT_EQ(manifest.utterances.size(), 3U);
  EXPECT_EQ(manifest.utterances[0].id, "a_00");
  EXPECT_EQ(manifest.total_frames(), 50);
}

TEST_F(Preparation, GoesOnWhereEveryClipIsBad) {
  corpus::write_bytes(input() / "pretrain/a/1.mp4", "no video");
  corpus::write_bytes(input() / "pretrain/a/2.mp4", "");
  const auto summary = prepare(options);
  EXPECT_EQ(summary.num_clips(), 2);
  EXPECT_EQ(summary.failed_share(), 1);
  EXPECT_FALSE(fs::exists(options.output / "shards/pretrain-00000.tar"));
  const auto manifest = options.output / "manifest.tsv";
  EXPECT_THAT(parse_manifest(read_file(manifest), manifest).utterances, IsEmpty());
  EXPECT_EQ(prepare(options).newly_prepared, 0);
}

TEST_F(Preparation, RefusesOtherOptionsForTheSameFolder) {
  make_corpus(2);
  prepare(options);
  const auto before = content_of(options.output);
  options.clip.segments.min_frames = 6;
  EXPECT_THAT(config_error(options), HasSubstr("was prepared with min-frames 12, now it is 6"));
  options.clip.segments.min_frames = 12;
  options.clip.format = corpus::StorageFormat::kH264;
  EXPECT_THAT(config_error(options), HasSubstr("was prepared with format \"raw\""));
  EXPECT_EQ(content_of(options.output), before);
  options.clip.format = corpus::StorageFormat::kRaw;
  options.clip.limits.max_damaged = 0.5;
  EXPECT_THAT(config_error(options), HasSubstr("was prepared with max-damaged 0.1, now it is 0.5"));
  options.clip.limits.max_damaged = 0.1;
  auto of_earlier_version = read_file(options.output / "prepare.json");
  const auto line = of_earlier_version.find(",\n  \"max-damaged\"");
  ASSERT_NE(line, std::string::npos);
  of_earlier_version.erase(line, of_earlier_version.find("\n}") - line);
  corpus::write_bytes(options.output / "prepare.json", of_earlier_version);
  EXPECT_EQ(config_error(options), "accepted");
  for (const auto& damaged :
       {std::string("{"), std::string("{\"format\": ") + std::string(500'000, '[') +
                              std::string(500'000, ']') + "}"}) {
    corpus::write_bytes(options.output / "prepare.json", damaged);
    EXPECT_THAT(config_error(options), HasSubstr("prepare.json: damaged"));
  }
}

TEST_F(Preparation, TakesAFolderThatIsOlderThanAnOptionForOneOfItsDefault) {
  make_corpus(2);
  prepare(options);
  const auto file = options.output / "prepare.json";
  const auto said = read_file(file);
  corpus::write_bytes(file, said.substr(0, said.find(",\n  \"rotation\"")) + "\n}\n");
  EXPECT_EQ(prepare(options).newly_prepared, 0);
  options.clip.landmark_picture = corpus::LandmarkPicture::kStored;
  EXPECT_THAT(config_error(options),
              HasSubstr("was prepared with rotation \"auto\", now it is \"stored\""));
}

TEST_F(Preparation, ListsTheGreyAndKeepsToIt) {
  make_corpus(4);
  options.clip.grey = corpus::Grey::kPublished;
  prepare(options);
  EXPECT_THAT(read_file(options.output / "trainval.tsv"),
              testing::AllOf(HasSubstr("\tsource\tgrey\n"), HasSubstr("\tlrs3\tpublished\n")));
  EXPECT_EQ(prepare(options).newly_prepared, 0);
  for (const auto& utterance : read_manifest(options.output / "manifest.tsv").utterances)
    EXPECT_EQ(utterance.grey, corpus::Grey::kPublished);
  options.clip.grey = corpus::Grey::kLuma;
  EXPECT_THAT(config_error(options),
              HasSubstr("was prepared with grey \"published\", now it is \"luma\""));
  // A folder of before the option has luma.
  options.output = output("older");
  prepare(options);
  auto said = read_file(options.output / "prepare.json");
  const std::string line = "\n  \"grey\": \"luma\",";
  ASSERT_NE(said.find(line), std::string::npos);
  corpus::write_bytes(options.output / "prepare.json",
                      said.replace(said.find(line), line.size(), ""));
  EXPECT_EQ(prepare(options).newly_prepared, 0);
  options.clip.grey = corpus::Grey::kPublished;
  EXPECT_THAT(config_error(options),
              HasSubstr("was prepared with grey \"luma\", now it is \"published\""));
}

TEST_F(Preparation, CountsWhatWasConvertedInsteadOfSayingItOfEachClip) {
  corpus::write_clip(input(), "a.avi", {.frames = 50, .rate_hz = 50});
  corpus::write_clip(input(), "b.avi", {.frames = 20, .rate_hz = 10});
  corpus::write_clip(input(), "c.avi", {.frames = 50});
  options.layout = corpus::Layout::kFolder;
  const auto summary = prepare(options);
  EXPECT_THAT(summary.clips_by_verdict, UnorderedElementsAre(Pair("ok", 3)));
  EXPECT_EQ(summary.converted.frames, 2);
  EXPECT_EQ(summary.converted.lowest_rate_hz, 10);
  EXPECT_EQ(summary.converted.highest_rate_hz, 50);
  EXPECT_THAT(summary.converted.sound_by_hz, IsEmpty());
  EXPECT_THAT(read_file(options.output / "verdicts.tsv"), HasSubstr("a\tok\t\t"));
}

TEST_F(Preparation, WritesTheSpeakersOfTheRule) {
  corpus::write_clip(input(), "ann_1.avi");
  corpus::write_clip(input(), "bob_1.avi");
  options.layout = corpus::Layout::kFolder;
  options.speaker_rule = "^([a-z]+)_";
  prepare(options);
  std::vector<std::string> speakers;
  for (const auto& utterance : read_manifest(options.output / "manifest.tsv").utterances)
    speakers.push_back(utterance.speaker);
  EXPECT_THAT(speakers, ElementsAre("ann", "bob"));
}

TEST_F(Preparation, RefusesAFolderInUse) {
  make_corpus(1);
  make_folders(options.output);
  const FolderLock owner(options.output);
  EXPECT_THAT(config_error(options), HasSubstr("is in use by process"));
}

TEST_F(Preparation, RefusesWhatItCannotStartFrom) {
  EXPECT_THAT(config_error(options), HasSubstr("corpus: no such folder"));
  fs::create_directories(input());
  EXPECT_THAT(config_error(options), HasSubstr("no video files found"));
  EXPECT_FALSE(fs::exists(options.output));
  make_corpus(1);
  options.clip.segments.max_frames = 20;
  EXPECT_THAT(config_error(options),
              HasSubstr("max-frames is 20, it must be at least twice min-frames (12)"));
  options.clip.segments.max_frames = 600;
  options.workers = -1;
  EXPECT_THAT(config_error(options), HasSubstr("workers is -1"));
  options.workers = 1;
  options.landmarks = output("nowhere");
  EXPECT_THAT(config_error(options), HasSubstr("nowhere: no such folder; --landmarks names one"));
  options.landmarks.clear();
  corpus::write_bytes(output("file"), "x");
  options.output = output("file") / "inside";
  EXPECT_THROW(prepare(options), SystemError);
}

TEST_F(Preparation, RefusesADamagedRecord) {
  make_corpus(2);
  prepare(options);
  const auto file = options.output / "shards/pretrain-00000.verdicts.tsv";
  corpus::write_bytes(file, "id\tverdict\n");
  try {
    prepare(options);
    FAIL() << "accepted";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(),
                HasSubstr(file.string() + ":1: expected id, verdict, message and file"));
  }
  fs::remove(file);  // what the message advises
  EXPECT_EQ(prepare(options).newly_prepared, 1);
}

TEST_F(Preparation, StopsAtTheNextClipAndGoesOn) {
  make_corpus(20);
  options.shard_bytes = 400'000;
  prepare(options);
  const auto wanted = content_of(options.output);

  options.output = output("stopped");
  int runs = 0;
  for (bool complete = false; !complete; ++runs) {
    std::stop_source stop;
    const auto summary =
        prepare(options, stop.get_token(), [&](const PreparationProgress& progress) {
          if (progress.clips_done == 6) stop.request_stop();
        });
    complete = !summary.stopped;
    EXPECT_EQ(fs::exists(options.output / "manifest.tsv"), complete);
    ASSERT_LT(runs, 20);
  }
  EXPECT_GT(runs, 1);
  EXPECT_EQ(content_of(options.output), wanted);
}

/// Runs the preparation in a process of its own; returns its id.
template <class Before>
pid_t start_process(const PreparationOptions& options, Before before) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  try {
    before();
    prepare(options);
    ::_exit(0);
  } catch (const SystemError&) {
    ::_exit(10);
  } catch (...) {
    ::_exit(11);
  }
}

int wait_for(pid_t child) {
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return status;
}

TEST_F(Preparation, KilledAtAnyMomentItEndsWithTheSameBytes) {
  make_corpus(40);
  options.shard_bytes = 600'000;
  const auto start = std::chrono::steady_clock::now();
  prepare(options);
  const std::chrono::duration<double> duration = std::chrono::steady_clock::now() - start;
  const auto wanted = content_of(options.output);

  options.output = output("killed");
  Random random(11);
  int kills = 0, status = 0;
  do {
    options.workers = 1 + kills % 4;
    const auto child = start_process(options, [] {});
    if (kills < 20) {
      std::this_thread::sleep_for(duration * random.uniform(0, 0.6));
      ::kill(child, SIGKILL);
    }
    status = wait_for(child);
    ++kills;
  } while (!WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_GT(kills, 1);
  EXPECT_EQ(content_of(options.output), wanted);
}

TEST_F(Preparation, AFullDiskEndsItInWordsAndLeavesNothingHalf) {
  make_corpus(12);
  prepare(options);
  const auto wanted = content_of(options.output);

  options.output = output("full");
  const auto child = start_process(options, [] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{.rlim_cur = 500'000, .rlim_max = 500'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  });
  const auto status = wait_for(child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 10);
  for (const auto& name : names_of(content_of(options.output))) {
    EXPECT_EQ(name.find(".tmp"), std::string::npos) << name;
  }
  prepare(options);
  EXPECT_EQ(content_of(options.output), wanted);
}

TEST_F(Preparation, LeavesFilesOfOthersAlone) {
  make_corpus(2);
  corpus::write_bytes(options.output / "shards/README", "mine");
  prepare(options);
  EXPECT_EQ(read_file(options.output / "shards/README"), "mine");
}

TEST_F(Preparation, RefusesAFolderWithShardsThatItDidNotBegin) {
  make_corpus(2);
  for (const auto* name : {"holiday-00001.jpg", "pretrain-00000.tar", "pretrain-00007.tar.tmp",
                           "pretrain-00007.tar.raven-0123456789abcdef.tmp"}) {
    options.output = output(name);
    const auto file = options.output / "shards" / name;
    corpus::write_bytes(file, "mine");
    for (int attempt = 0; attempt < 2; ++attempt)
      EXPECT_THAT(config_error(options), HasSubstr(file.string() + " is called like a part"));
    EXPECT_EQ(read_file(file), "mine");
    EXPECT_FALSE(fs::exists(options.output / "prepare.json"));
    fs::remove(file);
    prepare(options);
    corpus::write_bytes(options.output / "shards/holiday-00001.jpg", "mine, later");
    EXPECT_THAT(config_error(options), HasSubstr("holiday-00001.jpg"));
    EXPECT_EQ(read_file(options.output / "shards/holiday-00001.jpg"), "mine, later");
  }
}

TEST_F(Preparation, RemovesWhatItBeganAndNothingElse) {
  make_corpus(2);
  prepare(options);
  const auto wanted = content_of(options.output);
  auto record = read_file(options.output / "prepare.json");
  record.insert(record.find("[") + 1, "\"pretrain-00001\", ");
  corpus::write_bytes(options.output / "prepare.json", record);
  const auto tar = options.output / "shards/pretrain-00001.tar";
  const auto note = options.output / "shards/pretrain-00001.note";
  // As a shard is called while it is written; its lock cannot be had, as where there are no locks.
  const fs::path open = tar.string() + ".raven-0123456789abcdef.tmp";
  corpus::write_bytes(tar, "half");
  corpus::write_bytes(open, "half");
  const int lock = ::open(open.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_EQ(::flock(lock, LOCK_EX), 0);
  corpus::write_bytes(note, "mine");
  EXPECT_THAT(config_error(options), HasSubstr("pretrain-00001.note is called like a part"));
  EXPECT_TRUE(fs::exists(tar));
  EXPECT_TRUE(fs::exists(open));
  EXPECT_EQ(read_file(note), "mine");
  fs::remove(note);
  prepare(options);
  ::close(lock);
  EXPECT_FALSE(fs::exists(tar));
  EXPECT_FALSE(fs::exists(open));
  auto now = content_of(options.output);
  now["prepare.json"] = wanted.at("prepare.json");  // says that one more was begun
  EXPECT_EQ(now, wanted);
}

/// As versions without such a record wrote it, and without a list for validation.
void forget_what_was_begun(const fs::path& file) {
  fs::remove(file.parent_path() / "valid.tsv");
  const auto text = read_file(file);
  const auto from = text.find(",\n  \"begun\": [");
  ASSERT_NE(from, std::string::npos) << text;
  corpus::write_bytes(file, text.substr(0, from) + "\n}\n");
}

TEST_F(Preparation, GoesOnWithAFolderOfVersionsWithoutARecordOfWhatWasBegun) {
  make_corpus(12);
  prepare(options);
  const auto wanted = content_of(options.output);
  const auto shards = options.output / "shards";
  std::string last;
  for (const auto& entry : fs::directory_iterator(shards))
    last = std::max(last, entry.path().filename().string());
  last = last.substr(0, last.find('.'));
  forget_what_was_begun(options.output / "prepare.json");
  fs::remove(shards / (last + ".verdicts.tsv"));  // that shard was not finished
  fs::rename(shards / (last + ".tar"), shards / (last + ".tar.tmp"));
  prepare(options);
  EXPECT_EQ(content_of(options.output), wanted);

  forget_what_was_begun(options.output / "prepare.json");
  corpus::write_bytes(shards / "holiday-00001.tar", "mine");  // not the next one of any subset
  EXPECT_THAT(config_error(options), HasSubstr("holiday-00001.tar"));
}

}  // namespace
}  // namespace raven::data

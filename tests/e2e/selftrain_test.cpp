// `raven selftrain` itself, on clips made on the spot.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include <chrono>
#include <thread>

#include "e2e/finetune_fixture.h"

namespace raven {
namespace {

using testing::HasSubstr;
using testing::Not;

class Selftrain : public Finetune {
 protected:
  void SetUp() override {
    auto manifest = data::read_manifest(train());
    manifest.utterances.resize(6);
    manifest.file = labelled_list();
    data::write_manifest(manifest);
    ASSERT_EQ(finetune("labeller", {"model.modality=audio", "train.steps=12"}), 0)
        << read_file(log("labeller"));
  }

  static fs::path labelled_list() { return corpus_->path() / "train" / "labelled.tsv"; }

  /// The student has the settings of the fixture's run, and learns from six labelled clips unless
  /// `of_student`, its overrides, say otherwise.
  std::vector<std::string> selftrain_command(const std::string& run,
                                             const std::vector<std::string>& more,
                                             std::vector<std::string> of_student = {}) const {
    if (of_student.empty()) of_student = {"data.manifest=[" + labelled_list().string() + "]"};
    std::vector<std::string> quoted;
    for (const auto& word : command("unused", {"train.steps=12", "model.modality=video"})) {
      const auto equals = word.find('=');
      if (equals == word.npos || word.starts_with("run.") || word.starts_with("device=") ||
          word.starts_with("threads=") || word.starts_with("data.manifest="))
        continue;
      quoted.push_back("'" + word + "'");
    }
    for (const auto& one : of_student) quoted.push_back("'" + one + "'");
    std::string list;
    for (const auto& one : quoted) list += (list.empty() ? "" : ", ") + one;
    std::vector<std::string> words = {
        kRaven,
        "selftrain",
        "device=cpu",
        "threads=1",
        "labeller=" + folder("labeller").string(),
        "unlabelled.manifest=[" + train() + "]",
        "decode.beam_size=3",
        "decode.length_bonus=4",  // or so young a labeller would say nothing
        "student.config=" + student_file().string(),
        "student.set=[" + list + "]",
        "run.dir=" + folder(run).string()};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  fs::path student_file() const {
    const auto file = temporary_.path() / "student.yaml";
    if (!fs::exists(file)) write_file_atomically(file, "model: {modality: video}\n");
    return file;
  }
  int selftrain(const std::string& run, const std::vector<std::string>& more = {},
                const std::vector<std::string>& of_student = {}) const {
    return Process(selftrain_command(run, more, of_student), log(run)).wait();
  }
  [[nodiscard]] std::string student(const std::string& run, int round) const {
    return read_file(folder(run) / ("round_" + std::to_string(round)) / "student" /
                     "recognizer.safetensors");
  }
};

TEST_F(Selftrain, IsSharedByRanks) {
  ASSERT_EQ(selftrain("alone"), 0) << read_file(log("alone")).substr(0, 500);
  ASSERT_EQ(selftrain("shared", {"ranks=2"}), 0) << read_file(log("shared")).substr(0, 500);
  for (const auto* file : {"labels.tsv", "label_errors.tsv", "pseudo.tsv"}) {
    const auto at = fs::path("round_1") / file;
    EXPECT_TRUE(read_file(folder("shared") / at) == read_file(folder("alone") / at)) << file;
  }
  EXPECT_FALSE(student("shared", 1).empty());
  EXPECT_THAT(read_file(folder("shared") / "round_1" / "student" / "environment.json"),
              HasSubstr("\"ranks\": \"2\""));
}

TEST_F(Selftrain, SoundAloneServesSound) {
  const auto without_pictures = [](const std::string& list, const std::string& name) {
    auto manifest = data::read_manifest(list);
    for (auto& utterance : manifest.utterances) {
      if (utterance.audio.empty()) utterance.audio = utterance.video;
      utterance.video = {};
    }
    manifest.file = corpus_->path() / "train" / name;
    data::write_manifest(manifest);
    return manifest.file.string();
  };
  const auto sound = without_pictures(train(), "sound.tsv");
  const auto labelled = without_pictures(labelled_list().string(), "labelled_sound.tsv");
  ASSERT_EQ(selftrain("run", {"unlabelled.manifest=[" + sound + "]"},
                      {"data.manifest=[" + labelled + "]", "model.modality=audio"}),
            0)
      << read_file(log("run"));
  const auto kept = data::read_manifest(folder("run") / "round_1" / "pseudo.tsv");
  ASSERT_FALSE(kept.utterances.empty());
  EXPECT_TRUE(kept.utterances.front().video.empty());
  EXPECT_NE(student("run", 1), "");
}

TEST_F(Selftrain, TwoRoundsLabelChooseAndLearn) {
  ASSERT_EQ(selftrain("run", {"rounds=2"}), 0) << read_file(log("run"));
  const auto text = read_file(log("run"));
  EXPECT_THAT(text, HasSubstr("6 clips of unlabelled.manifest are labelled and passed over"));
  EXPECT_THAT(text, HasSubstr("word error of the kept labels"));
  for (const std::string round : {"round_1", "round_2"}) {
    const auto kept = data::read_manifest(folder("run") / round / "pseudo.tsv");
    ASSERT_FALSE(kept.utterances.empty());
    for (const auto& utterance : kept.utterances) {
      EXPECT_FALSE(utterance.text.empty());
      EXPECT_TRUE(fs::exists(utterance.video.file)) << utterance.video.file;
    }
    EXPECT_THAT(read_file(folder("run") / round / "labels.tsv"), HasSubstr("lowest_confidence"));
    EXPECT_THAT(read_file(folder("run") / round / "label_errors.tsv"), HasSubstr("agreement\t1.0"));
  }
  EXPECT_NE(student("run", 1), student("run", 2)) << "another labeller gives other labels";
  const auto yaml = read_file(folder("run") / "round_1" / "student" / "config.yaml");
  EXPECT_THAT(yaml, HasSubstr("round_1/pseudo.tsv"));
  EXPECT_THAT(yaml, HasSubstr("labelled.tsv"));

  const auto page = folder("report.html").string();
  ASSERT_EQ(
      Process({kRaven, "report", folder("run").string(), "--out", page}, log("report")).wait(), 0)
      << read_file(log("report"));
  const auto html = read_file(page);
  EXPECT_THAT(html, HasSubstr("first labelled by " + folder("labeller").string()));
  EXPECT_THAT(html, HasSubstr("Errors of the labels of round 2"));
  EXPECT_THAT(html, HasSubstr("<h1>2 runs</h1>"));

  ASSERT_EQ(selftrain("other", {"rounds=1"}), 0);
  EXPECT_TRUE(student("run", 1) == student("other", 1));
  ASSERT_EQ(selftrain("other", {"rounds=2"}), 0) << "rounds may grow";
  EXPECT_TRUE(student("run", 2) == student("other", 2));
}

TEST_F(Selftrain, KilledAtAnyMomentItEndsWithTheSameBytes) {
  ASSERT_EQ(selftrain("whole"), 0) << read_file(log("whole"));
  for (const char* sign :
       {"round_1/labels/decoded.jsonl", "round_1/pseudo.tsv", "round_1/student/checkpoints/last"}) {
    Process process(selftrain_command("killed", {}), log("killed"));
    for (int i = 0; i < 6000 && !fs::exists(folder("killed") / sign); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    process.signal(SIGKILL);
    EXPECT_EQ(process.wait(), -SIGKILL) << sign;
  }
  ASSERT_EQ(selftrain("killed"), 0) << read_file(log("killed"));
  EXPECT_TRUE(student("whole", 1) == student("killed", 1));
  for (const char* file : {"pseudo.tsv", "labels.tsv", "label_errors.tsv"}) {
    EXPECT_EQ(read_file(folder("whole") / "round_1" / file),
              read_file(folder("killed") / "round_1" / file))
        << file;
  }
}

TEST_F(Selftrain, LabelsWhatThePartWithTrueLabelsLeavesOut) {
  std::string ids;
  for (const auto& utterance : data::read_manifest(labelled_list()).utterances)
    ids += utterance.id + "\n";
  const auto six = temporary_.path() / "six.txt";
  write_file_atomically(six, ids);
  ASSERT_EQ(selftrain("run", {},
                      {"data.manifest=[" + train() + "]", "data.labelled_list=" + six.string(),
                       "data.labelled_repeats=3"}),
            0)
      << read_file(log("run"));
  const auto text = read_file(log("run"));
  EXPECT_THAT(text, HasSubstr("6 clips of unlabelled.manifest are labelled and passed over"));
  const auto all = data::read_manifest(train()).total_frames(),
             true_ones = 3 * data::read_manifest(labelled_list()).total_frames();
  const auto pseudo = all - true_ones / 3;
  EXPECT_THAT(text, HasSubstr(fmt::format("true_labels: {:.0f} % of the frames",
                                          100.0 * static_cast<double>(true_ones) /
                                              static_cast<double>(true_ones + pseudo))));
}

TEST_F(Selftrain, ASecondRecognizerAgreesWithItself) {
  const std::string other = "filter.other=" + folder("labeller").string();
  ASSERT_EQ(selftrain("run", {other, "filter.min_other_agreement=1"}), 0) << read_file(log("run"));
  EXPECT_THAT(read_file(folder("run") / "round_1" / "label_errors.tsv"), HasSubstr("other\t1.0"));
  EXPECT_THAT(read_file(folder("run") / "round_1" / "labels.tsv"), Not(HasSubstr("\tother\t")));
  EXPECT_EQ(selftrain("typo", {"labeller=" + folder("none").string(), other}), 1);
  EXPECT_THAT(read_file(log("typo")), HasSubstr("none"));
  EXPECT_FALSE(fs::exists(folder("typo") / "round_1" / "other")) << "nothing was decoded";
}

TEST_F(Selftrain, TellsWhatTheStudentCannotLearnBeforeItLabels) {
  EXPECT_EQ(selftrain("test", {},
                      {"data.manifest=[" + labelled_list().string() + "]",
                       "data.test_manifest=[" + train() + "]"}),
            2);
  EXPECT_THAT(read_file(log("test")), HasSubstr("take them out of unlabelled.manifest"));
  EXPECT_EQ(selftrain("long", {},
                      {"data.manifest=[" + labelled_list().string() + "]", "data.max_frames=5"}),
            2);
  EXPECT_THAT(read_file(log("long")), HasSubstr("more than a batch of the student may hold"));
  EXPECT_FALSE(fs::exists(folder("long") / "round_1"));
}

TEST_F(Selftrain, SaysWhenNoLabelIsKept) {
  ASSERT_EQ(selftrain("run", {"filter.max_units_per_s=0.001"}), 2);
  const auto text = read_file(log("run"));
  EXPECT_THAT(text, HasSubstr("not one of 6 labels is kept"));
  EXPECT_THAT(text, HasSubstr("length 6"));
}

TEST_F(Selftrain, OtherSettingsOfAFolderAreRefused) {
  ASSERT_EQ(selftrain("run"), 0);
  ASSERT_EQ(selftrain("run", {"filter.share_kept=0.5"}), 2);
  EXPECT_THAT(read_file(log("run")), HasSubstr("filter.share_kept"));
}

TEST_F(Selftrain, AStudentThatCannotBeIsRefusedBeforeLabelling) {
  ASSERT_EQ(selftrain("run", {"student.config=" + (temporary_.path() / "none.yaml").string()}), 2);
  EXPECT_FALSE(fs::exists(folder("run") / "round_1"));
}

}  // namespace
}  // namespace raven

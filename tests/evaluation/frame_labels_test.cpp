#include "raven/evaluation/frame_labels.h"

#include <gmock/gmock.h>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "support/temporary_folder.h"

namespace raven::evaluation {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class FrameLabels : public testing::Test {
 protected:
  void SetUp() override {
    manifest_.file = "list.tsv";
    for (const std::string id : {"a", "b"}) {
      data::Utterance utterance;
      utterance.id = id;
      utterance.speaker = id == "a" ? "Ann" : "";
      manifest_.utterances.push_back(utterance);
    }
  }
  LabelSet read(const std::string& text) const {
    write_file_atomically(file_, text);
    return read_labels(file_, manifest_);
  }
  template <class Exception>
  std::string problem(const std::string& text) const {
    try {
      read(text);
    } catch (const Exception& error) {
      return error.what();
    }
    return "";
  }

  TemporaryFolder folder_;
  std::filesystem::path file_ = folder_.path() / "phonemes.tsv";
  data::Manifest manifest_;
};

TEST_F(FrameLabels, AFrameHasTheLabelOfItsMiddle) {
  // Middles of frames: 0.02, 0.06, 0.10, 0.14 s. The spans of a come in any order.
  const auto set = read(
      "id\tnote\tlabel\tend_s\tbegin_s\n"
      "a\tx\tt\t0.10\t0.03\na\tx\t_\t0.03\t0\nother\tx\tz\t1\t0\n"
      "b\tx\t_\t0.12\t0.05\n");
  EXPECT_EQ(set.name, "phonemes");
  EXPECT_FALSE(set.of_utterances);
  EXPECT_THAT(set.classes, ElementsAre("_", "t"));
  EXPECT_EQ(set.at("a", 0), 0);
  EXPECT_EQ(set.at("a", 1), 1);
  EXPECT_FALSE(set.at("a", 2)) << "a span does not have its end";
  EXPECT_FALSE(set.at("b", 0));
  EXPECT_EQ(set.at("b", 2), 0);
  EXPECT_FALSE(set.at("other", 0));
}

TEST_F(FrameLabels, UtterancesHaveOneEach) {
  const auto set = read("id\tlabel\nb\tyes\na\tno\n");
  EXPECT_TRUE(set.of_utterances);
  EXPECT_EQ(set.at("a", 7), 0);
  EXPECT_EQ(set.at("b", 0), 1);
  const auto speakers = speaker_labels(manifest_);
  EXPECT_TRUE(speakers.of_utterances);
  EXPECT_EQ(speakers.at("a", 3), 0);
  EXPECT_FALSE(speakers.at("b", 3));
  manifest_.utterances.front().speaker.clear();
  EXPECT_THROW(speaker_labels(manifest_), ConfigError);
}

TEST_F(FrameLabels, NamesWhatCannotBeRead) {
  EXPECT_THAT(problem<DataError>("id\tbegin_s\tlabel\na\t0\tt\n"),
              HasSubstr("phonemes.tsv:1: expected a first line that names the columns"));
  EXPECT_THAT(problem<DataError>("id\tlabel\tlabel\n"),
              HasSubstr("two columns are called 'label'"));
  EXPECT_THAT(problem<DataError>("id\tlabel\na\n"), HasSubstr("phonemes.tsv:2: 1 columns"));
  EXPECT_THAT(problem<DataError>("id\tlabel\na\tx\na\ty\n"),
              HasSubstr("phonemes.tsv:3: 'a' has a label already, in line 2"));
  const std::string header = "id\tbegin_s\tend_s\tlabel\n";
  EXPECT_THAT(problem<DataError>(header + "a\t0\tsoon\tt\n"), HasSubstr("end_s is 'soon'"));
  EXPECT_THAT(problem<DataError>(header + "a\t0\tnan\tt\n"), HasSubstr("end_s is 'nan'"));
  EXPECT_THAT(problem<DataError>(header + "a\t2\t1\tt\n"), HasSubstr("ends at 1 s, before"));
  EXPECT_THAT(problem<DataError>(header + "a\t0\t1\t\n"), HasSubstr("the label is empty"));
  EXPECT_THAT(problem<DataError>(header + "a\t0\t2\tt\nb\t0\t1\tt\na\t1\t3\tn\n"),
              HasSubstr("phonemes.tsv:4: overlaps with line 2: 'a' has two labels at 1 s"));
  EXPECT_THAT(problem<ConfigError>(header + "z\t0\t1\tt\n"),
              HasSubstr("has no label for any utterance of list.tsv"));
  EXPECT_THROW(read_labels(folder_.path() / "none.tsv", manifest_), ConfigError);
}

}  // namespace
}  // namespace raven::evaluation

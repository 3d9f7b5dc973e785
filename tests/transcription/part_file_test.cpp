#include "transcription/part_file.h"

#include <gtest/gtest.h>

#include "raven/core/files.h"
#include "support/temporary_folder.h"

namespace raven::transcription {
namespace {

using config::Modality;

const Cut kFirst{.begin = 0, .end = 20}, kSecond{.begin = 20, .end = 71};

Passage passage(double begin_s) {
  return {
      .begin_s = begin_s,
      .end_s = begin_s + 1.0 / 3,
      .score = -0.1,
      .words = {
          {.text = "A", .begin_s = begin_s + 0.1, .end_s = begin_s + 0.2, .confidence = 1.0 / 7}}};
}

class PartFileTest : public testing::Test {
 protected:
  void SetUp() override {
    PartFile part(file_, "model 1");
    part.add(Modality::kAudio, kFirst, passage(0));
    part.add(Modality::kVideo, kFirst, passage(1));
    part.add(Modality::kAudio, kSecond, passage(2));
  }
  TemporaryFolder folder_;
  std::filesystem::path file_ = folder_.path() / "clip.part.jsonl";
};

TEST_F(PartFileTest, GivesBackExactlyWhatWasAdded) {
  const PartFile part(file_, "model 1");
  const auto found = part.find(Modality::kVideo, kFirst);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->words, passage(1).words);
  EXPECT_EQ(found->end_s, 1 + 1.0 / 3);
  EXPECT_EQ(found->score, -0.1);
  EXPECT_TRUE(part.find(Modality::kAudio, kSecond).has_value());
  EXPECT_FALSE(part.find(Modality::kVideo, kSecond).has_value());
}

TEST_F(PartFileTest, IsNotThatOfAnotherModel) {
  EXPECT_FALSE(PartFile(file_, "model 2").find(Modality::kAudio, kFirst).has_value());
}

TEST_F(PartFileTest, ALineThatWasCutShortIsLost) {
  auto content = read_file(file_);
  content.resize(content.size() - 3);
  write_file_atomically(file_, content);
  {
    PartFile part(file_, "model 1");
    EXPECT_TRUE(part.find(Modality::kVideo, kFirst).has_value());
    EXPECT_FALSE(part.find(Modality::kAudio, kSecond).has_value());
    part.add(Modality::kAudio, kSecond, passage(2));
  }
  EXPECT_TRUE(PartFile(file_, "model 1").find(Modality::kAudio, kSecond).has_value());
}

TEST_F(PartFileTest, NonsenseIsNoPassage) {
  write_file_atomically(file_, "{\"identity\":\"model 1\"}\n{\"modality\":\"audio\"}\n[[[\n");
  EXPECT_FALSE(PartFile(file_, "model 1").find(Modality::kAudio, kFirst).has_value());
}

}  // namespace
}  // namespace raven::transcription

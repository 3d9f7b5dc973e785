#include "transcription/transcript_folder.h"

#include <gtest/gtest.h>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "support/temporary_folder.h"

namespace raven::transcription {
namespace {

namespace fs = std::filesystem;

class TranscriptFolderTest : public testing::Test {
 protected:
  TranscriptFolder open(const std::vector<fs::path>& files, bool replace = false) const {
    return TranscriptFolder(out_, files, {".txt"}, replace);
  }
  static void write(TranscriptFolder& folder, const fs::path& file, const std::string& identity) {
    auto record = folder.record(file);
    record.identity = identity;
    record.verdict = "ok";
    folder.write(record, {{.name = record.name + ".txt", .content = identity}});
  }
  TemporaryFolder temporary_;
  fs::path out_ = temporary_.path() / "out";
};

TEST_F(TranscriptFolderTest, FilesOfOneNameDoNotMeet) {
  const auto folder = open({"/a/clip.mp4", "/b/clip.mp4", "/a/clip.wav", "/c/other.mp4"});
  EXPECT_EQ(folder.name_of("/a/clip.mp4"), "clip");
  EXPECT_EQ(folder.name_of("/b/clip.mp4"), "clip-2");
  EXPECT_EQ(folder.name_of("/a/clip.wav"), "clip-3");
  EXPECT_EQ(folder.name_of("/c/other.mp4"), "other");
}

TEST_F(TranscriptFolderTest, ALaterCallKeepsNames) {
  {
    auto folder = open({"/b/clip.mp4"});
    write(folder, "/b/clip.mp4", "1");
  }
  const auto folder = open({"/a/clip.mp4", "/b/../b/clip.mp4"});
  EXPECT_EQ(folder.name_of("/b/clip.mp4"), "clip");
  EXPECT_EQ(folder.name_of("/a/clip.mp4"), "clip-2");
}

TEST_F(TranscriptFolderTest, WhatIsDoneFollowsFromTheSameAndIsThere) {
  {
    auto folder = open({"/a/clip.mp4"});
    EXPECT_FALSE(folder.is_done("/a/clip.mp4", "1"));
    write(folder, "/a/clip.mp4", "1");
    EXPECT_TRUE(folder.is_done("/a/clip.mp4", "1"));
  }
  const auto folder = open({"/a/clip.mp4"});
  EXPECT_TRUE(folder.is_done("/a/clip.mp4", "1"));
  EXPECT_FALSE(folder.is_done("/a/clip.mp4", "2"));
  fs::remove(out_ / "clip.txt");
  EXPECT_FALSE(folder.is_done("/a/clip.mp4", "1"));
}

TEST_F(TranscriptFolderTest, FilesOfOthersStay) {
  fs::create_directories(out_);
  write_file_atomically(out_ / "clip.txt", "mine");
  EXPECT_THROW(open({"/a/clip.mp4"}), ConfigError);
  EXPECT_EQ(read_file(out_ / "clip.txt"), "mine");
  EXPECT_NO_THROW(open({"/a/clip.mp4"}, /*replace=*/true));
}

TEST_F(TranscriptFolderTest, WhatIsNoLongerWantedGoes) {
  auto folder = open({"/a/clip.mp4"});
  write(folder, "/a/clip.mp4", "1");
  auto record = folder.record("/a/clip.mp4");
  folder.write(record, {{.name = "clip.srt", .content = ""}});
  EXPECT_FALSE(fs::exists(out_ / "clip.txt"));
  record.verdict = "missing";
  folder.note(record);  // the film is away, its transcript stays
  EXPECT_TRUE(fs::exists(out_ / "clip.srt"));
}

TEST_F(TranscriptFolderTest, TheListIsTheSameInWhateverOrderFilesWereDone) {
  std::string lists[2];
  for (const bool backwards : {false, true}) {
    fs::remove_all(out_);
    auto folder = open({"/a/1.mp4", "/a/2.mp4"});
    write(folder, backwards ? "/a/2.mp4" : "/a/1.mp4", "x");
    write(folder, backwards ? "/a/1.mp4" : "/a/2.mp4", "x");
    folder.finish();
    lists[backwards ? 1 : 0] = read_file(out_ / "transcripts.jsonl");
  }
  EXPECT_EQ(lists[0], lists[1]);
}

TEST_F(TranscriptFolderTest, AListThatLeadsOutOfTheFolderIsNotFollowed) {
  {
    auto folder = open({"/a/clip.mp4"});
    write(folder, "/a/clip.mp4", "1");
  }
  auto list = read_file(out_ / "transcripts.jsonl");
  list.replace(list.find("\"clip.txt\""), 10, "\"../x.txt\"");
  write_file_atomically(out_ / "transcripts.jsonl", list + "{\"file\":\"/a/b");
  write_file_atomically(temporary_.path() / "x.txt", "mine");
  auto folder = open({"/a/clip.mp4"});
  write(folder, "/a/clip.mp4", "2");
  EXPECT_TRUE(fs::exists(temporary_.path() / "x.txt"));
}

}  // namespace
}  // namespace raven::transcription

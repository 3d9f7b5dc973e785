#include "raven/corpus/source_clip.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "corpus/make_corpus.h"
#include "raven/core/error.h"
#include "support/temporary_folder.h"

namespace raven::corpus {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class SourceClips : public testing::Test {
 protected:
  void touch(const std::string& name, const std::string& content = "x") {
    write_bytes(folder() / name, content);
  }
  [[nodiscard]] const fs::path& folder() const { return temporary_.path(); }

  static std::vector<std::string> ids(const std::vector<SourceClip>& clips) {
    std::vector<std::string> all;
    for (const auto& clip : clips) all.push_back(clip.id);
    return all;
  }

 private:
  TemporaryFolder temporary_;
};

TEST_F(SourceClips, ListsSoundFilesOfAPlainFolderWithoutVideos) {
  touch("test/ann/a.flac");
  touch("test/ann/a.txt");
  touch("test/ann/notes.doc");
  const auto clips = list_clips(folder(), Layout::kFolder);
  EXPECT_THAT(ids(clips), ElementsAre("test/ann/a"));
  EXPECT_TRUE(clips[0].video.empty());
  EXPECT_EQ(clips[0].audio, folder() / "test/ann/a.flac");
  EXPECT_EQ(clips[0].text, folder() / "test/ann/a.txt");
  EXPECT_EQ(clips[0].speaker, "ann");
  EXPECT_TRUE(clips[0].landmarks.empty());
}

TEST_F(SourceClips, BesideVideosSoundFilesAreTheirsOrLeftOut) {
  touch("test/ann/a.flac");
  touch("test/ann/film.mp4");
  touch("test/ann/film.wav");
  touch("test/ann/film.mp3");
  const auto clips = list_clips(folder(), Layout::kFolder);
  EXPECT_THAT(ids(clips), ElementsAre("test/ann/film"));
  EXPECT_TRUE(clips[0].audio.empty());
  EXPECT_EQ(clips[0].spare, folder() / "test/ann/film.mp3");
  EXPECT_THAT(ids(list_clips(folder(), Layout::kLrs3)), ElementsAre("test/ann/film"));
}

TEST_F(SourceClips, KnowsGridByItsTalkersAndSentences) {
  touch("s1/video/brbk7n.mpg");
  touch("s1/video/brbk7n.txt");
  touch("s1/video/lgif1p.mpg");
  touch("s1/align/lgif1p.align");
  touch("s2/swazzs.mpg");
  touch("s3/pbwg9a.mpg");
  touch("alignments/s3/pbwg9a.align");
  touch("s3/other.mpg");
  const auto clips = list_clips(folder(), Layout::kAuto);
  ASSERT_THAT(ids(clips), ElementsAre("s1/video/brbk7n", "s1/video/lgif1p", "s2/swazzs", "s3/other",
                                      "s3/pbwg9a"));
  EXPECT_EQ(clips[0].layout, Layout::kGrid);
  EXPECT_EQ(clips[0].speaker, "s1");
  EXPECT_EQ(clips[0].text, folder() / "s1/video/brbk7n.txt");
  EXPECT_EQ(clips[0].sentence, "");
  EXPECT_EQ(clips[1].text, folder() / "s1/align/lgif1p.align");
  EXPECT_EQ(clips[2].text, "");
  EXPECT_EQ(clips[2].sentence, "set white at z zero soon");
  EXPECT_EQ(clips[3].sentence, "");
  EXPECT_EQ(clips[4].text, folder() / "alignments/s3/pbwg9a.align");
}

TEST_F(SourceClips, FoldersCalledS1AloneAreNoGrid) {
  touch("s1/film.mp4");
  EXPECT_EQ(list_clips(folder(), Layout::kAuto).at(0).layout, Layout::kFolder);
  touch("s100/brbk7n.mpg");
  EXPECT_EQ(list_clips(folder(), Layout::kAuto).at(0).layout, Layout::kFolder);
}

TEST_F(SourceClips, AFolderCalledTestAloneIsNoLrs3) {
  touch("test/a.flac");
  touch("train/b.flac");
  EXPECT_THAT(ids(list_clips(folder(), Layout::kAuto)), ElementsAre("test/a", "train/b"));
}

TEST_F(SourceClips, ListsLrs3) {
  touch("trainval/bob/00002.mp4");
  touch("trainval/bob/00002.txt");
  touch("pretrain/ann/00001.mp4");
  touch("test/eve/00001.mp4");
  touch("notes/00001.mp4");  // no part of the layout
  const auto clips = list_clips(folder(), Layout::kAuto);
  EXPECT_THAT(ids(clips),
              ElementsAre("pretrain/ann/00001", "test/eve/00001", "trainval/bob/00002"));
  const auto& clip = clips[2];
  EXPECT_EQ(clip.subset, "trainval");
  EXPECT_EQ(clip.speaker, "bob");
  EXPECT_EQ(clip.layout, Layout::kLrs3);
  EXPECT_EQ(clip.text, folder() / "trainval/bob/00002.txt");
  EXPECT_EQ(clip.landmarks, folder() / "landmarks/trainval/bob/00002.npy");
  EXPECT_TRUE(clips[0].text.empty());
  EXPECT_EQ(list_clips(folder(), Layout::kAuto, "/other")[2].landmarks,
            "/other/trainval/bob/00002.npy");
}

TEST_F(SourceClips, ListsLrs2BySplitLists) {
  touch("main/1/00001.mp4");
  touch("main/1/00002.mp4");
  touch("main/2/00003.mp4");
  touch("pretrain/1/00001.mp4");
  touch("test.txt", "1/00002 MV\r\n");
  touch("train.txt", "1/00001\n2/00003\n");
  const auto clips = list_clips(folder(), Layout::kAuto);
  EXPECT_THAT(ids(clips),
              ElementsAre("pretrain/1/00001", "main/1/00002", "main/1/00001", "main/2/00003"));
  EXPECT_EQ(clips[1].subset, "test");
  EXPECT_EQ(clips[2].subset, "train");
}

TEST_F(SourceClips, ListsVoxCeleb2WithItsSoundFiles) {
  touch("dev/mp4/id001/video/00001.mp4");
  touch("dev/aac/id001/video/00001.m4a");
  touch("dev/mp4/id002/video/00001.mp4");
  const auto clips = list_clips(folder(), Layout::kAuto);
  EXPECT_THAT(ids(clips), ElementsAre("dev/id001/video/00001", "dev/id002/video/00001"));
  EXPECT_EQ(clips[0].speaker, "id001");
  EXPECT_EQ(clips[0].audio, folder() / "dev/aac/id001/video/00001.m4a");
  EXPECT_EQ(clips[0].landmarks, folder() / "landmarks/dev/mp4/id001/video/00001.npy");
  EXPECT_TRUE(clips[1].audio.empty());
}

TEST_F(SourceClips, ListsAnyFolder) {
  touch("b.MKV");
  touch("deep/er/a.avi");
  touch("deep/er/a.txt");
  touch("readme.md");
  touch("._b.mp4");
  touch(".hidden/c.mp4");
  touch("landmarks/d.mp4");  // the landmarks' folder holds no clips
  const auto clips = list_clips(folder(), Layout::kAuto);
  EXPECT_THAT(ids(clips), ElementsAre("b", "deep/er/a"));
  EXPECT_EQ(clips[1].speaker, "er");
  EXPECT_EQ(clips[1].subset, "");
  EXPECT_EQ(clips[1].text, folder() / "deep/er/a.txt");
}

TEST_F(SourceClips, TakesFileNamesAsTheyAre) {
  for (const auto* name : {"-rf.mp4", "a b.mp4", "it's \"x\".mp4", "line\nbreak.mp4", "$(id).mp4",
                           "caf\xE9.mp4", "\xE5\x8F\xA3.mp4"}) {
    touch(name);
  }
  EXPECT_THAT(
      ids(list_clips(folder(), Layout::kFolder)),
      ElementsAre("$(id)", "-rf", "a b", "caf%E9", "it's \"x\"", "line%0Abreak", "\xE5\x8F\xA3"));
}

TEST_F(SourceClips, FollowsLinksToFoldersOnce) {
  touch("real/a.mp4");
  fs::create_directory_symlink(folder() / "real", folder() / "link");
  fs::create_directory_symlink(folder(), folder() / "real/circle");
  EXPECT_EQ(list_clips(folder(), Layout::kFolder).size(), 1U);
}

TEST_F(SourceClips, RefusesWhatIsNoFolder) {
  touch("file");
  for (const auto* name : {"absent", "file"}) {
    try {
      list_clips(folder() / name, Layout::kAuto);
      FAIL() << "accepted";
    } catch (const ConfigError& error) {
      EXPECT_THAT(error.what(), HasSubstr(std::string(name) + ": no such folder"));
    }
  }
}

TEST(Layouts, HaveNames) {
  for (const auto layout : {Layout::kAuto, Layout::kLrs3, Layout::kLrs2, Layout::kVoxCeleb2,
                            Layout::kGrid, Layout::kFolder}) {
    EXPECT_EQ(layout_of(name_of(layout)), layout);
  }
  EXPECT_EQ(layout_of("lrs4"), std::nullopt);
}

TEST_F(SourceClips, OfAPlainFolderHaveTheSpeakersOfTheRule) {
  touch("bob_01.mp4");
  touch("ann/eve_02.mp4");
  touch("ann/monday/ann_03.mp4");
  const auto speakers = [&](const std::string& rule) {
    std::vector<std::string> all;
    for (const auto& clip : list_clips(folder(), Layout::kFolder, {}, SpeakerRule(rule)))
      all.push_back(clip.speaker);
    return all;
  };
  EXPECT_THAT(speakers("parent"), ElementsAre("ann", "monday", ""));
  EXPECT_THAT(speakers("top"), ElementsAre("ann", "ann", ""));
  EXPECT_THAT(speakers("file"), ElementsAre("eve_02", "ann_03", "bob_01"));
  EXPECT_THAT(speakers("none"), ElementsAre("", "", ""));
  EXPECT_THAT(speakers("([a-z]+)_[0-9]+$"), ElementsAre("eve", "ann", "bob"));
  EXPECT_THAT(speakers("^ann/([a-z]+)"), ElementsAre("eve", "monday", ""));
}

TEST_F(SourceClips, RefuseSpeakerRulesThatCannotWork) {
  touch("bob_01.mp4");
  const auto error_with = [&](const std::string& rule, Layout layout) -> std::string {
    try {
      list_clips(folder(), layout, {}, SpeakerRule(rule));
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_THAT(error_with("folder", Layout::kFolder), HasSubstr("expected parent, top, file, none"));
  EXPECT_THAT(error_with("([a-z]", Layout::kFolder), HasSubstr("'([a-z]'"));
  EXPECT_THAT(error_with("(\xE9+)_", Layout::kFolder),
              HasSubstr("speaker is '(%E9+)_' (%XX: its bytes), expected UTF-8"));
  EXPECT_THAT(error_with("(x+)-", Layout::kFolder), HasSubstr("found in none of 1 paths"));
  EXPECT_THAT(error_with("file", Layout::kLrs3), HasSubstr("the layout lrs3 says who speaks"));
  EXPECT_EQ(error_with("parent", Layout::kLrs3), "accepted");
}

}  // namespace
}  // namespace raven::corpus

#include "raven/data/media_list.h"

#include <gmock/gmock.h>

#include <fstream>

#include "data/corpus_fixture.h"
#include "raven/core/error.h"
#include "support/temporary_folder.h"

namespace raven::data {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

class MediaLists : public testing::Test {
 protected:
  fs::path write(const std::string& name, const std::string& bytes) const {
    const auto file = folder_.path() / name;
    fs::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << bytes;
    return file;
  }
  static std::string mp4(std::int64_t frames, std::int64_t side = kStoredSide) {
    const std::vector<std::uint8_t> pixels(static_cast<std::size_t>(frames * side * side), 90);
    return media::encode_mp4(
        {.pixels = pixels, .num_frames = frames, .height = side, .width = side});
  }
  static std::string wav(std::int64_t samples) {
    return media::encode_wav(std::vector<float>(static_cast<std::size_t>(samples), 0.1F));
  }
  static std::vector<std::string> ids(const MediaList& list) {
    std::vector<std::string> ids;
    for (const auto& utterance : list.manifest.utterances) ids.push_back(utterance.id);
    return ids;
  }
  static std::string problem(const std::vector<fs::path>& files) {
    try {
      list_videos(files);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "";
  }

  TemporaryFolder folder_;
};

TEST_F(MediaLists, CountFramesAndNameClipsBelowTheirFolder) {
  const auto a = write("x/s1/a.mp4", mp4(5)), b = write("x/s2/a.npy", npy_clip(clip_pixels(7, 1)));
  const auto list = list_videos({a, b});
  EXPECT_THAT(ids(list), ElementsAre("s1/a", "s2/a"));
  EXPECT_EQ(list.manifest.utterances[0].frames, 5);
  EXPECT_EQ(list.manifest.utterances[1].frames, 7);
  EXPECT_EQ(list.manifest.utterances[0].video.file, a);
  EXPECT_TRUE(list.skips->ids.empty());
  EXPECT_THAT(ids(list_videos({a})), ElementsAre("a"));
}

TEST_F(MediaLists, CountWholeFramesOfSound) {
  const auto list = list_sounds({write("a.wav", wav(3 * 640 + 639)), write("b.wav", wav(640))});
  ASSERT_THAT(ids(list), ElementsAre("a", "b"));
  EXPECT_EQ(list.manifest.utterances[0].frames, 3);
  EXPECT_EQ(list.manifest.utterances[1].frames, 1);
  EXPECT_EQ(list.manifest.utterances[1].audio.file, folder_.path() / "b.wav");
}

TEST_F(MediaLists, FilesThatCannotServeAreSkippedWithTheReason) {
  const auto seen = list_videos({write("face.mp4", mp4(3, 128)), write("sound.wav", wav(6400)),
                                 write("empty.mp4", ""), write("good.mp4", mp4(2)),
                                 write("text.npy", "no array")});
  EXPECT_THAT(ids(seen), ElementsAre("good"));
  EXPECT_THAT(seen.skips->ids, UnorderedElementsAre("face", "sound", "empty", "text"));
  EXPECT_EQ(seen.skips->by_reason.at("shape"), 1);
  EXPECT_EQ(seen.skips->by_reason.at("no-video"), 1);
  EXPECT_THAT(seen.skips->lines.front(), HasSubstr("128 x 128, expected a mouth crop of 96 x 96"));
  const auto heard = list_sounds(
      {write("silent.mp4", mp4(3)), write("short.wav", wav(639)), write("none.wav", wav(0))});
  EXPECT_TRUE(heard.manifest.utterances.empty());
  EXPECT_EQ(heard.skips->by_reason.at("no-audio"), 1);
  EXPECT_EQ(heard.skips->lines.size(), 3U);
}

TEST_F(MediaLists, SkipNamesThatAreNoText) {
  const auto list =
      list_sounds({write("caf\xE9.wav", wav(6400)), write("caf\xC3\xA9.wav", wav(6400))});
  EXPECT_THAT(ids(list), ElementsAre("caf\xC3\xA9"));
  EXPECT_EQ(list.skips->by_reason.at("name"), 1);
  EXPECT_THAT(list.skips->lines.front(), HasSubstr("caf%E9\tname\t"));
}

TEST_F(MediaLists, RefuseFoldersAbsentFilesAndTwins) {
  const auto a = write("a.mp4", mp4(2)), twin = write("a.npy", npy_clip(clip_pixels(2, 1)));
  EXPECT_THAT(problem({a, folder_.path()}), HasSubstr("is a folder, expected media files"));
  EXPECT_THAT(problem({a, folder_.path() / "none.mp4"}), HasSubstr("none.mp4: no such file"));
  EXPECT_THAT(problem({a, twin}), HasSubstr("would both be 'a'"));
  EXPECT_THAT(problem({}), HasSubstr("no media files"));
}

}  // namespace
}  // namespace raven::data

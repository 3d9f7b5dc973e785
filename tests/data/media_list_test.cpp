#include "raven/data/media_list.h"

#include <gmock/gmock.h>

#include <chrono>
#include <cstring>
#include <fstream>

#include "corpus/make_corpus.h"
#include "data/corpus_fixture.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/corpus/npy.h"
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

TEST_F(MediaLists, FilmsOfFacesAreCutOnce) {
  corpus::write_clip(folder_.path() / "films", "talk.mp4", {.frames = 30});
  corpus::write_clip(folder_.path() / "films", "blank.mp4", {.frames = 9, .has_landmarks = false});
  const auto film = folder_.path() / "films/talk.mp4";
  const FilmCrops crops{.folder = folder_.path() / "crops",
                        .search = {.landmarks = folder_.path() / "films/landmarks"}};
  const auto list = list_videos({film, folder_.path() / "films/blank.mp4"}, &crops);
  ASSERT_THAT(ids(list), ElementsAre("talk"));
  EXPECT_EQ(list.skips->by_reason.at("missing-landmarks"), 1);
  EXPECT_EQ(list.manifest.utterances[0].frames, 30);
  const auto crop = folder_.path() / "crops/talk.npy";
  EXPECT_EQ(list.manifest.utterances[0].video.file, crop);
  corpus::MouthFilm mouths(film, folder_.path() / "films/landmarks/talk.npy", {});
  std::vector<std::uint8_t> expected;
  while (const auto frame = mouths.next())
    expected.insert(expected.end(), frame->begin(), frame->end());
  const auto bytes = read_file(crop);
  const auto array = corpus::parse_npy(std::as_bytes(std::span(bytes)), "crop");
  EXPECT_THAT(array.shape, ElementsAre(30, 96, 96));
  ASSERT_EQ(array.data.size(), expected.size());
  EXPECT_EQ(std::memcmp(array.data.data(), expected.data(), expected.size()), 0);
  // Kept as long as the film is the same.
  fs::remove(folder_.path() / "films/landmarks/talk.npy");
  EXPECT_THAT(ids(list_videos({film}, &crops)), ElementsAre("talk"));
  fs::last_write_time(film, fs::file_time_type::clock::now() + std::chrono::hours(1));
  EXPECT_THAT(ids(list_videos({film}, &crops)), testing::IsEmpty());
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

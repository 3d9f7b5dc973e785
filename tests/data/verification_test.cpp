#include "raven/data/verification.h"

#include <gtest/gtest.h>

#include <fstream>

#include "data/corpus_fixture.h"
#include "support/resident.h"
#include "support/temporary_folder.h"

namespace raven::data {
namespace {

TEST(Verification, AcceptsAWholeCorpus) {
  const TemporaryFolder folder;
  const auto manifest = write_corpus(folder.path(), {5, 9, 3});
  const auto result = verify(manifest, 2);
  EXPECT_EQ(result.utterances, 3);
  EXPECT_EQ(result.usable, 3);
  EXPECT_EQ(result.usable_frames, 17);
  EXPECT_TRUE(result.problems.empty());
}

TEST(Verification, FindsWhatOnlyChecksumsShowAndWhatDoesNotDecode) {
  const TemporaryFolder folder;
  auto manifest = write_corpus(folder.path(), {5, 9, 3, 4, 6});
  {
    const auto tar = manifest.utterances[0].video.file;
    const auto offset = Shard(tar).find(manifest.utterances[1].video.member)->offset + 5000;
    std::fstream file(tar, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(offset));
    const auto pixel = file.get();
    file.seekp(static_cast<std::streamoff>(offset));
    file.put(static_cast<char>(pixel ^ 1));  // one bit of one pixel
  }
  manifest.utterances[2].frames = 4;
  manifest.utterances[4].audio.member = "none.wav";
  for (const std::int64_t workers : {1, 4}) {
    const auto result = verify(manifest, workers);
    EXPECT_EQ(result.utterances, 5);
    EXPECT_EQ(result.usable, 2);
    EXPECT_EQ(result.usable_frames, 9);
    ASSERT_EQ(result.problems.size(), 3U);
    EXPECT_EQ(result.problems[0].id, clip_id(1));
    EXPECT_EQ(result.problems[0].reason, "corrupt");
    EXPECT_EQ(result.problems[1].id, clip_id(2));
    EXPECT_EQ(result.problems[1].reason, "frame-count");
    EXPECT_EQ(result.problems[2].id, clip_id(4));
    EXPECT_EQ(result.problems[2].reason, "missing");
    EXPECT_EQ(result.by_reason.at("missing"), 1);
  }
}

TEST(Verification, CountsShardsThatHaveNoChecksums) {
  const TemporaryFolder folder;
  const auto manifest = write_corpus(folder.path(), {5, 3});
  EXPECT_EQ(verify(manifest, 1).shards_without_index, 0);
  std::filesystem::remove(folder.path() / "shards/0.tar.index");
  const auto result = verify(manifest, 1);
  EXPECT_EQ(result.usable, 2);
  EXPECT_EQ(result.shards_without_index, 1);
}

TEST(Verification, AcceptsPicturesOrSoundAlone) {
  const TemporaryFolder folder;
  auto manifest = write_corpus(folder.path(), {5, 9});
  manifest.utterances[0].video = {};
  manifest.utterances[1].audio = {};
  EXPECT_EQ(verify(manifest, 1).usable, 2);
  manifest.utterances[0].audio.member = "none.wav";
  EXPECT_EQ(verify(manifest, 1).by_reason.at("missing"), 1);
}

TEST(Verification, SoundHasToLastHalfAsLongAsWhatIsListed) {
  const TemporaryFolder folder;
  auto manifest = write_corpus(folder.path(), {4, 10, 20});
  manifest.utterances[1].audio.member = clip_id(0) + ".wav";  // 4 frames of sound for 10
  manifest.utterances[2].audio.member = clip_id(1) + ".wav";  // 10 for 20
  const auto result = verify(manifest, 1);
  ASSERT_EQ(result.problems.size(), 1U);
  EXPECT_EQ(result.problems[0].id, clip_id(1));
  EXPECT_EQ(result.problems[0].reason, "short-sound");
  EXPECT_NE(result.problems[0].message.find("0.40 s, but has only 0.16 s of sound"),
            std::string::npos);
  manifest.utterances[0].video = {};
  manifest.utterances[0].frames = kMaxListedFrames;
  const ResidentPeak peak;
  EXPECT_EQ(verify(manifest, 1).by_reason.at("short-sound"), 2);
  EXPECT_LT(peak.growth(), 50 << 20);  // 90,000 frames of sound are 230 MB
}

TEST(Verification, CountsFramesBeforeItMakesRoomForThem) {
  const TemporaryFolder folder;
  auto manifest = write_corpus(folder.path(), {5, 9});
  for (auto& utterance : manifest.utterances) utterance.frames = kMaxListedFrames;
  const ResidentPeak peak;
  const auto result = verify(manifest, 1);
  EXPECT_EQ(result.by_reason.at("frame-count"), 2);
  EXPECT_LT(peak.growth(), 50 << 20);  // 90,000 frames of 88 x 88 pixels are 700 MB
}

TEST(Verification, StopsWhenAsked) {
  const TemporaryFolder folder;
  const auto manifest = write_corpus(folder.path(), std::vector<std::int64_t>(400, 20));
  const auto result = verify(manifest, 1, [](std::int64_t) { return false; });
  EXPECT_EQ(result.usable, result.utterances);
  EXPECT_TRUE(result.problems.empty());
}

TEST(Verification, OfNothingIsEmpty) { EXPECT_EQ(verify({}, 0).utterances, 0); }

}  // namespace
}  // namespace raven::data

// Clips whose files, not their list, say how long they are.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>

#include "data/corpus_fixture.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/data/loader.h"
#include "raven/data/sample_reader.h"
#include "raven/data/verification.h"
#include "support/temporary_folder.h"

namespace raven::data {
namespace {

using testing::HasSubstr;

struct Listed {
  std::int64_t listed = 0, frames = 0;
};

class OwnLengthTest : public testing::Test {
 protected:
  [[nodiscard]] static std::string id_of(std::size_t i) { return "test/" + std::to_string(i); }

  /// A published list of clips that are `frames` long and listed as `listed`; the sound of each is
  /// `more_samples` longer.
  [[nodiscard]] Manifest list(const std::vector<Listed>& clips,
                              std::int64_t more_samples = 0) const {
    std::string lines;
    for (std::size_t i = 0; i < clips.size(); ++i) {
      const auto id = id_of(i);
      lines += "lrs3," + id + ".npy," + std::to_string(clips[i].listed) + ",5 6\n";
      write(id + ".npy", npy_clip(clip_pixels(clips[i].frames, i)));
      auto samples = clip_samples(clips[i].frames + more_samples / 640 + 1, i);
      samples.resize(static_cast<std::size_t>(clips[i].frames * 640 + more_samples));
      write(id + ".wav", media::encode_wav(samples));
      frames_[id] = clips[i].frames;
    }
    write("list.csv", lines);
    return read_manifest(folder_.path() / "list.csv");
  }
  void write(const std::string& name, const std::string& content) const {
    std::filesystem::create_directories((folder_.path() / name).parent_path());
    write_file_atomically(folder_.path() / name, content);
  }

  [[nodiscard]] static LoaderOptions options(std::int64_t max_frames) {
    LoaderOptions options;
    options.max_frames = max_frames;
    options.workers = 2;
    options.lengths = std::make_shared<LengthRecord>();
    return options;
  }
  [[nodiscard]] static LoaderOptions held_out(std::int64_t max_frames) {
    auto held = options(max_frames);
    held.training = false;
    held.split_long_batches = true;
    held.max_clip_frames = kMaxListedFrames;
    return held;
  }

  /// Each row has its clip's pixels and samples, and zeros beyond its end.
  void expect_whole_clips(const Batch& batch) const {
    for (std::int64_t b = 0; b < std::ssize(batch.ids); ++b) {
      const auto& id = batch.ids[static_cast<std::size_t>(b)];
      const auto number = std::stoull(id.substr(id.find('/') + 1));
      const auto frames = frames_.at(id);
      ASSERT_EQ(batch.lengths[b].item<std::int64_t>(), frames) << id;
      ASSERT_EQ(batch.num_frames_of[static_cast<std::size_t>(b)], frames);
      auto pixels = clip_pixels(frames, number);
      const auto stored = torch::from_blob(pixels.data(), {frames, 96, 96}, torch::kUInt8)
                              .narrow(1, 4, 88)
                              .narrow(2, 4, 88);
      // Crops of a published list may be in colour, so all are floats.
      EXPECT_TRUE(torch::equal(batch.video[b].narrow(0, 0, frames), stored.to(torch::kFloat32)))
          << id;
      EXPECT_EQ(batch.video[b].slice(0, frames).count_nonzero().item<std::int64_t>(), 0) << id;
      EXPECT_TRUE(torch::equal(batch.audio[b].narrow(0, 0, frames * 640),
                               torch::tensor(clip_samples(frames, number))))
          << id;
      EXPECT_EQ(batch.audio[b].slice(0, frames * 640).count_nonzero().item<std::int64_t>(), 0);
    }
  }

  TemporaryFolder folder_;
  mutable std::map<std::string, std::int64_t> frames_;  // by id
};

std::vector<Batch> all_of(Loader& loader) {
  std::vector<Batch> batches;
  while (auto batch = loader.next()) batches.push_back(std::move(*batch));
  return batches;
}

TEST_F(OwnLengthTest, IsUsedForAPublishedListAndToldOnce) {
  const auto manifest = list({{10, 10}, {11, 12}, {9, 8}, {9, 9}, {12, 12}});
  const auto loading = held_out(24);
  std::multiset<std::string> ids;
  for (int pass = 0; pass < 2; ++pass) {
    Loader loader(manifest, loading);
    for (const auto& batch : all_of(loader)) {
      expect_whole_clips(batch);
      if (pass == 0) ids.insert(batch.ids.begin(), batch.ids.end());
    }
    EXPECT_TRUE(loader.skipped().empty());
  }
  EXPECT_EQ(ids.size(), 5U);
  EXPECT_THAT(loading.lengths->ids, testing::ElementsAre("test/1", "test/2"));
  EXPECT_THAT(loading.lengths->example, HasSubstr("list.csv:2: 'test/1' lists 11 frames and "
                                                  "holds 12"));
  EXPECT_TRUE(loading.lengths->told);
}

TEST_F(OwnLengthTest, SplitsAHeldOutBatchThatWouldExceedItsBudget) {
  // Listed as short as they could be; one is longer than a batch, and comes alone.
  const auto manifest = list({{1, 10}, {1, 9}, {1, 25}, {1, 7}, {1, 7}, {1, 2}, {1, 20}});
  for (const std::int64_t workers : {0, 3}) {
    auto loading = held_out(20);
    loading.workers = workers;
    Loader loader(manifest, loading);
    ASSERT_EQ(loader.batches_per_epoch(), 1);
    std::vector<std::string> ids;
    for (const auto& batch : all_of(loader)) {
      expect_whole_clips(batch);
      const auto rows = batch.video.size(0);
      EXPECT_TRUE(rows == 1 || rows * batch.video.size(1) <= 20) << rows;
      ids.insert(ids.end(), batch.ids.begin(), batch.ids.end());
    }
    std::vector<std::string> listed;
    for (const auto& utterance : manifest.utterances) listed.push_back(utterance.id);
    EXPECT_EQ(ids, listed);
    EXPECT_TRUE(loader.skipped().empty());
  }
}

TEST_F(OwnLengthTest, KeepsATrainingBatchWithinItsBudgetAndGivesEachClipItsTurn) {
  const std::vector<Listed> clips(10, {2, 8});
  const auto manifest = list(clips);
  auto loading = options(20);
  loading.workers = 0;
  Loader loader(manifest, loading);
  ASSERT_EQ(loader.batches_per_epoch(), 1);
  std::set<std::string> seen;
  std::vector<Batch> batches;
  for (std::int64_t epoch = 0; epoch < 30; ++epoch) {
    batches.push_back(*loader.next());
    const auto& batch = batches.back();
    EXPECT_EQ(batch.epoch, epoch);
    EXPECT_EQ(batch.video.size(0), 2);
    EXPECT_EQ(batch.video.size(1), 8);
    seen.insert(batch.ids.begin(), batch.ids.end());
  }
  EXPECT_EQ(seen.size(), clips.size());
  EXPECT_TRUE(loader.skipped().empty());
  EXPECT_GT(loading.lengths->left_out, 0);

  // Whatever the number of workers, and wherever one begins.
  loading = options(20);
  loading.workers = 5;
  Loader again(manifest, loading);
  again.seek({.epoch = 11, .batch = 0});
  for (std::size_t k = 11; k < batches.size(); ++k) {
    const auto batch = *again.next();
    EXPECT_EQ(batch.ids, batches[k].ids);
    EXPECT_TRUE(torch::equal(batch.video, batches[k].video));
    EXPECT_TRUE(torch::equal(batch.audio, batches[k].audio));
  }
}

TEST_F(OwnLengthTest, DrawsMasksForTheLengthThatThereIs) {
  const auto manifest = list({{20, 20}, {20, 6}, {18, 18}, {6, 19}});
  auto loading = options(200);
  loading.mask = config::MaskConfig{};
  loading.mask->prob = 0.9;
  Loader loader(manifest, loading);
  for (int k = 0; k < 5; ++k) {
    const auto batch = *loader.next();
    for (std::int64_t b = 0; b < std::ssize(batch.ids); ++b) {
      const auto frames = frames_.at(batch.ids[static_cast<std::size_t>(b)]);
      EXPECT_EQ(batch.lengths[b].item<std::int64_t>(), frames);
      EXPECT_EQ(batch.masked_video[b].slice(0, frames).sum().item<std::int64_t>(), 0);
      EXPECT_GT(batch.masked_video[b].sum().item<std::int64_t>(), 0);
    }
  }
}

TEST_F(OwnLengthTest, ALongerClipThanABatchHoldsIsSkippedInTrainingByItsLength) {
  auto loading = options(20);
  Loader loader(list({{5, 5}, {5, 21}}), loading);
  EXPECT_THAT(loader.next()->ids, testing::ElementsAre("test/0"));
  ASSERT_EQ(loader.skipped().size(), 1U);
  EXPECT_EQ(loader.skipped().at("too-long"), 1);
  EXPECT_THAT(loader.skipped_lines().front(),
              HasSubstr("list.csv:2: 'test/1' is longer than 20 frames, the most that are read at "
                        "once; raise data.max_frames"));
}

TEST_F(OwnLengthTest, ACountBeyondTheBudgetIsLookedUpBeforeItIsBelieved) {
  Loader loader(list({{900, 5}, {4, 4}}), options(20));
  EXPECT_EQ(loader.next()->ids.size(), 2U);
  try {
    Loader refused(list({{900, 25}}), options(20));
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("list.csv:1: 'test/0' has 25 frames, more than a batch"));
  }
}

TEST_F(OwnLengthTest, OfSoundAloneIsThatOfTheVideoOrOfTheWholeSound) {
  // 1 frame and 100 samples beyond the video, listed wrongly.
  const auto manifest = list({{9, 7}, {3, 5}}, /*more_samples=*/740);
  auto loading = held_out(100);
  loading.read_video = false;
  const auto lengths = [&](const Manifest& listed) {
    Loader loader(listed, loading);
    std::map<std::string, std::int64_t> found;
    for (const auto& batch : all_of(loader)) {
      EXPECT_EQ(batch.audio.size(1), 640 * batch.lengths.max().item<std::int64_t>());
      for (std::size_t b = 0; b < batch.ids.size(); ++b) {
        const auto frames = batch.num_frames_of[b];
        const auto number = std::stoull(batch.ids[b].substr(5));
        const auto row = batch.audio[static_cast<std::int64_t>(b)];
        auto samples = clip_samples(frames_.at(batch.ids[b]) + 2, number);
        samples.resize(static_cast<std::size_t>(frames * 640));
        EXPECT_TRUE(torch::equal(row.narrow(0, 0, frames * 640), torch::tensor(samples)));
        found[batch.ids[b]] = frames;
      }
    }
    EXPECT_TRUE(loader.skipped().empty());
    return found;
  };
  using Lengths = std::map<std::string, std::int64_t>;
  EXPECT_EQ(lengths(manifest), (Lengths{{"test/0", 7}, {"test/1", 5}}));
  loading.whole_sound = true;
  EXPECT_EQ(lengths(manifest), (Lengths{{"test/0", 8}, {"test/1", 6}}));

  // Of a manifest with right counts, too.
  auto own = manifest;
  for (auto& utterance : own.utterances) {
    utterance.length_is_approximate = false;
    utterance.frames = frames_.at(utterance.id);
  }
  EXPECT_EQ(lengths(own), (Lengths{{"test/0", 8}, {"test/1", 6}}));
  loading.whole_sound = false;
  EXPECT_EQ(lengths(own), (Lengths{{"test/0", 7}, {"test/1", 5}}));
}

TEST_F(OwnLengthTest, OfSoundWithoutVideoFilesIsAsListed) {
  auto manifest = list({{3, 5}});
  std::filesystem::remove(folder_.path() / "test/0.npy");
  auto loading = held_out(100);
  loading.read_video = false;
  EXPECT_EQ(Loader(manifest, loading).next()->num_frames_of, std::vector<std::int64_t>{3});
  loading.whole_sound = true;
  EXPECT_EQ(Loader(manifest, loading).next()->num_frames_of, std::vector<std::int64_t>{5});
}

TEST_F(OwnLengthTest, CountsForVerificationToo) {
  const auto manifest = list({{10, 10}, {11, 12}, {9, 8}});
  auto result = verify(manifest, 2);
  EXPECT_EQ(result.usable, 3);
  EXPECT_EQ(result.usable_frames, 30);
  EXPECT_EQ(result.other_lengths, 2);
  auto own = manifest;
  for (auto& utterance : own.utterances) utterance.length_is_approximate = false;
  result = verify(own, 2);
  EXPECT_EQ(result.usable, 1);
  EXPECT_EQ(result.other_lengths, 0);
  EXPECT_EQ(result.by_reason.at("frame-count"), 2);
}

}  // namespace
}  // namespace raven::data

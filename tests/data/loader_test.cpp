#include "raven/data/loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "data/corpus_fixture.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "support/temporary_folder.h"

namespace raven::data {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::vector<std::int64_t> kLengths = {12, 3, 7, 7, 9, 1, 20, 15, 8, 8, 2, 19};

LoaderOptions small_options() {
  LoaderOptions options;
  options.max_frames = 40;
  options.workers = 2;
  options.mask = config::MaskConfig{};
  return options;
}

void expect_equal(const Batch& a, const Batch& b) {
  EXPECT_EQ(a.epoch, b.epoch);
  EXPECT_EQ(a.index, b.index);
  EXPECT_EQ(a.ids, b.ids);
  EXPECT_TRUE(torch::equal(a.video, b.video));
  EXPECT_TRUE(torch::equal(a.audio, b.audio));
  EXPECT_TRUE(torch::equal(a.lengths, b.lengths));
  ASSERT_EQ(a.masked_video.defined(), b.masked_video.defined());
  if (a.masked_video.defined()) {
    EXPECT_TRUE(torch::equal(a.masked_video, b.masked_video));
    EXPECT_TRUE(torch::equal(a.masked_audio, b.masked_audio));
  }
}

std::vector<Batch> take(Loader& loader, std::int64_t count) {
  std::vector<Batch> batches;
  for (std::int64_t k = 0; k < count; ++k) {
    auto batch = loader.next();
    if (!batch) break;
    batches.push_back(std::move(*batch));
  }
  return batches;
}

class LoaderTest : public testing::Test {
 protected:
  [[nodiscard]] Manifest corpus(const std::vector<std::int64_t>& lengths = kLengths) const {
    return write_corpus(folder_.path(), lengths);
  }
  TemporaryFolder folder_;
};

TEST_F(LoaderTest, GivesTheSameBatchesForAnyNumberOfWorkers) {
  const auto manifest = corpus();
  auto options = small_options();
  options.workers = 0;
  Loader reference(manifest, options);
  const auto expected = take(reference, 3 * reference.batches_per_epoch());
  for (const std::int64_t workers : {1, 8}) {
    for (const std::int64_t prefetch : {1, 5}) {
      options.workers = workers;
      options.prefetch = prefetch;
      Loader loader(manifest, options);
      const auto found = take(loader, std::ssize(expected));
      ASSERT_EQ(found.size(), expected.size());
      for (std::size_t k = 0; k < found.size(); ++k) expect_equal(found[k], expected[k]);
    }
  }
}

TEST_F(LoaderTest, ShowsEveryUtteranceOnceAnEpoch) {
  Loader loader(corpus(), small_options());
  for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
    std::multiset<std::string> ids;
    for (const auto& batch : take(loader, loader.batches_per_epoch())) {
      EXPECT_EQ(batch.epoch, epoch);
      EXPECT_LE(batch.video.size(0) * batch.video.size(1), 40);
      ids.insert(batch.ids.begin(), batch.ids.end());
    }
    EXPECT_EQ(ids.size(), kLengths.size());
    EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), kLengths.size());
  }
}

TEST_F(LoaderTest, BatchesWithCropsInColourHaveTheSameGreyAsFloats) {
  auto manifest = corpus();
  auto options = small_options();
  manifest.utterances[2].video = {folder_.path() / "none.npy", ""};  // is skipped: rows move
  Loader bytes(manifest, options);
  manifest.utterances[5].grey = corpus::Grey::kColour;  // of a .npy, which has none
  Loader levels(manifest, options);
  for (std::int64_t k = 0; k < bytes.batches_per_epoch(); ++k) {
    const auto wanted = bytes.next().value(), found = levels.next().value();
    EXPECT_EQ(wanted.video.scalar_type(), torch::kUInt8);
    EXPECT_EQ(found.video.scalar_type(), torch::kFloat32);
    EXPECT_EQ(found.ids, wanted.ids);
    EXPECT_TRUE(torch::equal(found.video, wanted.video.to(torch::kFloat32)));
    EXPECT_TRUE(torch::equal(normalise_video(found.video), normalise_video(wanted.video)));
  }
  EXPECT_EQ(levels.skipped().at("missing"), 1);
}

/// Where the first frame of a row was cut: (top, left, mirrored); empty: nowhere in the clip.
std::optional<std::tuple<std::int64_t, std::int64_t, bool>> place_of(const torch::Tensor& frame,
                                                                     std::int64_t frames,
                                                                     std::size_t number) {
  auto pixels = clip_pixels(frames, number);
  const auto stored = torch::from_blob(pixels.data(), {frames, 96, 96}, torch::kUInt8)[0];
  for (std::int64_t top = 0; top <= 8; ++top) {
    for (std::int64_t left = 0; left <= 8; ++left) {
      const auto cut = stored.narrow(0, top, 88).narrow(1, left, 88);
      if (torch::equal(frame, cut)) return std::tuple(top, left, false);
      if (torch::equal(frame, cut.flip({1}))) return std::tuple(top, left, true);
    }
  }
  return std::nullopt;
}

TEST_F(LoaderTest, CutsATeachersViewApart) {
  const auto manifest = corpus();
  auto options = small_options();
  Loader plain(manifest, options);
  options.teacher_crop = true;
  Loader loader(manifest, options);
  std::int64_t same = 0, rows = 0;
  for (const auto& expected : take(plain, plain.batches_per_epoch())) {
    const auto batch = *loader.next();
    expect_equal(batch, expected);
    EXPECT_FALSE(expected.teacher_video.defined());
    ASSERT_EQ(batch.teacher_video.sizes(), batch.video.sizes());
    for (std::int64_t b = 0; b < batch.video.size(0); ++b, ++rows) {
      const auto& id = batch.ids[static_cast<std::size_t>(b)];
      std::size_t number = 0;
      while (manifest.utterances[number].id != id) ++number;
      const auto own = place_of(batch.teacher_video[b][0], kLengths[number], number);
      ASSERT_TRUE(own.has_value()) << id;
      same += own == place_of(batch.video[b][0], kLengths[number], number) ? 1 : 0;
      EXPECT_EQ(batch.row(b).teacher_video.size(1), kLengths[number]);
      EXPECT_EQ(
          batch.teacher_video[b].slice(0, kLengths[number]).count_nonzero().item<std::int64_t>(),
          0);
    }
  }
  EXPECT_EQ(rows, std::ssize(kLengths));
  EXPECT_LE(same, 2) << "of " << rows << "; one in 162 by chance";
  options.training = false;
  EXPECT_FALSE(Loader(manifest, options).next()->teacher_video.defined()) << "held out";
}

TEST_F(LoaderTest, ATeachersViewMovesWithItsRow) {
  auto manifest = corpus();
  auto options = small_options();
  options.teacher_crop = true;
  std::map<std::string, torch::Tensor> whole;
  Loader loader(manifest, options);
  for (const auto& batch : take(loader, loader.batches_per_epoch())) {
    for (std::size_t b = 0; b < batch.ids.size(); ++b)
      whole[batch.ids[b]] = batch.row(static_cast<std::int64_t>(b)).teacher_video;
  }
  for (const std::size_t lost : {std::size_t{6}, std::size_t{2}})  // the longest, a short one
    manifest.utterances[lost].video.member = "nothing.npy";
  Loader damaged(manifest, options);
  std::size_t compared = 0;
  for (const auto& batch : take(damaged, damaged.batches_per_epoch())) {
    for (std::size_t b = 0; b < batch.ids.size(); ++b, ++compared) {
      EXPECT_TRUE(torch::equal(batch.row(static_cast<std::int64_t>(b)).teacher_video,
                               whole.at(batch.ids[b])))
          << batch.ids[b];
    }
  }
  EXPECT_EQ(compared, kLengths.size() - 2);
}

TEST_F(LoaderTest, SharedMasksHideTheSameFramesOfBoth) {
  auto options = small_options();
  Loader apart(corpus(), options);
  options.mask->draw = config::MaskDraw::kShared;
  Loader shared(corpus(), options);
  bool differed = false;
  for (const auto& batch : take(apart, apart.batches_per_epoch())) {
    const auto both = *shared.next();
    EXPECT_TRUE(torch::equal(both.masked_video, batch.masked_video)) << "drawn as before";
    EXPECT_TRUE(torch::equal(both.masked_audio, both.masked_video));
    differed |= !torch::equal(batch.masked_audio, batch.masked_video);
  }
  EXPECT_TRUE(differed);
}

TEST_F(LoaderTest, CutsEveryClipAtOnePlace) {
  const auto manifest = corpus();
  Loader loader(manifest, small_options());
  std::set<std::pair<std::int64_t, std::int64_t>> places;
  bool flipped = false, unflipped = false;
  for (const auto& batch : take(loader, 2 * loader.batches_per_epoch())) {
    for (std::size_t b = 0; b < batch.ids.size(); ++b) {
      std::size_t number = 0;
      while (manifest.utterances[number].id != batch.ids[b]) ++number;
      const auto frames = kLengths[number];
      auto pixels = clip_pixels(frames, number);
      const auto stored = torch::from_blob(pixels.data(), {frames, 96, 96}, torch::kUInt8);
      const auto found = batch.video[static_cast<std::int64_t>(b)];
      bool matched = false;
      for (std::int64_t top = 0; top <= 8 && !matched; ++top) {
        for (std::int64_t left = 0; left <= 8 && !matched; ++left) {
          const auto cut = stored.narrow(1, top, 88).narrow(2, left, 88);
          const bool plain = torch::equal(found.narrow(0, 0, frames), cut);
          const bool mirrored = torch::equal(found.narrow(0, 0, frames), cut.flip({2}));
          matched = plain || mirrored;
          if (matched) places.emplace(top, left);
          flipped |= mirrored;
          unflipped |= plain;
        }
      }
      EXPECT_TRUE(matched) << batch.ids[b];
      EXPECT_EQ(
          found.narrow(0, frames, found.size(0) - frames).count_nonzero().item<std::int64_t>(), 0);
      const auto samples = clip_samples(frames, number);
      const auto heard = batch.audio[static_cast<std::int64_t>(b)];
      EXPECT_TRUE(torch::equal(heard.narrow(0, 0, frames * 640), torch::tensor(samples)));
      EXPECT_EQ(heard.narrow(0, frames * 640, heard.size(0) - frames * 640)
                    .count_nonzero()
                    .item<std::int64_t>(),
                0);
      EXPECT_EQ(batch.lengths[static_cast<std::int64_t>(b)].item<std::int64_t>(), frames);
    }
  }
  EXPECT_GT(places.size(), 5U);
  EXPECT_TRUE(flipped);
  EXPECT_TRUE(unflipped);
}

TEST_F(LoaderTest, GoesOnFromAnyPosition) {
  const auto manifest = corpus();
  Loader straight(manifest, small_options());
  std::vector<LoaderPosition> positions;
  std::vector<Batch> expected;
  for (std::int64_t k = 0; k < 3 * straight.batches_per_epoch(); ++k) {
    positions.push_back(straight.position());
    expected.push_back(*straight.next());
  }
  Loader jumping(manifest, small_options());
  for (const std::size_t start :
       {std::size_t{7}, std::size_t{0}, expected.size() - 2, std::size_t{3}}) {
    jumping.seek(positions[start]);
    EXPECT_EQ(jumping.position(), positions[start]);
    expect_equal(*jumping.next(), expected[start]);
    expect_equal(*jumping.next(), expected[start + 1]);
  }
}

TEST_F(LoaderTest, RefusesAPositionOfAnotherManifest) {
  Loader loader(corpus(), small_options());
  EXPECT_THROW(loader.seek({.epoch = 0, .batch = 1000}), ConfigError);
  EXPECT_THROW(loader.seek({.epoch = -1, .batch = 0}), ConfigError);
  loader.seek({.epoch = 0, .batch = loader.batches_per_epoch()});
  EXPECT_EQ(loader.position(), (LoaderPosition{.epoch = 1, .batch = 0}));
}

TEST_F(LoaderTest, OrderDependsOnSeedAndEpoch) {
  const auto manifest = corpus({5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5});
  auto options = small_options();
  options.max_frames = 10;
  const auto order = [&](std::uint64_t seed, std::int64_t epoch) {
    options.seed = seed;
    Loader loader(manifest, options);
    loader.seek({.epoch = epoch, .batch = 0});
    std::vector<std::string> ids;
    for (const auto& batch : take(loader, loader.batches_per_epoch()))
      ids.insert(ids.end(), batch.ids.begin(), batch.ids.end());
    return ids;
  };
  EXPECT_EQ(order(1, 0), order(1, 0));
  EXPECT_NE(order(1, 0), order(1, 1));
  EXPECT_NE(order(1, 0), order(2, 0));
}

TEST_F(LoaderTest, ReadsHeldOutClipsInListedOrderOnce) {
  const auto manifest = corpus();
  auto options = small_options();
  options.training = false;
  Loader loader(manifest, options);
  std::vector<std::string> ids;
  const auto batches = take(loader, 1000);
  for (const auto& batch : batches) ids.insert(ids.end(), batch.ids.begin(), batch.ids.end());
  ASSERT_EQ(ids.size(), kLengths.size());
  for (std::size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(ids[i], clip_id(i));
  EXPECT_FALSE(loader.next());
  EXPECT_EQ(loader.position().batch, loader.batches_per_epoch());
  auto pixels = clip_pixels(kLengths[0], 0);
  const auto stored = torch::from_blob(pixels.data(), {kLengths[0], 96, 96}, torch::kUInt8);
  EXPECT_TRUE(torch::equal(batches[0].video[0].narrow(0, 0, kLengths[0]),
                           stored.narrow(1, 4, 88).narrow(2, 4, 88)));
  loader.seek({});
  expect_equal(*loader.next(), batches[0]);
}

TEST_F(LoaderTest, MasksWhatIsRealAndDiffersByModality) {
  auto options = small_options();
  options.mask->prob = 0.4;
  Loader loader(corpus(), options);
  std::int64_t differing = 0;
  for (const auto& batch : take(loader, loader.batches_per_epoch())) {
    for (std::int64_t b = 0; b < batch.video.size(0); ++b) {
      const auto length = batch.lengths[b].item<std::int64_t>();
      for (const auto& masked : {batch.masked_video[b], batch.masked_audio[b]}) {
        EXPECT_EQ(
            masked.narrow(0, length, masked.size(0) - length).count_nonzero().item<std::int64_t>(),
            0);
        EXPECT_LT(masked.count_nonzero().item<std::int64_t>(), length);
      }
    }
    differing += torch::equal(batch.masked_video, batch.masked_audio) ? 0 : 1;
  }
  EXPECT_GT(differing, 0);
  options.mask.reset();
  Loader unmasked(corpus(), options);
  EXPECT_FALSE(unmasked.next()->masked_video.defined());
}

TEST_F(LoaderTest, SkipsAndCountsWhatCannotBeUsed) {
  auto manifest = corpus();
  manifest.utterances[0].frames = 13;                   // holds 12
  manifest.utterances[6].video.member = "nothing.npy";  // the longest of its batch
  manifest.utterances[7].video.file = folder_.path() / "no.tar";
  write_file_atomically(folder_.path() / "short.wav",
                        media::encode_wav(clip_samples(8, 1)).substr(0, 1000));
  manifest.utterances[8].audio = {folder_.path() / "short.wav", ""};
  const std::vector<std::uint8_t> small(9 * 9 * 8, 1);
  const std::int64_t shape[] = {8, 9, 9};
  write_file_atomically(folder_.path() / "small.npy",
                        corpus::npy_bytes("|u1", shape, std::as_bytes(std::span(small))));
  manifest.utterances[9].video = {folder_.path() / "small.npy", ""};
  auto options = small_options();
  options.workers = 0;
  Loader alone(manifest, options);
  options.workers = 4;
  Loader loader(manifest, options);
  std::set<std::string> ids;
  const auto expected = take(alone, 2 * alone.batches_per_epoch()),
             found = take(loader, 2 * loader.batches_per_epoch());
  ASSERT_EQ(expected.size(), found.size());
  for (std::size_t k = 0; k < found.size(); ++k) {
    expect_equal(expected[k], found[k]);
    ids.insert(found[k].ids.begin(), found[k].ids.end());
    EXPECT_EQ(found[k].video.size(1), found[k].lengths.max().item<std::int64_t>());
    EXPECT_EQ(found[k].audio.size(1), 640 * found[k].video.size(1));
  }
  EXPECT_EQ(ids.size(), kLengths.size() - 5);
  const std::map<std::string, std::int64_t> reasons = {
      {"frame-count", 1}, {"missing", 2}, {"corrupt", 1}, {"shape", 1}};
  EXPECT_EQ(loader.skipped(), reasons);
  ASSERT_EQ(loader.skipped_lines().size(), 5U);
  EXPECT_THAT(loader.skipped_lines(),
              testing::Contains(HasSubstr(
                  "s0/0\tframe-count\t" + manifest.file.string() +
                  ": 's0/0' lists 13 video frames but the clip holds 12; rebuild the manifest")));
}

TEST_F(LoaderTest, NamesListLineAndUtteranceOfWhatItCannotUse) {
  (void)corpus({4, 5});
  const auto first = folder_.path() / "manifest.tsv", second = folder_.path() / "second.tsv";
  write_file_atomically(second, "id\tvideo\taudio\tframes\nx\tnone.npy\tnone.wav\t6\n");
  auto options = small_options();
  Loader loader(read_manifests({first, second}), options);
  (void)take(loader, loader.batches_per_epoch());
  EXPECT_THAT(loader.skipped_lines(),
              ElementsAre(HasSubstr("x\tmissing\t" + second.string() + ":2: ")));
  options.max_skipped = 0;
  Loader strict(read_manifests({first, second}), options);
  try {
    (void)take(strict, strict.batches_per_epoch());
    FAIL();
  } catch (const SkipBudgetError& error) {
    EXPECT_THAT(error.what(), HasSubstr(second.string() + ":2: "));
  }
  const auto locked = folder_.path() / "loop.npy";
  std::filesystem::create_symlink(locked, locked);
  write_file_atomically(second, "id\tvideo\taudio\tframes\nx\tloop.npy\tnone.wav\t6\n");
  Loader failing(read_manifests({first, second}), options);
  try {
    (void)take(failing, failing.batches_per_epoch());
    FAIL();
  } catch (const SystemError& error) {
    EXPECT_THAT(error.what(), HasSubstr("'x': " + second.string() + ":2: "));
  }
}

TEST_F(LoaderTest, ReadsSoundWithoutPicturesAndPicturesWithoutSound) {
  const auto manifest = corpus({4, 5, 6});
  auto heard = manifest, seen = manifest;
  for (auto& utterance : heard.utterances) utterance.video = {};
  for (auto& utterance : seen.utterances) utterance.audio = {};
  auto options = small_options();
  options.mask.reset();
  Loader both(manifest, options);
  const auto expected = both.next();
  options.read_video = false;
  EXPECT_TRUE(torch::equal(Loader(heard, options).next()->audio, expected->audio));
  options.read_video = true;
  options.read_audio = false;
  EXPECT_TRUE(torch::equal(Loader(seen, options).next()->video, expected->video));
  Loader blind(heard, options);
  EXPECT_THROW((void)blind.next(), SkipBudgetError);
}

TEST_F(LoaderTest, PassesOverABatchOfBadClips) {
  auto manifest = corpus({10, 10, 5, 5});
  manifest.utterances[0].video.member = manifest.utterances[1].video.member = "none.npy";
  auto options = small_options();
  options.max_frames = 20;
  Loader loader(manifest, options);
  ASSERT_EQ(loader.batches_per_epoch(), 2);
  const auto batches = take(loader, 3);
  for (std::int64_t k = 0; k < 3; ++k) EXPECT_EQ(batches[static_cast<std::size_t>(k)].epoch, k);
}

TEST_F(LoaderTest, StopsBeyondTheSkipBudget) {
  auto manifest = corpus();
  for (auto& u : manifest.utterances) u.video.member = "none.npy";
  auto options = small_options();
  options.max_skipped = 3;
  Loader loader(manifest, options);
  try {
    (void)take(loader, 100);
    FAIL();
  } catch (const SkipBudgetError& error) {
    EXPECT_THAT(error.what(), HasSubstr("data.max_skipped allows 3"));
    EXPECT_THAT(error.what(), HasSubstr("none.npy"));
  }
}

TEST_F(LoaderTest, EndsWhenNothingAtAllIsUsable) {
  auto manifest = corpus();
  for (auto& u : manifest.utterances) u.audio.member = "none.wav";
  Loader loader(manifest, small_options());  // allows 200, lists 12
  EXPECT_THROW((void)loader.next(), SkipBudgetError);
}

TEST_F(LoaderTest, RefusesWhatCanNeverWork) {
  auto options = small_options();
  options.max_frames = 19;
  try {
    Loader loader(corpus(), options);
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("'s0/6' has 20 frames"));
  }
  EXPECT_THROW(Loader(Manifest{}, small_options()), ConfigError);
  options = small_options();
  options.video.crop = 97;
  EXPECT_THROW(Loader(corpus(), options), ConfigError);
}

TEST_F(LoaderTest, PassesOnErrorsThatAreNotTheDatas) {
  auto manifest = corpus();
  const auto locked = folder_.path() / "loop.npy";
  std::filesystem::create_symlink(locked, locked);  // ELOOP: neither missing nor damaged
  manifest.utterances[4].video = {locked, ""};
  for (const std::int64_t workers : {0, 3}) {
    auto options = small_options();
    options.workers = workers;
    Loader loader(manifest, options);
    EXPECT_THROW((void)take(loader, loader.batches_per_epoch()), SystemError);
    EXPECT_THROW((void)loader.next(), SystemError);  // it does not go on without that batch
  }
}

// Guards against workers that outlive their loader (what they share with it would still be held,
// and the sanitizers would see them use it) and against a destructor that waits for ever (the test
// would not end).
TEST_F(LoaderTest, CanBeDroppedAtAnyMoment) {
  const auto manifest = corpus();
  auto options = small_options();
  options.workers = 8;
  options.skips = std::make_shared<SkipRecord>();
  for (int taken = 0; taken < 6; ++taken) {
    {
      Loader loader(manifest, options);
      EXPECT_EQ(std::ssize(take(loader, taken)), taken);
      if (taken % 2 == 1) loader.seek({.epoch = 2, .batch = 1});
    }
    EXPECT_EQ(options.skips.use_count(), 1) << "something of the loader is left";
  }
}

TEST_F(LoaderTest, BatchesOutliveTheirLoader) {
  std::vector<Batch> batches;
  {
    Loader loader(corpus(), small_options());
    batches = take(loader, 3);
  }
  Loader again(corpus(), small_options());
  for (const auto& batch : batches) expect_equal(batch, *again.next());
}

TEST_F(LoaderTest, UsesMemoryAgain) {
  auto options = small_options();
  options.prefetch = 2;
  Loader loader(corpus(), options);
  std::set<const void*> blocks;
  for (int k = 0; k < 60; ++k) blocks.insert(loader.next()->video.data_ptr());
  EXPECT_LE(blocks.size(), 4U);  // two under way, one in hand, one between hands
}

TEST_F(LoaderTest, NormalisesWaveformsWhenAsked) {
  auto options = small_options();
  options.waveform = config::Waveform::kClip;
  Loader loader(corpus(), options);
  const auto batch = *loader.next();
  for (std::int64_t b = 0; b < batch.audio.size(0); ++b) {
    const auto real = batch.audio[b].narrow(0, 0, 640 * batch.lengths[b].item<std::int64_t>());
    EXPECT_NEAR(real.mean().item<double>(), 0, 1e-5);
    EXPECT_NEAR(real.std(/*unbiased=*/false).item<double>(), 1, 1e-5);
  }
}

TEST_F(LoaderTest, ReadsOneModalityOrNone) {
  const auto manifest = corpus();
  auto options = small_options();
  options.mask.reset();
  Loader both(manifest, options);
  options.read_audio = false;
  Loader video(manifest, options);
  options.read_video = false;
  Loader none(manifest, options);
  for (std::int64_t k = 0; k < both.batches_per_epoch(); ++k) {
    const auto expected = both.next(), seen = video.next(), bare = none.next();
    EXPECT_TRUE(torch::equal(seen->video, expected->video));
    EXPECT_FALSE(seen->audio.defined());
    EXPECT_FALSE(bare->video.defined());
    EXPECT_EQ(bare->ids, expected->ids);
    EXPECT_TRUE(torch::equal(bare->lengths, expected->lengths));
  }
}

TEST_F(LoaderTest, BatchesCarryLabels) {
  auto manifest = corpus({5, 9, 7});
  manifest.utterances[0].labels = {3};
  manifest.utterances[1].labels = {4, 5, 6};
  manifest.utterances[2].labels = {7, 8};
  auto options = small_options();
  options.labels = true;
  options.training = false;
  Loader loader(manifest, options);
  const auto batch = loader.next();
  EXPECT_TRUE(torch::equal(batch->labels,
                           torch::tensor({{3, -1, -1}, {4, 5, 6}, {7, 8, -1}}, torch::kInt64)));
  EXPECT_THAT(batch->num_labels_of, ElementsAre(1, 3, 2));
  EXPECT_THAT(batch->num_frames_of, ElementsAre(5, 9, 7));
}

TEST_F(LoaderTest, TimeMasksZeroRunsOfSamplesAndMarkFrames) {
  const auto manifest = corpus(std::vector<std::int64_t>(12, 40));
  auto options = small_options();
  options.mask.reset();
  Loader plain(manifest, options);
  options.video_time_mask = {.window = 10, .stride = 25};
  options.audio_time_mask = {.window = 9600, .stride = 16000};
  Loader masking(manifest, options);
  options.workers = 0;
  Loader again(manifest, options);
  double zeroed = 0, marked = 0;
  for (std::int64_t k = 0; k < 2 * plain.batches_per_epoch(); ++k) {
    const auto before = plain.next(), after = masking.next(), same = again.next();
    EXPECT_TRUE(torch::equal(after->audio, same->audio));
    EXPECT_TRUE(torch::equal(after->masked_video, same->masked_video));
    EXPECT_TRUE(torch::equal(after->video, before->video));
    const auto changed = after->audio != before->audio;
    EXPECT_EQ(after->audio.masked_select(changed).abs().sum().item<float>(), 0.0F);
    zeroed += changed.to(torch::kFloat32).mean().item<double>();
    marked += after->masked_video.to(torch::kFloat32).mean().item<double>();
  }
  EXPECT_GT(zeroed, 0);
  EXPECT_GT(marked, 0);
  options.training = false;
  Loader evaluating(manifest, options);
  const auto batch = evaluating.next();
  EXPECT_FALSE(batch->masked_video.defined());
}

/// 10 log10 of the power of `clean` over that of what `noisy` has more.
double ratio_db(const torch::Tensor& clean, const torch::Tensor& noisy) {
  const auto power = [](const torch::Tensor& x) {
    return x.to(torch::kFloat64).square().mean().item<double>();
  };
  return 10 * std::log10(power(clean) / power(noisy - clean));
}

class NoisyLoaderTest : public LoaderTest {
 protected:
  /// Listed order, sound alone, with noise at 5 dB.
  LoaderOptions noisy_options(const Manifest& manifest, config::NoiseKind kind) const {
    LoaderOptions options;
    options.max_frames = 40;
    options.workers = 2;
    options.training = false;
    options.read_video = false;
    options.noise = std::make_shared<const NoiseSource>(
        config::NoiseConfig{.kind = kind, .snr_db = 5}, manifest);
    return options;
  }
  /// Sound by id.
  static std::map<std::string, torch::Tensor> heard(const Manifest& manifest,
                                                    const LoaderOptions& options) {
    std::map<std::string, torch::Tensor> sounds;
    Loader loader(manifest, options);
    while (const auto batch = loader.next()) {
      for (std::int64_t b = 0; b < std::ssize(batch->ids); ++b)
        sounds[batch->ids[static_cast<std::size_t>(b)]] = batch->row(b).audio.clone();
    }
    return sounds;
  }
};

TEST_F(NoisyLoaderTest, HeldOutUtterancesHearTheSameWhateverElseIsListed) {
  const auto manifest = corpus();
  for (const auto kind : {config::NoiseKind::kWhite, config::NoiseKind::kBabble}) {
    auto options = noisy_options(manifest, kind);
    const auto all = heard(manifest, options);
    options.noise = nullptr;
    const auto clean = heard(manifest, options);
    ASSERT_EQ(all.size(), kLengths.size());
    for (const auto& [id, sound] : all) EXPECT_NEAR(ratio_db(clean.at(id), sound), 5, 0.01) << id;
    EXPECT_FALSE(
        torch::equal((all.at(clip_id(2)) - clean.at(clip_id(2))),
                     (all.at(clip_id(3)) - clean.at(clip_id(3)))));  // as long, not as noisy

    auto part = manifest;
    std::reverse(part.utterances.begin(), part.utterances.end());
    part.utterances.erase(part.utterances.begin() + 3, part.utterances.begin() + 6);
    options = noisy_options(manifest, kind);
    options.max_frames = 25;
    options.workers = 0;
    for (const auto& [id, sound] : heard(part, options))
      EXPECT_TRUE(torch::equal(sound, all.at(id))) << id;
    options.seed = 7;
    EXPECT_FALSE(torch::equal(heard(part, options).at(clip_id(0)), all.at(clip_id(0))));
  }
}

TEST_F(NoisyLoaderTest, NoiseComesBeforeNormalisation) {
  const auto manifest = corpus();
  auto options = noisy_options(manifest, config::NoiseKind::kWhite);
  const auto plain = heard(manifest, options);
  options.waveform = config::Waveform::kClip;
  for (const auto& [id, sound] : heard(manifest, options)) {
    EXPECT_NEAR(sound.mean().item<double>(), 0, 1e-4) << id;
    EXPECT_NEAR(sound.std(/*unbiased=*/false).item<double>(), 1, 1e-3) << id;
    const auto expected = (plain.at(id) - plain.at(id).mean()) / plain.at(id).std(false);
    EXPECT_LE((sound - expected).abs().max().item<double>(), 1e-3) << id;
  }
}

TEST_F(NoisyLoaderTest, TrainingHearsOtherNoiseInEveryEpochForAnyNumberOfWorkers) {
  const auto manifest = corpus(std::vector<std::int64_t>(4, 10));
  auto options = noisy_options(manifest, config::NoiseKind::kWhite);
  options.training = true;
  Loader loader(manifest, options);
  options.workers = 0;
  Loader again(manifest, options);
  std::map<std::string, std::vector<torch::Tensor>> sounds;
  for (std::int64_t k = 0; k < 2 * loader.batches_per_epoch(); ++k) {
    const auto batch = loader.next(), same = again.next();
    EXPECT_TRUE(torch::equal(batch->audio, same->audio));
    for (std::int64_t b = 0; b < std::ssize(batch->ids); ++b)
      sounds[batch->ids[static_cast<std::size_t>(b)]].push_back(batch->row(b).audio.clone());
  }
  for (const auto& [id, of_epochs] : sounds)
    EXPECT_FALSE(torch::equal(of_epochs[0], of_epochs[1])) << id;
}

}  // namespace
}  // namespace raven::data

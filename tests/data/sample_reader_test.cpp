#include "raven/data/sample_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "data/corpus_fixture.h"
#include "media/make_media.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "support/temporary_folder.h"

namespace raven::data {
namespace {

constexpr std::int64_t kFrames = 11;

class SampleReaderTest : public testing::Test {
 protected:
  void SetUp() override {
    write("v.npy", npy_clip(clip_pixels(kFrames, 1)));
    write("a.wav", media::encode_wav(clip_samples(kFrames, 1)));
    utterance_ = {.id = "u",
                  .video = {path("v.npy"), ""},
                  .audio = {path("a.wav"), ""},
                  .frames = kFrames,
                  .text = {},
                  .speaker = {},
                  .subset = {},
                  .source = {}};
  }

  [[nodiscard]] std::filesystem::path path(const std::string& name) const {
    return folder_.path() / name;
  }
  void write(const std::string& name, const std::string& content) const {
    write_file_atomically(path(name), content);
  }

  [[nodiscard]] Sample read() const {
    const SampleReader reader({}, std::make_shared<ShardCache>(), "/d/m.tsv");
    return reader.read(utterance_, centre_placement({}));
  }

  /// Reason and message of the DataError that reading causes.
  [[nodiscard]] std::pair<std::string, std::string> refusal() const {
    try {
      (void)read();
    } catch (const DataError& error) {
      return {error.reason(), error.what()};
    }
    return {"read", ""};
  }

  TemporaryFolder folder_;
  Utterance utterance_;
};

/// 96 x 96 grey frames that survive lossy coding: slow waves.
std::vector<std::uint8_t> smooth_pixels(std::int64_t frames) {
  std::vector<std::uint8_t> pixels;
  for (std::int64_t t = 0; t < frames; ++t) {
    for (std::int64_t y = 0; y < kStoredSide; ++y) {
      for (std::int64_t x = 0; x < kStoredSide; ++x) {
        pixels.push_back(
            static_cast<std::uint8_t>(128 + 60 * std::sin(0.1 * static_cast<double>(x + 2 * t)) *
                                                std::cos(0.07 * static_cast<double>(y))));
      }
    }
  }
  return pixels;
}

std::string grey_mp4(const std::vector<std::uint8_t>& pixels, std::int64_t side = kStoredSide) {
  return media::encode_mp4({.pixels = pixels,
                            .num_frames = std::ssize(pixels) / (side * side),
                            .height = side,
                            .width = side});
}

TEST_F(SampleReaderTest, ReadsPlainFiles) {
  const auto sample = read();
  auto pixels = clip_pixels(kFrames, 1);
  const auto stored = torch::from_blob(pixels.data(), {kFrames, 96, 96}, torch::kUInt8);
  EXPECT_TRUE(torch::equal(sample.video, stored.narrow(1, 4, 88).narrow(2, 4, 88)));
  EXPECT_TRUE(torch::equal(sample.audio, torch::tensor(clip_samples(kFrames, 1))));
}

TEST_F(SampleReaderTest, ReadsH264) {
  const auto pixels = smooth_pixels(kFrames);
  write("v.mp4", grey_mp4(pixels));
  utterance_.video.file = path("v.mp4");
  auto copy = pixels;
  const auto stored = torch::from_blob(copy.data(), {kFrames, 96, 96}, torch::kUInt8)
                          .narrow(1, 4, 88)
                          .narrow(2, 4, 88);
  EXPECT_LT(
      (read().video.to(torch::kFloat32) - stored.to(torch::kFloat32)).abs().mean().item<double>(),
      3);
}

TEST_F(SampleReaderTest, KeepsTheLevelsOfCropsInColour) {
  const auto write_avi = [&](AVPixelFormat format, const std::vector<int>& colour) {
    write("v.avi", media::make_media("avi", {.video = media::VideoStreamSpec{
                                                 .format = format,
                                                 .width = 96,
                                                 .height = 96,
                                                 .times = media::regular_times(kFrames),
                                                 .colour = [&](int) { return colour; }}}));
  };
  utterance_.video.file = path("v.avi");
  const SampleReader reader({}, std::make_shared<ShardCache>(), "/d/m.tsv");
  const auto levels = [&] {
    auto video = torch::empty({kFrames, 88, 88});
    reader.read_levels(utterance_, {centre_placement({})}, video.data_ptr<float>(), nullptr);
    EXPECT_TRUE(torch::equal(video, torch::full_like(video, video[0][0][0].item<float>())));
    return video[0][0][0].item<float>();
  };
  write_avi(AV_PIX_FMT_BGR0, {255, 0, 20});
  EXPECT_EQ(levels(), 79);  // the luma of colours, as everywhere else
  utterance_.grey = corpus::Grey::kColour;
  EXPECT_NEAR(levels(), 78.4995 / 0.9999, 1e-4);  // 0.2989 R + 0.587 G + 0.114 B
  EXPECT_EQ(read().video[0][0][0].item<int>(), 79);
  write_avi(AV_PIX_FMT_GRAY8, {123});
  EXPECT_EQ(levels(), 123);
}

TEST_F(SampleReaderTest, GivesTheSameLevelsOfGreyCrops) {
  const SampleReader reader({.video = {.window = 64, .shrink = 2, .crop = 30}},
                            std::make_shared<ShardCache>(), "/d/m.tsv");
  const Placement placement{.top = 1, .left = 2, .flip = true};
  auto bytes = torch::empty({kFrames, 30, 30}, torch::kUInt8),
       levels = torch::empty({kFrames, 30, 30});
  for (const auto grey : {corpus::Grey::kLuma, corpus::Grey::kColour}) {  // a .npy has no colours
    utterance_.grey = grey;
    reader.read(utterance_, {placement}, bytes.data_ptr<std::uint8_t>(), nullptr);
    reader.read_levels(utterance_, {placement}, levels.data_ptr<float>(), nullptr);
    EXPECT_TRUE(torch::equal(bytes.to(torch::kFloat32), levels));
  }
}

TEST_F(SampleReaderTest, CutsAndPadsAudio) {
  write("a.wav", media::encode_wav(clip_samples(kFrames + 5, 1)));
  const auto expected = torch::tensor(clip_samples(kFrames + 5, 1));
  EXPECT_TRUE(torch::equal(read().audio, expected.narrow(0, 0, kFrames * 640)));
  write("a.wav", media::encode_wav(clip_samples(kFrames - 4, 1)));
  const auto audio = read().audio;
  EXPECT_TRUE(torch::equal(audio.narrow(0, 0, (kFrames - 4) * 640),
                           torch::tensor(clip_samples(kFrames - 4, 1))));
  EXPECT_EQ(audio.narrow(0, (kFrames - 4) * 640, 4 * 640).count_nonzero().item<std::int64_t>(), 0);
}

TEST_F(SampleReaderTest, ReadsOtherAudioThroughLibav) {
  write("a.flac", media::encode_flac(clip_samples(kFrames, 1)));
  utterance_.audio.file = path("a.flac");
  EXPECT_TRUE(torch::equal(read().audio, torch::tensor(clip_samples(kFrames, 1))));
}

TEST_F(SampleReaderTest, KeepsSoundAndPicturesOfAFileTogether) {
  // The sound is 0.5 from 0.2 s on, the pictures begin at 0.08 s.
  auto times = media::regular_times(kFrames);
  for (auto& time : times) time += 2;
  const media::AudioStreamSpec audio{
      .num_samples = 16'000, .sample = [](std::int64_t, int) { return 0.5; }, .start = 3200};
  write("film.mkv",
        media::make_media(
            "matroska", {.video = media::VideoStreamSpec{.width = 96, .height = 96, .times = times},
                         .audio = audio}));
  utterance_.video.file = path("film.mkv");
  const SampleReader reader({}, std::make_shared<ShardCache>(), "/d/m.tsv");
  const auto onset = [&](bool with_video) {
    std::vector<std::uint8_t> video(kFrames * 96 * 96);
    std::vector<float> samples(kFrames * 640);
    reader.read(utterance_, {centre_placement({})}, with_video ? video.data() : nullptr,
                samples.data());
    return std::find_if(samples.begin(), samples.end(), [](float x) { return x > 0.25F; }) -
           samples.begin();
  };
  for (const auto* named : {"", "film.mkv"}) {
    utterance_.audio.file = *named == 0 ? std::filesystem::path() : path(named);
    EXPECT_EQ(onset(true), 1920) << "0.12 s after the first picture";
    EXPECT_EQ(onset(false), 1920) << "also where pictures are not read";
  }
  write("sound.mkv", read_file(path("film.mkv")));
  utterance_.audio.file = path("sound.mkv");
  EXPECT_EQ(onset(true), 0) << "a file of its own";
}

TEST_F(SampleReaderTest, NamesWhatIsWrong) {
  utterance_.frames = kFrames + 1;
  EXPECT_EQ(
      refusal(),
      std::pair(
          std::string("frame-count"),
          std::string(
              "/d/m.tsv: 'u' lists 12 video frames but the clip holds 11; rebuild the manifest")));
  utterance_.frames = kFrames;
  utterance_.audio = {};
  EXPECT_EQ(refusal().first, "no-audio");
  utterance_.audio.file = path("nothing.wav");
  EXPECT_EQ(refusal().first, "missing");
  utterance_.audio.file = path("a.wav");
  utterance_.video.file = path("nothing.npy");
  EXPECT_EQ(refusal().first, "missing");
  utterance_.video.file = path("nothing.mp4");
  EXPECT_EQ(refusal().first, "missing");
}

TEST_F(SampleReaderTest, ReadsWhatIsThereOfOneModality) {
  const SampleReader reader({}, std::make_shared<ShardCache>(), "/d/m.tsv");
  std::vector<float> samples(kFrames * 640);
  std::vector<std::uint8_t> pixels(kFrames * 88 * 88, 7);
  utterance_.video = {};
  reader.read(utterance_, {centre_placement({})}, nullptr, samples.data());
  EXPECT_EQ(samples, clip_samples(kFrames, 1));
  EXPECT_NO_THROW(reader.check(utterance_));
  EXPECT_EQ(refusal(),
            std::pair(std::string("no-video"), std::string("/d/m.tsv: 'u' has no video")));
  utterance_.video.file = path("v.npy");
  utterance_.audio = {};
  reader.read(utterance_, {centre_placement({})}, pixels.data(), nullptr);
  EXPECT_NO_THROW(reader.check(utterance_));
}

TEST_F(SampleReaderTest, ASilentFilmIsWholeAndHasNoSound) {
  write("v.mp4", grey_mp4(smooth_pixels(kFrames)));
  utterance_.video.file = path("v.mp4");
  utterance_.audio = {};
  const SampleReader reader({}, std::make_shared<ShardCache>(), "/d/m.tsv");
  EXPECT_NO_THROW(reader.check(utterance_));
  EXPECT_EQ(refusal().first, "no-audio");
  utterance_.audio.file = path("v.mp4");  // named as sound, it has to have some
  EXPECT_THROW(reader.check(utterance_), DataError);
}

TEST_F(SampleReaderTest, BlanksWhatIsAbsentWhenAsked) {
  const SampleReader reader({.absent_is_blank = true}, std::make_shared<ShardCache>(), "/d/m.tsv");
  utterance_.video = {};
  auto sample = reader.read(utterance_, centre_placement({}));
  EXPECT_EQ(sample.video.count_nonzero().item<std::int64_t>(), 0);
  EXPECT_TRUE(torch::equal(sample.audio, torch::tensor(clip_samples(kFrames, 1))));
  utterance_.video.file = path("v.npy");
  utterance_.audio = {};
  sample = reader.read(utterance_, centre_placement({}));
  EXPECT_EQ(sample.audio.count_nonzero().item<std::int64_t>(), 0);
  EXPECT_GT(sample.video.count_nonzero().item<std::int64_t>(), 0);
  utterance_.audio.file = path("nothing.wav");  // listed, so it has to be there
  EXPECT_THROW((void)reader.read(utterance_, centre_placement({})), DataError);
}

TEST_F(SampleReaderTest, CountsTheFramesOfVideoFiles) {
  write("v.mp4", grey_mp4(smooth_pixels(kFrames + 3)));
  utterance_.video.file = path("v.mp4");
  EXPECT_THAT(refusal().second, testing::HasSubstr("lists 11 video frames but the clip holds 14"));
  write("v.mp4", grey_mp4(smooth_pixels(kFrames - 3)));
  EXPECT_THAT(refusal().second, testing::HasSubstr("lists 11 video frames but the clip holds 8"));
}

TEST_F(SampleReaderTest, RefusesFramesOfAnotherSize) {
  const std::vector<std::uint8_t> pixels(64 * 64 * kFrames, 100);
  write("v.mp4", grey_mp4(pixels, 64));
  utterance_.video.file = path("v.mp4");
  EXPECT_EQ(refusal().first, "shape");
  EXPECT_THAT(refusal().second,
              testing::HasSubstr("frames are 64 x 64, expected frames of 96 x 96"));
}

TEST_F(SampleReaderTest, RefusesOtherArrays) {
  const std::vector<std::uint8_t> bytes(2 * kFrames * kStoredSide * kStoredSide);
  const std::int64_t shape[] = {kFrames, kStoredSide, kStoredSide};
  write("v.npy", corpus::npy_bytes("<u2", shape, std::as_bytes(std::span(bytes))));
  EXPECT_EQ(refusal().first, "shape");
  const auto good = npy_clip(clip_pixels(kFrames, 1));
  write("v.npy", good.substr(0, good.size() - 1));
  EXPECT_EQ(refusal().first, "corrupt");
  write("v.npy", "");
  EXPECT_EQ(refusal().first, "corrupt");
}

TEST_F(SampleReaderTest, RefusesSamplesThatAreNoNumbers) {
  // 32-bit float WAV with one NaN.
  const std::string header(
      "RIFF\xff\x00\x00\x00WAVEfmt "
      "\x10\x00\x00\x00\x03\x00\x01\x00\x80\x3e\x00\x00\x00\xfa\x00\x00\x04\x00\x20\x00"
      "data",
      40);
  std::vector<float> samples(640, 0.5F);
  samples[7] = std::numeric_limits<float>::quiet_NaN();
  const std::uint32_t size = 4 * 640;
  write("a.wav", header + std::string(reinterpret_cast<const char*>(&size), 4) +
                     std::string(reinterpret_cast<const char*>(samples.data()), size));
  EXPECT_EQ(refusal().first, "corrupt");
  EXPECT_THAT(refusal().second, testing::HasSubstr("not finite"));
}

TEST_F(SampleReaderTest, OpensAShardOnce) {
  const auto manifest = write_corpus(folder_.path() / "c", {3, 4});
  ShardCache shards;
  EXPECT_EQ(&shards.open(manifest.utterances[0].video.file),
            &shards.open(manifest.utterances[1].audio.file));
  EXPECT_THROW((void)shards.open("/nowhere.tar"), DataError);
  EXPECT_THROW((void)shards.open("/nowhere.tar"), DataError);
}

TEST_F(SampleReaderTest, LooksThroughADamagedShardOnce) {
  write("bad.tar", std::string(10240, 'x'));
  ShardCache shards;
  const auto error = [&] {
    try {
      (void)shards.open(path("bad.tar"));
    } catch (const DataError& damage) {
      return damage.reason() + ": " + damage.what();
    }
    return std::string("none");
  };
  const auto first = error();
  EXPECT_THAT(first, testing::StartsWith("corrupt: "));
  std::filesystem::remove(path("bad.tar"));
  EXPECT_EQ(error(), first);
  EXPECT_THROW((void)shards.open(path("later.tar")), DataError);  // what is missing may still come
  ShardWriter(path("later.tar")).finish();
  EXPECT_NO_THROW((void)shards.open(path("later.tar")));
}

TEST_F(SampleReaderTest, SaysOnceThatAShardHasNoIndex) {
  const auto tar = write_corpus(folder_.path() / "c", {3}).utterances[0].video.file;
  ShardCache shards;
  testing::internal::CaptureStdout();
  (void)shards.open(tar);
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(shards.num_without_index(), 0);
  std::filesystem::remove(tar.string() + ".index");
  ShardCache others;
  testing::internal::CaptureStdout();
  (void)others.open(tar);
  EXPECT_THAT(testing::internal::GetCapturedStdout(), testing::HasSubstr("0.tar has no index"));
  testing::internal::CaptureStdout();
  (void)others.open(tar);
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(others.num_without_index(), 1);
}

}  // namespace
}  // namespace raven::data

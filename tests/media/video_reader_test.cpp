#include "raven/media/video_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <thread>

#include "media/make_media.h"
#include "media/patterns.h"
#include "raven/core/error.h"

namespace raven::media {
namespace {

/// Which input frame each output frame shows, for files whose frame i is all of grey value i.
std::vector<int> shown(const VideoFrames& frames) {
  std::vector<int> indices;
  const auto frame_size = static_cast<std::size_t>(frames.height * frames.width);
  for (std::int64_t t = 0; t < frames.num_frames; ++t) {
    indices.push_back(frames.pixels[static_cast<std::size_t>(t) * frame_size]);
  }
  return indices;
}

std::string reason_of(const std::string& bytes, const VideoOptions& options = {}) {
  try {
    read_video(in_memory(bytes), options);
  } catch (const MediaError& error) {
    return error.reason();
  }
  return "none";
}

/// Grey of a single frame of one colour.
int grey_of(AVPixelFormat format, const std::vector<int>& colour, const char* codec = "ffv1") {
  const auto file = make_media(
      "matroska",
      {.video = VideoStreamSpec{
           .codec = codec, .format = format, .times = {0}, .colour = [&](int) { return colour; }}});
  return read_video(in_memory(file)).pixels.at(0);
}

struct Rate {
  int num, den;
};
class VideoReaderAtRate : public testing::TestWithParam<Rate> {};

TEST_P(VideoReaderAtRate, ShowsWhatStartsByTheMiddleOfATickForTheSameDuration) {
  const auto [num, den] = GetParam();
  constexpr int kFrames = 101;
  const auto file = make_media(
      "mov", {.video = VideoStreamSpec{
                  .time_base = {den, num}, .rate = {num, den}, .times = regular_times(kFrames)}});
  const auto frames = read_video(in_memory(file));
  EXPECT_DOUBLE_EQ(frames.source_frame_rate_hz, static_cast<double>(num) / den);
  // 101 den / num seconds are 2525 den / num ticks; half a tick more rounds up.
  EXPECT_EQ(frames.num_frames, (2 * 25 * kFrames * den + num) / (2 * num));
  std::vector<int> expected;
  for (int k = 0; k < frames.num_frames; ++k) {
    expected.push_back(std::min((2 * k + 1) * num / (50 * den), kFrames - 1));
  }
  EXPECT_EQ(shown(frames), expected);
}

INSTANTIATE_TEST_SUITE_P(Rates, VideoReaderAtRate,
                         testing::Values(Rate{10, 1}, Rate{12, 1}, Rate{24000, 1001}, Rate{25, 1},
                                         Rate{30000, 1001}, Rate{30, 1}, Rate{50, 1}, Rate{60, 1},
                                         Rate{1, 1}));

TEST(VideoReader, RepeatsFramesOfASlowFile) {
  const auto file = make_media(
      "mov",
      {.video = VideoStreamSpec{.time_base = {1, 10}, .rate = {10, 1}, .times = regular_times(4)}});
  // Middles of ticks at 20, 60, 100, 140, ... ms; frames start at 0, 100, 200, 300 ms.
  EXPECT_EQ(shown(read_video(in_memory(file))), (std::vector<int>{0, 0, 1, 1, 1, 2, 2, 3, 3, 3}));
}

TEST(VideoReader, FollowsVariableTimes) {
  const auto file =
      make_media("matroska", {.video = VideoStreamSpec{.time_base = {1, 1000},
                                                       .times = {0, 10, 150, 155, 160, 400, 440}}});
  // Middles of ticks: 20 60 100 140 | 180 220 260 300 340 380 | 420 | 460 ms.
  EXPECT_EQ(shown(read_video(in_memory(file))),
            (std::vector<int>{1, 1, 1, 1, 4, 4, 4, 4, 4, 4, 5, 6}));
}

TEST(VideoReader, CountsFromTheFirstFrame) {
  const auto file = make_media(
      "matroska", {.video = VideoStreamSpec{.time_base = {1, 1000}, .times = {5000, 5040, 5080}}});
  EXPECT_EQ(shown(read_video(in_memory(file))), (std::vector<int>{0, 1, 2}));
}

TEST(VideoReader, ReadsFfv1GreyAviExactly) {
  const auto file = make_media("avi", {.video = VideoStreamSpec{.times = regular_times(150)}});
  std::vector<int> expected(150);
  for (int i = 0; i < 150; ++i) expected[static_cast<std::size_t>(i)] = i;
  const auto frames = read_video(in_memory(file));
  EXPECT_EQ(shown(frames), expected);
  EXPECT_DOUBLE_EQ(frames.source_frame_rate_hz, 25);
}

TEST(VideoReader, ReadsCommonContainersAndCodecs) {
  struct Kind {
    const char *container, *codec;
    AVPixelFormat format;
  };
  for (const auto& [container, codec, format] : {Kind{"mp4", "mpeg4", AV_PIX_FMT_YUV420P},
                                                 {"matroska", "mjpeg", AV_PIX_FMT_YUVJ420P},
                                                 {"mpegts", "mpeg2video", AV_PIX_FMT_YUV420P},
                                                 {"mpeg", "mpeg1video", AV_PIX_FMT_YUV420P},
                                                 {"flv", "flv", AV_PIX_FMT_YUV420P},
                                                 {"asf", "wmv2", AV_PIX_FMT_YUV420P},
                                                 {"avi", "mpeg4", AV_PIX_FMT_YUV420P},
                                                 {"ogg", "libtheora", AV_PIX_FMT_YUV420P},
                                                 {"webm", "libvpx", AV_PIX_FMT_YUV420P}}) {
    SCOPED_TRACE(container);
    const auto file = make_media(
        container, {.video = VideoStreamSpec{.codec = codec,
                                             .format = format,
                                             .width = 32,
                                             .height = 32,
                                             .times = regular_times(30),
                                             .colour = [](int i) {
                                               return std::vector<int>{100 + i, 128, 128};
                                             }}});
    const auto frames = read_video(in_memory(file));
    EXPECT_NEAR(static_cast<double>(frames.num_frames), 30, 1);
    const int luma = format == AV_PIX_FMT_YUVJ420P ? 115 : (115 - 16) * 255 / 219;
    EXPECT_NEAR(shown(frames)[15], luma, 4);
  }
}

TEST(VideoReader, ExpandsLimitedRangeAndKeepsFullRange) {
  EXPECT_EQ(grey_of(AV_PIX_FMT_YUV420P, {16, 128, 128}), 0);
  EXPECT_EQ(grey_of(AV_PIX_FMT_YUV420P, {235, 128, 128}), 255);
  EXPECT_EQ(grey_of(AV_PIX_FMT_YUV420P, {126, 128, 128}), 128);  // 110 * 255 / 219 = 128.08
  EXPECT_EQ(grey_of(AV_PIX_FMT_YUV420P, {3, 128, 128}), 0);
  EXPECT_EQ(grey_of(AV_PIX_FMT_GRAY8, {126}), 126);
  EXPECT_NEAR(grey_of(AV_PIX_FMT_YUVJ420P, {126, 128, 128}, "mjpeg"), 126, 1);
}

TEST(VideoReader, RoundsEveryValueOfLimitedRange) {
  for (int luma = 0; luma < 256; ++luma) {
    const auto grey = std::lround(std::clamp((luma - 16) * 255 / 219.0, 0.0, 255.0));
    EXPECT_EQ(grey_of(AV_PIX_FMT_YUV420P, {luma, 128, 128}), grey) << luma;
  }
}

TEST(VideoReader, HonoursTheRangeThatTheFileStates) {
  VideoStreamSpec spec{
      .format = AV_PIX_FMT_YUV420P, .range = AVCOL_RANGE_JPEG, .times = {0}, .colour = [](int) {
        return std::vector<int>{126, 128, 128};
      }};
  EXPECT_EQ(shown(read_video(in_memory(make_media("matroska", {.video = spec})))).at(0), 126);
  spec.range = AVCOL_RANGE_MPEG;
  EXPECT_EQ(shown(read_video(in_memory(make_media("matroska", {.video = spec})))).at(0), 128);
  spec.codec = "libx264";
  EXPECT_NEAR(shown(read_video(in_memory(make_media("mp4", {.video = spec})))).at(0), 128, 1);
}

TEST(VideoReader, ScalesLumaOfMoreThanEightBits) {
  EXPECT_EQ(grey_of(AV_PIX_FMT_YUV420P10LE, {64, 512, 512}), 0);
  EXPECT_EQ(grey_of(AV_PIX_FMT_YUV420P10LE, {940, 512, 512}), 255);
  EXPECT_EQ(grey_of(AV_PIX_FMT_YUV420P10LE, {502, 512, 512}), 128);  // 438 * 255 / 876 = 127.5
  EXPECT_EQ(grey_of(AV_PIX_FMT_GRAY16LE, {65535}), 255);
  EXPECT_EQ(grey_of(AV_PIX_FMT_GRAY16LE, {32896}), 128);
}

TEST(VideoReader, WeighsColoursForGrey) {
  EXPECT_EQ(grey_of(AV_PIX_FMT_BGR0, {255, 0, 0}), 76);      // 76.245
  EXPECT_EQ(grey_of(AV_PIX_FMT_BGR0, {0, 255, 0}), 150);     // 149.685
  EXPECT_EQ(grey_of(AV_PIX_FMT_BGR0, {0, 0, 255}), 29);      // 29.07
  EXPECT_EQ(grey_of(AV_PIX_FMT_BGR0, {200, 100, 50}), 124);  // 124.2
}

TEST(VideoReader, GivesColours) {
  const auto file = make_media(
      "matroska",
      {.video = VideoStreamSpec{
           .format = AV_PIX_FMT_BGR0, .width = 5, .height = 3, .times = {0}, .colour = [](int) {
             return std::vector<int>{10, 20, 30};
           }}});
  const auto frames = read_video(in_memory(file), {.format = PixelFormat::kRgb});
  EXPECT_EQ(frames.channels, 3);
  std::vector<std::uint8_t> expected;
  for (int i = 0; i < 15; ++i) expected.insert(expected.end(), {10, 20, 30});
  EXPECT_EQ(frames.pixels, expected);
}

/// Pixels of one picture, R, G and B one after another.
std::vector<std::uint8_t> plain_rgb(AVPixelFormat format, const std::vector<int>& colour,
                                    int width) {
  const auto file = make_media(
      "matroska",
      {.video = VideoStreamSpec{
           .format = format, .width = width, .height = 18, .times = {0}, .colour = [&](int) {
             return colour;
           }}});
  return read_video(in_memory(file), {.format = PixelFormat::kPlainRgb}).pixels;
}

TEST(VideoReader, GivesPlainColoursOfEveryPixelAtAnyWidth) {
  for (const int width : {16, 18, 30, 66}) {
    EXPECT_EQ(plain_rgb(AV_PIX_FMT_GRAY8, {77}, width),
              std::vector<std::uint8_t>(static_cast<std::size_t>(width * 18 * 3), 77));
    const auto stored = plain_rgb(AV_PIX_FMT_BGR0, {10, 20, 30}, width);
    // BT.601: R = 128 + 1.596 x 112 is above white, G = 128 - 0.813 x 112 = 37, B = 128.
    const auto clipped = plain_rgb(AV_PIX_FMT_YUV420P, {126, 128, 240}, width);
    ASSERT_EQ(clipped.size(), stored.size());
    for (std::size_t i = 0; i < stored.size(); i += 3) {
      EXPECT_EQ(stored[i], 10);
      EXPECT_EQ(stored[i + 1], 20);
      EXPECT_EQ(stored[i + 2], 30);
      EXPECT_EQ(clipped[i], 255) << width << ", pixel " << i / 3;
      EXPECT_NEAR(clipped[i + 1], 37, 1);
      EXPECT_NEAR(clipped[i + 2], 128, 1);
    }
  }
}

TEST(VideoReader, GivesTheSameFramesOneByOne) {
  const auto clip = drifting_clip(40, 24, 20);
  const auto file = encode_mp4(clip.view());
  const auto whole = read_video(in_memory(file));
  VideoReader reader(in_memory(file));
  EXPECT_EQ(reader.height(), 24);
  EXPECT_EQ(reader.width(), 20);
  EXPECT_DOUBLE_EQ(reader.duration_s(), 1.6);
  std::vector<std::uint8_t> pixels;
  while (const auto view = reader.next()) {
    for (std::int64_t y = 0; y < view->height; ++y) {
      const auto* row = view->pixels + y * view->stride;
      pixels.insert(pixels.end(), row, row + view->width);
    }
  }
  EXPECT_EQ(pixels, whole.pixels);
  EXPECT_FALSE(reader.next().has_value());
}

TEST(VideoReader, DecodesAClipTheSameWhateverCameBefore) {
  const auto a = encode_mp4(drifting_clip(20, 32, 32).view());
  auto other = drifting_clip(33, 32, 32);
  std::reverse(other.pixels.begin(), other.pixels.end());
  const auto b = encode_mp4(other.view());
  std::vector<std::uint8_t> first_a, first_b;
  std::thread([&] { first_a = read_video(in_memory(a)).pixels; }).join();
  std::thread([&] { first_b = read_video(in_memory(b)).pixels; }).join();
  EXPECT_EQ(read_video(in_memory(a)).pixels, first_a);
  EXPECT_EQ(read_video(in_memory(b)).pixels, first_b);
  EXPECT_THROW(read_video(in_memory(b.substr(0, b.size() / 2))), MediaError);
  { VideoReader stopped_early(in_memory(b)); }
  EXPECT_EQ(read_video(in_memory(a)).pixels, first_a);
  VideoReader one(in_memory(a)), two(in_memory(b));  // at once, in one thread
  while (one.next() && two.next()) {
  }
  EXPECT_EQ(read_video(in_memory(b)).pixels, first_b);
}

/// Puts another clip's picture parameters over the encoder's comment, the first unit of the first
/// packet: the file then changes its decoder's parameter sets on the way.
std::string with_picture_parameters_of(const std::string& other, std::string mp4) {
  const auto big_endian = [](const std::string& bytes, std::size_t at, int count) {
    std::size_t value = 0;
    for (int i = 0; i < count; ++i) {
      value = value << 8 | static_cast<unsigned char>(bytes[at + static_cast<std::size_t>(i)]);
    }
    return value;
  };
  // avcC: 6 bytes, length and sequence parameters, 1 byte, length and picture parameters.
  const auto sequence = other.find("avcC") + 4 + 6;
  const auto picture = sequence + 2 + big_endian(other, sequence, 2) + 1;
  const auto parameters = other.substr(picture + 2, big_endian(other, picture, 2));
  const auto unit = mp4.find("mdat") + 4;
  const auto comment_size = big_endian(mp4, unit, 4);
  EXPECT_EQ(mp4[unit + 4] & 0x1f, 6);  // supplemental information
  const auto length = [](std::size_t size) {
    return std::string({0, 0, static_cast<char>(size >> 8), static_cast<char>(size)});
  };
  const auto filler_size = comment_size - parameters.size() - 4;
  const auto units = length(parameters.size()) + parameters + length(filler_size) +
                     std::string(1, 12) + std::string(filler_size - 1, '\xff');
  return mp4.replace(unit, units.size(), units);
}

TEST(VideoReader, KeepsNoDecoderWhoseParametersAClipChanged) {
  const auto clip = drifting_clip(20, 32, 32);
  const auto fine = encode_mp4(clip.view(), {.crf = 10});
  const auto coarse = encode_mp4(clip.view(), {.crf = 40});
  const auto changed = with_picture_parameters_of(coarse, fine);
  std::vector<std::uint8_t> alone;
  std::thread([&] { alone = read_video(in_memory(fine)).pixels; }).join();
  EXPECT_NE(read_video(in_memory(changed)).pixels, alone);  // read with the wrong quantiser
  EXPECT_EQ(read_video(in_memory(fine)).pixels, alone);
}

TEST(VideoReader, ReadsInManyThreads) {
  const auto file = encode_mp4(drifting_clip(30, 48, 48).view());
  const auto expected = read_video(in_memory(file)).pixels;
  std::vector<int> equal(4, 0);
  std::vector<std::thread> threads;
  for (auto& count : equal) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) {
        count += read_video(in_memory(file)).pixels == expected ? 1 : 0;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(equal, (std::vector<int>{20, 20, 20, 20}));
}

std::vector<std::int64_t> shown_by_reader(const std::string& file, std::vector<double>& starts_s) {
  VideoReader reader(in_memory(file));
  std::vector<std::int64_t> pictures;
  while (reader.next()) pictures.push_back(reader.picture());
  starts_s = reader.picture_starts_s();
  return pictures;
}

TEST(VideoReader, TellsFromThePacketsWhichPictureWillBeShown) {
  struct Kind {
    const char *container, *codec;
    AVPixelFormat format;
    std::vector<std::int64_t> times;
    AVRational time_base, rate;
  };
  const std::vector<std::int64_t> uneven = {0, 10, 150, 155, 160, 400, 440, 520};
  for (const auto& kind :
       {Kind{"matroska", "ffv1", AV_PIX_FMT_GRAY8, uneven, {1, 1000}, {0, 1}},
        {"mov", "mpeg4", AV_PIX_FMT_YUV420P, uneven, {1, 1000}, {20, 1}},
        {"mp4", "libx264", AV_PIX_FMT_YUV420P, regular_times(60), {1001, 30000}, {30000, 1001}},
        {"mpegts", "mpeg2video", AV_PIX_FMT_YUV420P, regular_times(40), {1, 30}, {30, 1}},
        {"webm", "libvpx", AV_PIX_FMT_YUV420P, regular_times(40), {1, 15}, {15, 1}},
        {"avi", "mjpeg", AV_PIX_FMT_YUVJ420P, regular_times(40), {1, 50}, {50, 1}}}) {
    SCOPED_TRACE(kind.container);
    const auto file = make_media(
        kind.container, {.video = VideoStreamSpec{.codec = kind.codec,
                                                  .format = kind.format,
                                                  .width = 32,
                                                  .height = 32,
                                                  .time_base = kind.time_base,
                                                  .rate = kind.rate,
                                                  .times = kind.times,
                                                  .colour = [](int i) {
                                                    return std::vector<int>{60 + 2 * i, 128, 128};
                                                  }}});
    const auto expected = expect_pictures(in_memory(file));
    std::vector<double> starts_s;
    EXPECT_EQ(expected.shown, shown_by_reader(file, starts_s));
    ASSERT_EQ(expected.starts_s.size(), kind.times.size());
    ASSERT_EQ(starts_s.size(), kind.times.size());
    for (std::size_t i = 0; i < starts_s.size(); ++i)
      EXPECT_NEAR(expected.starts_s[i], starts_s[i], 1e-9);
  }
}

TEST(VideoReader, TellsHowThePictureIsTurned) {
  constexpr std::int32_t kOne = 1 << 16;
  const auto turn_of = [](std::optional<std::array<std::int32_t, 9>> matrix) {
    return VideoReader(
               in_memory(make_media(
                   "mov", {.video = VideoStreamSpec{.times = {0}, .display_matrix = matrix}})))
        .turn()
        .text();
  };
  EXPECT_EQ(turn_of(std::nullopt), "rotation of 0 degrees");
  EXPECT_EQ(turn_of({{0, kOne, 0, -kOne, 0, 0, 16 * kOne, 0, 1 << 30}}), "rotation of 90 degrees");
  EXPECT_EQ(turn_of({{-kOne, 0, 0, 0, -kOne, 0, 0, 0, 1 << 30}}), "rotation of 180 degrees");
  EXPECT_EQ(turn_of({{0, -kOne, 0, kOne, 0, 0, 0, 0, 1 << 30}}), "rotation of 270 degrees");
  EXPECT_EQ(turn_of({{-kOne, 0, 0, 0, kOne, 0, 0, 0, 1 << 30}}), "mirroring");
  EXPECT_EQ(turn_of({{kOne, 0, 0, 0, -kOne, 0, 0, 0, 1 << 30}}),
            "mirroring and rotation of 180 degrees");
  // 45 degrees: players show it as it is stored.
  EXPECT_EQ(turn_of({{46341, 46341, 0, -46341, 46341, 0, 0, 0, 1 << 30}}), "rotation of 0 degrees");
}

TEST(VideoReader, SaysWhenThereIsNoVideo) {
  EXPECT_EQ(reason_of(encode_wav(sine(1600, 440, 16000))), "no-video");
  const auto sound =
      make_media("mp4", {.audio = AudioStreamSpec{.codec = "aac", .format = AV_SAMPLE_FMT_FLTP}});
  EXPECT_EQ(reason_of(sound), "no-video");
}

TEST(VideoReader, SaysWhenThereIsNoFrame) {
  EXPECT_EQ(reason_of(make_media("avi", {.video = VideoStreamSpec{.times = {}}})), "empty");
}

TEST(VideoReader, RefusesPicturesThatChangeSize) {
  const VideoStreamSpec small{.codec = "mpeg2video",
                              .format = AV_PIX_FMT_YUV420P,
                              .width = 32,
                              .height = 32,
                              .times = regular_times(25)};
  auto large = small;
  large.width = 64;
  const auto both =
      make_media("mpeg2video", {.video = small}) + make_media("mpeg2video", {.video = large});
  EXPECT_EQ(reason_of(both), "unsupported");
}

}  // namespace
}  // namespace raven::media

// Sound and pictures of one file: a flash and a burst of noise at one moment stay together.
#include <gtest/gtest.h>

#include <cmath>

#include "media/make_media.h"
#include "media/patterns.h"
#include "raven/core/error.h"
#include "raven/core/random.h"
#include "raven/media/audio_reader.h"
#include "raven/media/video_reader.h"

namespace raven::media {
namespace {

struct Container {
  const char *muxer, *video, *audio;
  AVSampleFormat format;
  int rate_hz;
};

constexpr Container kMp4{"mp4", "mpeg4", "aac", AV_SAMPLE_FMT_FLTP, 48000};
constexpr Container kMkv{"matroska", "mpeg4", "aac", AV_SAMPLE_FMT_FLTP, 44100};
constexpr Container kWebm{"webm", "libvpx", "libopus", AV_SAMPLE_FMT_FLT, 48000};
constexpr Container kTs{"mpegts", "mpeg2video", "mp2", AV_SAMPLE_FMT_S16, 48000};
constexpr Container kFlv{"flv", "flv", "aac", AV_SAMPLE_FMT_FLTP, 44100};
constexpr Container kAsf{"asf", "wmv2", "wmav2", AV_SAMPLE_FMT_FLTP, 44100};
constexpr Container kMov{"mov", "mpeg4", "pcm_s16le", AV_SAMPLE_FMT_S16, 16000};
constexpr Container kAll[] = {kMp4, kMkv, kWebm, kTs, kFlv, kAsf, kMov};

struct Take {
  double picture_s = 0, sound_s = 0;  // when each begins
  double length_s = 4;
  double moment_s = 2;  // of flash and burst
  PacketHook sound_packet = {};
  PacketHook video_packet = {};
  const char* muxer_options = "";
};

std::string make(const Container& container, const Take& take) {
  VideoStreamSpec video{
      .codec = container.video, .format = AV_PIX_FMT_YUV420P, .width = 32, .height = 32};
  const auto first = std::llround(take.picture_s * 25);
  for (auto t = first; t < std::llround(take.length_s * 25); ++t) video.times.push_back(t);
  const auto flash = std::llround(take.moment_s * 25);
  video.packet = take.video_packet;
  video.colour = [=](int i) { return std::vector<int>{first + i >= flash ? 220 : 40, 128, 128}; };
  AudioStreamSpec audio{.codec = container.audio,
                        .format = container.format,
                        .rate_hz = container.rate_hz,
                        .start = std::llround(take.sound_s * container.rate_hz),
                        .packet = take.sound_packet};
  audio.num_samples = std::llround(take.length_s * container.rate_hz) - audio.start;
  const auto burst = std::llround(take.moment_s * container.rate_hz) - audio.start;
  audio.sample = [=](std::int64_t i, int) {
    // A quiet hum throughout, so that silence in holes can be told from it.
    return (i >= burst ? 0.5 : 0.02) * std::sin(0.2 * static_cast<double>(i));
  };
  return make_media(container.muxer,
                    {.video = video, .audio = audio, .muxer_options = take.muxer_options});
}

struct Result {
  double lag_s = NAN;  // burst after flash
  std::int64_t num_frames = 0;
  double start_s = 0;
  AudioSamples audio;
  Damage damage;
};

Result read(const std::string& file, const Limits& limits = {}) {
  Result result;
  VideoReader reader(in_memory(file), {.limits = limits});
  double flash_s = NAN;
  for (; const auto view = reader.next(); ++result.num_frames) {
    if (std::isnan(flash_s) && view->pixels[0] > 150) flash_s = seconds(result.num_frames);
  }
  result.start_s = reader.start_s().value_or(NAN);
  result.damage = reader.damage();
  result.audio = read_audio(in_memory(file), {.limits = limits, .origin_s = reader.start_s()});
  const auto& samples = result.audio.samples;
  EXPECT_EQ(read_audio(in_memory(file), {.limits = limits, .from_first_picture = true}).samples,
            samples)
      << "found without reading the pictures";
  const auto loud =
      std::find_if(samples.begin(), samples.end(), [](float x) { return std::abs(x) > 0.2F; });
  if (loud != samples.end())
    result.lag_s = static_cast<double>(loud - samples.begin()) / kSampleRateHz - flash_s;
  return result;
}

TEST(OneClock, HoldsWhereverSoundAndPicturesBegin) {
  for (const auto& container : kAll) {
    for (const auto& [picture_s, sound_s] :
         {std::pair(0.0, 0.0), {0.0, 0.4}, {0.4, 0.0}, {0.8, 1.0}}) {
      SCOPED_TRACE(
          fmt::format("{}: picture {} s, sound {} s", container.muxer, picture_s, sound_s));
      const auto result = read(make(container, {.picture_s = picture_s, .sound_s = sound_s}));
      EXPECT_NEAR(result.lag_s, 0, 0.02);
      EXPECT_EQ(result.audio.damage.damaged, 0);
      EXPECT_LT(result.audio.filled_s, 0.03);
      if (sound_s > picture_s)
        EXPECT_NEAR(result.audio.silence_before_s, sound_s - picture_s, 0.05);
      if (sound_s < picture_s) EXPECT_NEAR(result.audio.cut_before_s, picture_s - sound_s, 0.05);
    }
  }
}

TEST(OneClock, HoldsInFragmentsAndWithoutEditLists) {
  for (const auto* options : {"movflags=frag_keyframe+empty_moov+default_base_moof",
                              "movflags=frag_keyframe+empty_moov+delay_moov", "use_editlist=0"}) {
    SCOPED_TRACE(options);
    EXPECT_NEAR(read(make(kMp4, {.muxer_options = options})).lag_s, 0, 0.02);
    EXPECT_NEAR(read(make(kMp4, {.sound_s = 0.6, .muxer_options = options})).lag_s, 0, 0.02);
  }
}

TEST(OneClock, HoldsInAviWhosePicturesWaitToBePutInOrder) {
  VideoStreamSpec video{.codec = "libx264",
                        .format = AV_PIX_FMT_YUV420P,
                        .width = 32,
                        .height = 32,
                        .times = regular_times(60),
                        .colour = [](int i) {
                          return std::vector<int>{i >= 30 ? 220 : 40, 128, 128};
                        }};
  const AudioStreamSpec audio{
      .num_samples = 16000 * 60 / 25, .sample = [](std::int64_t i, int) {
        return i >= 16000 * 30 / 25 ? 0.5 * std::sin(0.2 * static_cast<double>(i)) : 0;
      }};
  const auto result = read(make_media("avi", {.video = video, .audio = audio}));
  EXPECT_EQ(result.num_frames, 60);
  EXPECT_NEAR(result.lag_s, 0, 0.02);
}

TEST(OneClock, GivesSoundAloneFromItsFirstSample) {
  const auto file = make(kMkv, {.sound_s = 1.5});
  const auto audio = read_audio(in_memory(file));
  EXPECT_NEAR(static_cast<double>(audio.samples.size()), 2.5 * 16000, 1600);
  EXPECT_EQ(audio.silence_before_s, 0);
}

TEST(OneClock, FillsHolesOfTheSoundWithSilenceInEveryContainer) {
  for (const auto& container : {kMp4, kMkv, kWebm, kTs, kFlv, kAsf}) {
    SCOPED_TRACE(container.muxer);
    const auto lose = [&](AVPacket& packet, int) {  // from 0.6 to 1.2 s
      return packet.pts < container.rate_hz * 3 / 5 || packet.pts >= container.rate_hz * 6 / 5;
    };
    const auto result = read(make(container, {.sound_packet = lose}));
    EXPECT_NEAR(result.lag_s, 0, 0.02);
    EXPECT_GT(result.audio.filled_s, 0.5);
    const auto& samples = result.audio.samples;
    int longest = 0, run = 0;
    for (std::size_t i = 0; i < 32'000; ++i) {
      run = std::abs(samples[i]) < 1e-6F ? run + 1 : 0;
      longest = std::max(longest, run);
    }
    EXPECT_GT(longest, 0.5 * 16000) << "silence, not the hum of another moment";
  }
}

TEST(OneClock, InsertsNothingForRoundedTimes) {
  for (const auto& container : kAll) {
    const auto result = read(make(container, {.length_s = 9, .moment_s = 8}));
    EXPECT_LT(result.audio.filled_s, container.muxer == kAsf.muxer ? 0.05 : 1e-9)
        << container.muxer;
    EXPECT_NEAR(result.lag_s, 0, 0.02) << container.muxer;
  }
}

TEST(OneClock, RefusesSoundAYearLater) {
  const auto jump = [](AVPacket& packet, int k) {
    if (k >= 50) packet.pts += 365LL * 86400 * 44100, packet.dts = packet.pts;
    return true;
  };
  const auto file = make(kMkv, {.sound_packet = jump});
  try {
    read_audio(in_memory(file));
    FAIL() << "a year of silence";
  } catch (const MediaError& error) {
    EXPECT_EQ(error.reason(), "too-large") << error.what();
  }
}

/// Loses the packets from `begin_s` to `end_s`, in units of the encoder.
PacketHook lose_between(double begin_s, double end_s, int per_second) {
  return [=](AVPacket& packet, int) {
    const auto time_s = static_cast<double>(packet.pts) / per_second;
    return time_s < begin_s || time_s >= end_s;
  };
}

TEST(OneClock, HoldsAfterALongHoleOfOneStream) {
  const Take take{.length_s = 20, .moment_s = 17};
  for (const auto& container : {kMp4, kMkv, kTs, kFlv}) {
    SCOPED_TRACE(container.muxer);
    auto without_sound = take;
    without_sound.sound_packet = lose_between(1.92, 13.92, container.rate_hz);
    const auto silent = read(make(container, without_sound));
    EXPECT_NEAR(silent.lag_s, 0, 0.02);
    EXPECT_EQ(silent.num_frames, 500);
    EXPECT_NEAR(silent.audio.filled_s, 12, 0.1);
    auto without_pictures = take;
    without_pictures.video_packet = lose_between(1.92, 13.92, 25);  // from key frame to key frame
    const auto still = read(make(container, without_pictures));
    EXPECT_NEAR(still.lag_s, 0, 0.02);
    EXPECT_EQ(still.num_frames, 500);
    EXPECT_LT(still.audio.filled_s, 0.01);
  }
}

TEST(OneClock, HoldsWhereBothStreamsOfABroadcastPause) {
  for (const double sound_s : {11.89, 11.98, 11.91}) {  // about ten seconds for both
    Take take{.length_s = 20, .moment_s = 17};
    take.sound_packet = lose_between(1.92, sound_s, kTs.rate_hz);
    take.video_packet = lose_between(1.92, 11.92, 25);
    EXPECT_NEAR(read(make(kTs, take)).lag_s, 0, 0.03) << sound_s;
  }
}

/// Overwrites the times of the first packet of one stream, at 90 kHz.
std::string with_first_time(std::string ts, char stream_id, std::uint64_t time) {
  const std::string start({'\0', '\0', '\1', stream_id});
  const auto at = ts.find(start);
  if (at == std::string::npos) throw std::runtime_error("no such stream");
  const bool has_dts = (ts[at + 7] & 0x40) != 0;
  for (std::size_t field = at + 9; field < at + (has_dts ? 19 : 14); field += 5) {
    ts[field] = static_cast<char>((ts[field] & 0xF1) | static_cast<char>(time >> 29 & 0x0E));
    ts[field + 1] = static_cast<char>(time >> 22);
    ts[field + 2] = static_cast<char>((time >> 14 & 0xFE) | 1);
    ts[field + 3] = static_cast<char>(time >> 7);
    ts[field + 4] = static_cast<char>((time << 1 & 0xFE) | 1);
  }
  return ts;
}

TEST(OneClock, HoldsWhereTheFirstTimeOfAStreamIsWrong) {
  const auto late = [](AVPacket& packet, int) {
    packet.pts += 5000LL * 48000, packet.dts += 5000LL * 48000;
    return true;
  };
  const auto late_picture = [](AVPacket& packet, int) {
    packet.pts += 5000LL * 25, packet.dts += 5000LL * 25;
    return true;
  };
  const auto file = make(kTs, {.sound_packet = late, .video_packet = late_picture});
  const auto want = read(file);
  ASSERT_NEAR(want.lag_s, 0, 0.02);
  for (const char stream : {'\xC0', '\xE0'}) {
    for (const std::uint64_t time_s : {0, 4500, 9000}) {
      SCOPED_TRACE(fmt::format("stream {:x}, {} s", static_cast<std::uint8_t>(stream), time_s));
      const auto result = read(with_first_time(file, stream, time_s * 90'000));
      EXPECT_NEAR(result.lag_s, want.lag_s, 0.05);
      EXPECT_EQ(result.num_frames, want.num_frames);
    }
  }
}

TEST(OneClock, ReadsJoinedRecordingsOn) {
  const auto quiet = make(kTs, {.length_s = 3, .moment_s = 99});
  const auto flash = make(kTs, {.length_s = 3, .moment_s = 1});
  const auto single = read(flash);
  for (const auto& file : {quiet + flash, quiet + quiet + flash}) {
    const auto result = read(file);
    EXPECT_NEAR(result.lag_s, single.lag_s, 0.005);
    EXPECT_EQ(result.num_frames, 75 * std::ssize(file) / std::ssize(flash));
    EXPECT_LE(result.damage.damaged, 2);  // where one recording ends in the middle of a packet
  }
}

TEST(OneClock, TakesNoPicturesOfTheRecordingBeforeForAReference) {
  const auto quiet = make(kTs, {.length_s = 3, .moment_s = 99});
  const auto flash = make(kTs, {.length_s = 3, .moment_s = 1});
  for (const std::size_t packets : {30U, 40U, 50U}) {  // the second one begins between key frames
    const auto result = read(quiet + flash.substr(188 * packets));
    EXPECT_NEAR(result.lag_s, 0, 0.02) << packets;
    EXPECT_LE(result.damage.damaged, 2) << packets;
  }
}

TEST(OneClock, TakesAPauseOfABroadcastForAHole) {
  VideoStreamSpec video{.codec = "mpeg2video",
                        .format = AV_PIX_FMT_YUV420P,
                        .width = 32,
                        .height = 32,
                        .colour = [](int) {
                          return std::vector<int>{40, 128, 128};
                        }};
  for (int t = 0; t < 50; ++t) video.times.push_back(t < 25 ? t : t + 100);
  const auto file = make_media("mpegts", {.video = video});
  EXPECT_EQ(read_video(in_memory(file)).num_frames, 150);
}

TEST(OneClock, BelievesNoHeaderThatIsWrongAboutTheDuration) {
  auto avi = make_media("avi", {.video = VideoStreamSpec{.times = regular_times(50)}});
  const auto header = avi.find("strh");
  ASSERT_NE(header, std::string::npos);
  for (const std::uint32_t length : {25U * 36'000, 3U, 0U}) {  // ten hours, nothing
    for (int i = 0; i < 4; ++i)
      avi[header + 8 + 32 + static_cast<std::size_t>(i)] = static_cast<char>(length >> (8 * i));
    EXPECT_EQ(read_video(in_memory(avi)).num_frames, 50) << length;
  }
}

/// An mp4 of 50 pictures of MPEG-4, each of them a key frame.
std::string key_frames() {
  return make_media("mp4",
                    {.video = VideoStreamSpec{.codec = "mpeg4",
                                              .format = AV_PIX_FMT_YUV420P,
                                              .width = 96,
                                              .height = 96,
                                              .times = regular_times(50),
                                              .colour =
                                                  [](int i) {
                                                    return std::vector<int>{60 + i, 128, 128};
                                                  },
                                              .gop_size = 0}});
}

TEST(Damage, OfAFewPicturesIsCountedAndForgiven) {
  const auto whole = key_frames();
  const auto data = whole.find("mdat") + 4;
  const auto per_frame = (whole.find("moov") - data) / 50;
  const auto spoil = [&](int frames) {
    auto damaged = whole;
    for (int i = 0; i < frames; ++i) {
      const auto at = data + (10 + 2 * static_cast<std::size_t>(i)) * per_frame + per_frame / 2;
      std::fill_n(damaged.begin() + static_cast<std::ptrdiff_t>(at), per_frame / 4, '\x55');
    }
    return damaged;
  };
  const auto read_damage = [](const std::string& file, double max_damaged) {
    VideoReader reader(in_memory(file), {.limits = {.max_damaged = max_damaged}});
    int frames = 0;
    while (reader.next()) ++frames;
    EXPECT_EQ(frames, 50);
    return reader.damage();
  };
  EXPECT_EQ(read_damage(whole, 0).damaged, 0);
  const auto few = read_damage(spoil(2), 0.1);
  EXPECT_GE(few.damaged, 1);
  EXPECT_LE(few.damaged, 4);
  EXPECT_EQ(few.of, 50);
  EXPECT_THROW(read_damage(spoil(2), 0), MediaError);
  EXPECT_THROW(read_damage(spoil(18), 0.1), MediaError);
  EXPECT_GE(read_damage(spoil(18), 1).damaged, 10);
}

TEST(Damage, OfAFewBlocksOfSoundIsAHole) {
  const auto spoil = [](int every) {
    return [every](AVPacket& packet, int k) {
      if (k % every == every - 1) std::fill_n(packet.data, packet.size, std::uint8_t{0xff});
      return true;
    };
  };
  const auto whole = read(make(kMkv, {}));
  const auto few = read(make(kMkv, {.sound_packet = spoil(40)}));
  EXPECT_NEAR(few.lag_s, 0, 0.02);
  EXPECT_GE(few.audio.damage.damaged, 3);
  EXPECT_NEAR(static_cast<double>(few.audio.samples.size()),
              static_cast<double>(whole.audio.samples.size()), 640);
  EXPECT_THROW(read(make(kMkv, {.sound_packet = spoil(3)})), MediaError);
}

TEST(Damage, AnMp4ThatWasCutAnywhereIsRefused) {
  const VideoStreamSpec video{.codec = "mpeg4",
                              .format = AV_PIX_FMT_YUV420P,
                              .width = 32,
                              .height = 32,
                              .times = regular_times(50),
                              .colour =
                                  [](int i) {
                                    return std::vector<int>{60 + i, 128, 128};
                                  },
                              .gop_size = 100};
  // One fragment: the index stands before the pictures.
  const auto mp4 = make_media(
      "mp4", {.video = video, .muxer_options = "movflags=empty_moov:frag_duration=10000000"});
  const auto begin = mp4.find("mdat") + 4, end = mp4.find("mfra") - 4;
  ASSERT_GT(end, begin + 50);
  ASSERT_EQ(mp4.find("mdat", begin), std::string::npos);
  for (auto size = begin + 1; size < end; ++size) {  // between two packets as well as within one
    try {
      read_video(in_memory(mp4.substr(0, size)));
      ADD_FAILURE() << "read although it ends at " << size - begin << " of " << end - begin;
    } catch (const MediaError& error) {
      EXPECT_EQ(error.reason(), "corrupt");
    }
  }
  EXPECT_EQ(read_video(in_memory(mp4.substr(0, end))).num_frames, 50);
}

}  // namespace
}  // namespace raven::media

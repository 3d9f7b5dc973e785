// Files that must not be decoded: too large, damaged, or a way to other files.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cstring>
#include <fstream>

#include "media/make_media.h"
#include "media/patterns.h"
#include "raven/core/error.h"
#include "raven/core/random.h"
#include "raven/media/audio_reader.h"
#include "raven/media/probe.h"
#include "raven/media/video_reader.h"
#include "support/temporary_folder.h"

namespace raven::media {
namespace {

template <class Call>
MediaError error_of(Call call) {
  try {
    call();
  } catch (const MediaError& error) {
    return error;
  }
  return MediaError("no error", "none");
}

MediaError video_error(const Source& source, const Limits& limits = {}) {
  return error_of([&] { read_video(source, {.limits = limits}); });
}

std::int64_t peak_memory_kib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

void put_le32(std::string& bytes, std::size_t at, std::uint32_t value) {
  for (int i = 0; i < 4; ++i)
    bytes[at + static_cast<std::size_t>(i)] = static_cast<char>(value >> (8 * i));
}

TEST(RefusedFiles, HeaderOfAHundredThousandPixelsCostsNoMemory) {
  auto avi = make_media("avi", {.video = VideoStreamSpec{.times = regular_times(3)}});
  const auto format =
      avi.find("strf");  // chunk: id, size, BITMAPINFOHEADER (size, width, height, ...)
  ASSERT_NE(format, std::string::npos);
  put_le32(avi, format + 12, 100'000);
  put_le32(avi, format + 16, 100'000);
  const auto before = peak_memory_kib();
  EXPECT_EQ(video_error(in_memory(avi)).reason(), "too-large");
  EXPECT_EQ(error_of([&] { probe(in_memory(avi)); }).reason(), "too-large");
  EXPECT_EQ(error_of([&] { read_audio(in_memory(avi)); }).reason(), "too-large");
  EXPECT_LT(peak_memory_kib() - before, 64 << 10);
}

TEST(RefusedFiles, BitstreamLargerThanItsHeaderSays) {
  auto mp4 = encode_mp4(drifting_clip(1, 1024, 1024).view());
  const auto entry = mp4.find("avc1", mp4.find("stsd"));
  ASSERT_NE(entry, std::string::npos);
  mp4[entry + 4 + 24] = mp4[entry + 4 + 26] = 0;  // width and height, big-endian: 96
  mp4[entry + 4 + 25] = mp4[entry + 4 + 27] = 96;
  EXPECT_EQ(probe(in_memory(mp4)).width, 1024);  // libav believes the bitstream
  const auto error = video_error(in_memory(mp4), {.max_width = 512, .max_height = 512});
  EXPECT_EQ(error.reason(), "too-large");
  EXPECT_NE(std::strstr(error.what(), "cannot decode"), nullptr) << "it was decoded, then refused";
}

TEST(RefusedFiles, MoreThanTheDurationAllowed) {
  const auto long_one = encode_mp4(drifting_clip(100, 16, 16).view());
  EXPECT_EQ(video_error(in_memory(long_one), {.max_duration_s = 3}).reason(), "too-large");
  EXPECT_EQ(video_error(in_memory(long_one), {.max_duration_s = 4}).reason(), "none");
  const auto live = make_media(
      "matroska", {.video = VideoStreamSpec{.time_base = {1, 1000}, .times = {0, 40, 20'000}},
                   .muxer_options = "live=1"});  // no duration in the header
  EXPECT_EQ(video_error(in_memory(live), {.max_duration_s = 10}).reason(), "too-large");
  EXPECT_EQ(video_error(in_memory(live)).reason(), "none");
}

TEST(RefusedFiles, MoreThanTheBytesAllowed) {
  const auto clip = encode_mp4(drifting_clip(100, 16, 16).view());
  EXPECT_EQ(video_error(in_memory(clip), {.max_decoded_bytes = 16 * 16 * 50}).reason(),
            "too-large");
  EXPECT_EQ(video_error(in_memory(clip), {.max_decoded_bytes = 16 * 16 * 100}).reason(), "none");
  const auto live = make_media(
      "matroska", {.video = VideoStreamSpec{.time_base = {1, 1000}, .times = {0, 3'000'000}},
                   .muxer_options = "live=1"});
  EXPECT_EQ(video_error(in_memory(live), {.max_decoded_bytes = 1 << 20}).reason(), "too-large");
}

TEST(RefusedFiles, MissingFolderPipeAndEmptyFile) {
  const TemporaryFolder folder;
  const auto path = [&](const char* name) { return folder.path() / name; };
  EXPECT_EQ(video_error(path("absent.mp4")).reason(), "missing");
  EXPECT_NE(std::strstr(video_error(path("absent.mp4")).what(), "absent.mp4"), nullptr);
  EXPECT_EQ(video_error(folder.path()).reason(), "missing");
  ASSERT_EQ(mkfifo(path("pipe.mp4").c_str(), 0600), 0);
  EXPECT_EQ(video_error(path("pipe.mp4")).reason(), "missing");  // does not wait for a writer
  std::ofstream(path("empty.mp4")).close();
  EXPECT_EQ(video_error(path("empty.mp4")).reason(), "empty");
  EXPECT_EQ(video_error(in_memory("")).reason(), "empty");
  EXPECT_EQ(video_error(std::filesystem::path("http://localhost/clip.mp4")).reason(), "missing");
}

TEST(RefusedFiles, PlaylistsThatNameAReadableClip) {
  const TemporaryFolder folder;
  const auto clip = folder.path() / "clip.mp4";
  std::ofstream(clip) << encode_mp4(drifting_clip(5, 16, 16).view());
  ASSERT_EQ(read_video(clip).num_frames, 5);
  const std::string name = clip.string();
  const std::pair<const char*, std::string> playlists[] = {
      {"list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n" + name + "\n#EXT-X-ENDLIST\n"},
      {"list.txt", "ffconcat version 1.0\nfile '" + name + "'\n"},
      {"list.sdp",
       "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5000 RTP/AVP 96\n"
       "a=rtpmap:96 H264/90000\n"},
      {"list.mpd",
       "<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\">"
       "<Period><AdaptationSet mimeType=\"video/mp4\"><Representation><BaseURL>" +
           name + "</BaseURL></Representation></AdaptationSet></Period></MPD>"},
      {"list.pls", "[playlist]\nFile1=" + name + "\n"},
      {"list.ffmeta", ";FFMETADATA1\ntitle=x\n"},
      {"list.srt", "1\n00:00:00,000 --> 00:00:01,000\nwords\n"}};
  for (const auto& [file, text] : playlists) {
    std::ofstream(folder.path() / file) << text;
    const bool known_to_libav = std::string_view(file) != "list.mpd";
    EXPECT_EQ(video_error(folder.path() / file).reason(),
              known_to_libav ? "unsupported" : "corrupt")
        << file;
    EXPECT_THROW(probe(folder.path() / file), MediaError) << file;
    EXPECT_THROW(read_audio(folder.path() / file), MediaError) << file;
  }
}

/// A small whole file. Of 60 cut anywhere and of 150 with up to eight bits flipped, how many must
/// be refused: about half of what FFmpeg 5.1 refuses. A reader that makes frames of anything would
/// refuse none.
struct GoodFile {
  std::string name, bytes;
  int cut_refused = 0, flipped_refused = 0;
};

/// Small files of the kinds that people have.
std::vector<GoodFile> good_files() {
  const auto luma = [](int i) { return std::vector<int>{50 + 5 * i, 100, 150}; };
  const VideoStreamSpec mpeg4{.codec = "mpeg4",
                              .format = AV_PIX_FMT_YUV420P,
                              .width = 32,
                              .height = 32,
                              .times = regular_times(12),
                              .colour = luma};
  const AudioStreamSpec aac{.codec = "aac", .format = AV_SAMPLE_FMT_FLTP, .num_samples = 8000};
  const auto sound = sine(4000, 300, 16000);
  return {{"clip.mp4", encode_mp4(drifting_clip(12, 32, 32).view()), 30, 35},
          {"sound.mp4", make_media("mp4", {.video = mpeg4, .audio = aac}), 25, 35},
          {"clip.avi", make_media("avi", {.video = VideoStreamSpec{.times = regular_times(12)}}),
           28, 5},
          {"clip.mkv", make_media("matroska", {.video = mpeg4, .audio = aac}), 15, 25},
          {"clip.ts", make_media("mpegts", {.video = mpeg4, .audio = aac}), 7, 3},
          {"sound.wav", encode_wav(sound), 14, 3},
          {"sound.flac", encode_flac(sound), 29, 75}};
}

/// Reads all that a file may hold. Anything but MediaError is a failure of the test. Returns
/// whether the picture or, of a file without one, the sound was refused.
bool read_all(const std::string& bytes, const std::string& name) {
  const Limits limits{
      .max_width = 1024, .max_height = 1024, .max_duration_s = 60, .max_decoded_bytes = 32 << 20};
  const auto refused = [&](auto call) {
    try {
      call();
      return false;
    } catch (const MediaError& error) {
      EXPECT_NE(std::strstr(error.what(), name.c_str()), nullptr) << error.what();
      return true;
    }
  };
  const auto source = in_memory(bytes, name);
  refused([&] { probe(source, limits); });
  const bool sound_refused = refused([&] { read_audio(source, {.limits = limits}); });
  const bool picture_refused = refused([&] {
    const auto frames = read_video(source, {.limits = limits});
    EXPECT_LE(frames.pixels.size(), limits.max_decoded_bytes);
    EXPECT_EQ(static_cast<std::int64_t>(frames.pixels.size()),
              frames.num_frames * frames.height * frames.width);
  });
  return name.starts_with("sound.") && name != "sound.mp4" ? sound_refused : picture_refused;
}

TEST(DamagedFiles, TruncatedAnywhereEndInFramesOrMediaError) {
  for (const auto& [name, bytes, cut_refused, flipped_refused] : good_files()) {
    Random random(mix_seed({7, bytes.size()}));
    int num_refused = 0;
    for (int i = 0; i < 60; ++i) {
      const auto length = random.below(static_cast<std::int64_t>(bytes.size()));
      num_refused += read_all(bytes.substr(0, static_cast<std::size_t>(length)), name) ? 1 : 0;
    }
    EXPECT_GE(num_refused, cut_refused) << name;
  }
}

TEST(DamagedFiles, FlippedBitsEndInFramesOrMediaError) {
  for (const auto& [name, bytes, cut_refused, flipped_refused] : good_files()) {
    int num_refused = 0;
    for (std::uint64_t seed = 0; seed < 150; ++seed) {
      Random random(mix_seed({seed, bytes.size()}));
      auto damaged = bytes;
      const auto flips = 1 + random.below(8);
      // Half of the damage goes to the first 2000 bytes, where most headers are.
      const auto end = static_cast<std::int64_t>(
          seed % 2 == 0 ? bytes.size() : std::min<std::size_t>(bytes.size(), 2000));
      for (std::int64_t k = 0; k < flips; ++k) {
        damaged[static_cast<std::size_t>(random.below(end))] ^=
            static_cast<char>(1 << random.below(8));
      }
      num_refused += read_all(damaged, name) ? 1 : 0;
    }
    EXPECT_GE(num_refused, flipped_refused) << name;
  }
}

TEST(DamagedFiles, CutMp4IsReportedAsCorrupt) {
  const auto mp4 = encode_mp4(drifting_clip(30, 32, 32).view());
  EXPECT_EQ(video_error(in_memory(mp4.substr(0, mp4.size() / 2))).reason(), "corrupt");
  EXPECT_EQ(video_error(in_memory(std::string(5000, 'x'))).reason(), "corrupt");
}

TEST(DamagedFiles, PatchedUpPicturesAreReported) {
  const auto mp4 = encode_mp4(drifting_clip(12, 96, 96).view());
  const auto data = static_cast<std::int64_t>(mp4.find("mdat")) + 1000;
  int num_patched = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Random random(seed);
    auto damaged = mp4;
    const auto at = data + random.below(static_cast<std::int64_t>(mp4.size()) - data);
    damaged[static_cast<std::size_t>(at)] ^= static_cast<char>(1 << random.below(8));
    const auto error = video_error(in_memory(damaged));
    if (std::strstr(error.what(), "damaged data") != nullptr) ++num_patched;
  }
  EXPECT_GT(num_patched, 0);
}

TEST(DamagedFiles, ChecksumsOfLosslessFilesAreHeeded) {
  const auto sound = sine(20'000, 300, 16000);
  const auto flac = encode_flac(sound);
  const auto expected = read_audio(in_memory(flac)).samples;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Random random(seed);
    auto damaged = flac;
    const auto at = 100 + random.below(static_cast<std::int64_t>(flac.size()) - 100);
    damaged[static_cast<std::size_t>(at)] ^= static_cast<char>(1 << random.below(8));
    EXPECT_THROW(read_audio(in_memory(damaged), {.limits = {.max_damaged = 0}}), MediaError)
        << seed;
  }
}

}  // namespace
}  // namespace raven::media

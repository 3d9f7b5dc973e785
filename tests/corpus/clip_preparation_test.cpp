#include "raven/corpus/clip_preparation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "corpus/make_corpus.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/corpus/npy.h"
#include "raven/media/audio_reader.h"
#include "raven/media/video_reader.h"
#include "support/temporary_folder.h"

namespace raven::corpus {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

class ClipPreparation : public testing::Test {
 protected:
  PreparedClip prepare(const TestClip& clip = {}) {
    write_clip(folder(), "a.avi", clip);
    return prepare_written();
  }
  PreparedClip prepare_written() {
    return prepare_clip(list_clips(folder(), Layout::kFolder).at(0), options);
  }
  [[nodiscard]] const fs::path& folder() const { return temporary_.path(); }
  [[nodiscard]] fs::path landmarks() const { return folder() / "landmarks/a.npy"; }

  ClipOptions options{.format = StorageFormat::kRaw};

 private:
  TemporaryFolder temporary_;
};

/// Values of the frames of a raw utterance, each of one colour over the middle of the crop.
std::vector<int> shades(const PreparedUtterance& utterance) {
  const auto array = parse_npy(bytes_of(utterance.video), "video");
  EXPECT_EQ(array.descr, "|u1");
  EXPECT_EQ(array.shape, (std::vector<std::int64_t>{utterance.frames, 96, 96}));
  std::vector<int> values;
  for (std::int64_t t = 0; t < utterance.frames; ++t) {
    values.push_back(
        std::to_integer<int>(array.data[static_cast<std::size_t>(t * 96 * 96 + 30 * 96 + 48)]));
  }
  return values;
}

TEST_F(ClipPreparation, MakesCropsSoundAndText) {
  const auto prepared = prepare({.frames = 20, .shade = 7, .text = "Text:  HELLO WORLD\n"});
  EXPECT_EQ(prepared.verdict, "ok");
  EXPECT_EQ(prepared.message, "");
  ASSERT_EQ(prepared.utterances.size(), 1U);
  const auto& utterance = prepared.utterances[0];
  EXPECT_EQ(utterance.id, "a");
  EXPECT_EQ(utterance.frames, 20);
  EXPECT_EQ(utterance.text, "HELLO WORLD");
  const auto values = shades(utterance);
  for (std::size_t i = 0; i < values.size(); ++i) EXPECT_EQ(values[i], 7 + 2 * static_cast<int>(i));
  const auto audio = media::read_audio({bytes_of(utterance.audio), "audio"});
  ASSERT_EQ(audio.samples.size(), 20U * 640U);
  EXPECT_EQ(audio.source_sample_rate_hz, 16000);
  EXPECT_NEAR(audio.samples[0], -1, 1e-4);
  EXPECT_NEAR(audio.samples[6400], 0, 1e-4);
}

TEST_F(ClipPreparation, MakesH264ThatShowsTheSame) {
  options.format = StorageFormat::kH264;
  const auto prepared = prepare();
  ASSERT_EQ(prepared.utterances.size(), 1U) << prepared.message;
  const auto video = media::read_video({bytes_of(prepared.utterances[0].video), "video"});
  ASSERT_EQ(video.num_frames, 20);
  EXPECT_EQ(video.height, 96);
  EXPECT_EQ(video.width, 96);
  for (std::int64_t t = 0; t < 20; ++t) {
    EXPECT_NEAR(video.pixels[static_cast<std::size_t>(t * 96 * 96 + 30 * 96 + 48)],
                2.0 * static_cast<double>(t), 3);
  }
}

TEST_F(ClipPreparation, GivesTheSameBytesAgain) {
  for (const auto format : {StorageFormat::kH264, StorageFormat::kRaw}) {
    options.format = format;
    const auto first = prepare();
    const auto second = prepare_written();
    EXPECT_TRUE(first.utterances.at(0).video == second.utterances.at(0).video);
    EXPECT_TRUE(first.utterances.at(0).audio == second.utterances.at(0).audio);
  }
}

TEST_F(ClipPreparation, CutsLongClipsWithTheirSound) {
  options.segments = {.min_frames = 5, .max_frames = 25};
  const auto prepared = prepare({.frames = 60,
                                 .text = "Text: A B C\nWORD START END ASDSCORE\n"
                                         "A 0.0 0.6 1\nB 1.0 1.6 1\nC 1.8 2.2 1\n"});
  ASSERT_EQ(prepared.utterances.size(), 3U);
  EXPECT_THAT(prepared.message, HasSubstr("cut into 3 pieces"));
  const std::vector<std::int64_t> frames = {20, 22,
                                            18};  // pauses at 0.8 and 1.7 s, to the nearest frame
  std::int64_t first = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    const auto& utterance = prepared.utterances[i];
    EXPECT_NEAR(static_cast<double>(utterance.frames), static_cast<double>(frames[i]), 1);
    EXPECT_EQ(utterance.id, "a_0" + std::to_string(i));
    EXPECT_EQ(utterance.text, std::string(1, static_cast<char>('A' + i)));
    EXPECT_EQ(shades(utterance).front(), 2 * first);
    const auto audio = media::read_audio({bytes_of(utterance.audio), "audio"});
    ASSERT_EQ(audio.samples.size(), static_cast<std::size_t>(utterance.frames) * 640);
    EXPECT_NEAR(audio.samples[0], -1 + 2 * static_cast<double>(first) / 60, 1e-3);
    first += utterance.frames;
  }
}

TEST_F(ClipPreparation, SaysWhenTextIsLost) {
  options.segments = {.min_frames = 5, .max_frames = 25};
  const auto prepared = prepare({.frames = 60, .text = "what was said"});
  EXPECT_EQ(prepared.utterances.size(), 3U);
  EXPECT_EQ(prepared.utterances.at(0).text, "");
  EXPECT_THAT(prepared.message, HasSubstr("without text"));
}

TEST_F(ClipPreparation, ConvertsOtherFrameRatesAndSaysSo) {
  // 50 frames per second, 68 faces for 68 frames: every second one is shown.
  const auto prepared = prepare({.frames = 68, .rate_hz = 50});
  ASSERT_EQ(prepared.utterances.size(), 1U) << prepared.message;
  EXPECT_EQ(prepared.utterances[0].frames, 34);
  EXPECT_THAT(prepared.message, HasSubstr("50 frames per second converted to 25"));
  const auto values = shades(prepared.utterances[0]);
  EXPECT_EQ(values[10], 42);  // the last one that starts at or before 10.5 / 25 s
}

TEST_F(ClipPreparation, TakesLandmarksMadeAfterTheConversion) {
  const auto prepared = prepare({.frames = 68, .rate_hz = 50, .landmark_frames = 34});
  EXPECT_EQ(prepared.verdict, "ok") << prepared.message;
}

TEST_F(ClipPreparation, FillsMissingFacesAndSaysSo) {
  const auto prepared = prepare({.frames = 20, .missing_face = 3});
  EXPECT_EQ(prepared.verdict, "ok");
  EXPECT_THAT(prepared.message, HasSubstr("1 frames without a face filled"));
}

TEST_F(ClipPreparation, UsesTheShorterOfVideoAndLandmarks) {
  const auto fewer = prepare({.frames = 20, .landmark_frames = 18});
  EXPECT_EQ(fewer.verdict, "ok");
  EXPECT_EQ(fewer.utterances.at(0).frames, 18);
  EXPECT_THAT(fewer.message, HasSubstr("landmarks of 18 frames, video of 20"));
  const auto more = prepare({.frames = 20, .landmark_frames = 22});
  EXPECT_EQ(more.utterances.at(0).frames, 20);
}

TEST_F(ClipPreparation, RefusesLandmarksOfAnotherLength) {
  for (const std::int64_t count : {17, 23, 200}) {
    const auto prepared = prepare({.frames = 20, .landmark_frames = count});
    EXPECT_EQ(prepared.verdict, "landmarks") << count;
    EXPECT_THAT(prepared.message,
                HasSubstr(std::to_string(count) + " frames, but the video has 20"));
    EXPECT_TRUE(prepared.utterances.empty());
  }
}

TEST_F(ClipPreparation, NamesWhatIsMissing) {
  EXPECT_EQ(prepare({.has_landmarks = false}).verdict, "missing-landmarks");
  EXPECT_EQ(prepare({.has_audio = false}).verdict, "no-audio");
  EXPECT_EQ(prepare({.has_video = false}).verdict, "no-video");
  EXPECT_EQ(prepare({.frames = 11}).verdict, "short");
  options.segments.min_frames = 11;
  EXPECT_EQ(prepare({.frames = 11}).verdict, "ok");
}

TEST_F(ClipPreparation, CallsDamagedFilesByName) {
  write_clip(folder(), "a.avi");
  const auto whole = read_file(landmarks());
  write_bytes(landmarks(), whole.substr(0, 500));
  EXPECT_EQ(prepare_written().verdict, "corrupt");
  EXPECT_THAT(prepare_written().message, HasSubstr("a.npy"));
  write_bytes(landmarks(), landmark_file(1, 0));
  EXPECT_EQ(prepare_written().verdict, "no-face");
  write_bytes(landmarks(), whole);
  write_bytes(folder() / "a.txt", "Text: caf\xE9");
  EXPECT_EQ(prepare_written().verdict, "text");
  fs::remove(folder() / "a.txt");
  write_bytes(folder() / "a.avi", "");
  EXPECT_NE(prepare_written().verdict, "ok");
  write_bytes(folder() / "a.avi", std::string(5000, 'x'));
  EXPECT_EQ(prepare_written().verdict, "corrupt");
  EXPECT_THAT(prepare_written().message, HasSubstr("a.avi"));
}

TEST_F(ClipPreparation, SurvivesTruncationAtAnyPlace) {
  write_clip(folder(), "a.avi");
  const auto whole = read_file(folder() / "a.avi");
  for (std::size_t length = 0; length < whole.size(); length += whole.size() / 23) {
    write_bytes(folder() / "a.avi", whole.substr(0, length));
    const auto prepared = prepare_written();
    if (length < whole.size() * 4 / 5) {  // later, only a frame or an index is lost
      EXPECT_NE(prepared.verdict, "ok") << length;
      EXPECT_FALSE(prepared.message.empty());
    }
  }
}

TEST_F(ClipPreparation, WritesMessagesOnOneLine) {
  write_clip(folder(), "line\nbreak.avi", {.has_landmarks = false});
  const auto prepared = prepare_written();
  EXPECT_THAT(prepared.message, HasSubstr("line%0Abreak.npy"));
  EXPECT_EQ(prepared.message.find('\n'), std::string::npos);
}

}  // namespace
}  // namespace raven::corpus

#include "synth/corpus.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>
#include <set>
#include <sstream>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/media/audio_reader.h"
#include "raven/media/video_reader.h"
#include "support/temporary_folder.h"

namespace raven::synth {
namespace {

/// The points of an .npy file, (frames, 68, 2).
std::vector<float> read_npy(const std::filesystem::path& file, std::int64_t frames) {
  const auto bytes = read_file(file);
  const auto shape = "'shape': (" + std::to_string(frames) + ", 68, 2)";
  EXPECT_NE(bytes.find(shape), std::string::npos) << bytes.substr(0, 128);
  std::vector<float> values(static_cast<std::size_t>(frames) * 68 * 2);
  EXPECT_EQ(bytes.size() % 64, values.size() * sizeof(float) % 64);
  EXPECT_GE(bytes.size(), values.size() * sizeof(float));
  std::memcpy(values.data(), bytes.data() + bytes.size() - values.size() * sizeof(float),
              values.size() * sizeof(float));
  return values;
}

/// Loudness of each frame's samples below about 1 kHz, in decibels.
std::vector<double> loudness(const std::vector<float>& samples, std::int64_t frames) {
  std::vector<double> result;
  double low = 0;
  for (std::int64_t frame = 0; frame < frames; ++frame) {
    double energy = 1e-7;
    for (std::int64_t i = 640 * frame; i < 640 * (frame + 1); ++i) {
      low += 0.3 * (samples[static_cast<std::size_t>(i)] - low);
      energy += low * low;
    }
    result.push_back(10 * std::log10(energy));
  }
  return result;
}

/// Sums for a correlation over several clips.
struct Correlation {
  double n = 0, x = 0, y = 0, xx = 0, yy = 0, xy = 0;
  void add(double a, double b) { n += 1, x += a, y += b, xx += a * a, yy += b * b, xy += a * b; }
  [[nodiscard]] double value() const {
    return (n * xy - x * y) / std::sqrt((n * xx - x * x) * (n * yy - y * y));
  }
};

TEST(Corpus, FilesHoldOneClipInSync) {
  const TemporaryFolder folder;
  const auto options = resolved({.out = folder.path(), .utterances = 60, .speakers = 3});
  UtteranceMaker maker(options);
  std::array<Correlation, 7> by_shift;  // -3 to 3 frames
  for (std::int64_t number = 0; number < 6; ++number) {
    const auto plan = plan_utterance(options, number);
    const auto cost = maker.make(plan);
    const auto files = files_of(options, plan);
    ASSERT_TRUE(files.complete());
    const auto video = media::read_video(files.video);
    EXPECT_EQ(video.num_frames, cost.frames);
    EXPECT_EQ(video.height, 224);
    EXPECT_EQ(video.width, 224);
    auto audio = media::read_audio(files.video).samples;
    EXPECT_GE(std::ssize(audio), 640 * cost.frames);
    EXPECT_LT(std::ssize(audio), 640 * cost.frames + 1100);  // AAC fills its last block
    media::fit_to_frames(audio, cost.frames);

    const auto points = read_npy(files.landmarks, cost.frames);
    const auto levels = loudness(audio, cost.frames);
    for (std::int64_t frame = 3; frame + 3 < cost.frames; ++frame) {
      const auto y = [&](std::int64_t point) {
        return points[static_cast<std::size_t>((frame * 68 + point) * 2 + 1)];
      };
      for (std::int64_t shift = -3; shift <= 3; ++shift) {
        by_shift[static_cast<std::size_t>(shift + 3)].add(
            y(66) - y(62), levels[static_cast<std::size_t>(frame + shift)]);
      }
    }
  }
  const auto best =
      std::max_element(by_shift.begin(), by_shift.end(),
                       [](const auto& a, const auto& b) { return a.value() < b.value(); });
  EXPECT_LE(std::abs(best - by_shift.begin() - 3), 1);
  EXPECT_GT(best->value(), 0.4);
}

TEST(Corpus, TellsThePhonemesOfAllUtterancesByTheirIds) {
  const TemporaryFolder folder;
  const auto options = resolved({.out = folder.path(), .utterances = 2, .speakers = 1});
  UtteranceMaker maker(options);
  const auto plans = plan_corpus(options);
  std::map<std::string, double> end_of;  // as the film has it
  for (const auto& plan : plans) {
    const auto cost = maker.make(plan);
    end_of[plan.split + "/syn00000/" + plan.name()] =
        static_cast<double>(cost.frames) / kFramesPerSecond;
  }
  write_phonemes(options, plans);
  std::istringstream lines(read_file(folder.path() / "phonemes.tsv"));
  std::string line;
  std::getline(lines, line);
  EXPECT_EQ(line, "id\tbegin_s\tend_s\tlabel");
  std::map<std::string, double> so_far;
  std::set<std::string> labels;
  std::string id, label;
  for (double begin_s = 0, end_s = 0; lines >> id >> begin_s >> end_s >> label;) {
    EXPECT_EQ(begin_s, so_far[id]) << id;
    so_far[id] = end_s;
    labels.insert(label);
  }
  EXPECT_EQ(so_far, end_of);
  EXPECT_GT(labels.size(), 10U);
}

TEST(Corpus, TestSpeakersAreHeardNowhereElse) {
  const auto options =
      resolved({.out = "x", .utterances = 1000, .speakers = 10, .speaker_offset = 100});
  std::set<std::int64_t> training, test;
  std::map<std::string, int> sizes;
  for (const auto& plan : plan_corpus(options)) {
    (plan.split == "test" ? test : training).insert(plan.speaker);
    ++sizes[plan.split];
  }
  EXPECT_EQ(training, (std::set<std::int64_t>{100, 101, 102, 103, 104, 105, 106, 107}));
  EXPECT_EQ(test, (std::set<std::int64_t>{108, 109}));
  EXPECT_EQ(sizes,
            (std::map<std::string, int>{{"pretrain", 600}, {"test", 100}, {"trainval", 300}}));
}

TEST(Corpus, RefusesValuesOutOfRange) {
  const auto message = [](CorpusOptions options) -> std::string {
    try {
      resolved(std::move(options));
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_NE(message({.out = "x", .utterances = 0}).find("--utterances is 0"), std::string::npos);
  EXPECT_NE(message({.out = "x", .speakers = 3, .test_speakers = 3}).find("--test-speakers is 3"),
            std::string::npos);
  EXPECT_NE(message({.out = "x", .crf = 52}).find("--crf is 52"), std::string::npos);
  EXPECT_EQ(message({.out = "x", .utterances = 1, .speakers = 1}), "");
}

}  // namespace
}  // namespace raven::synth

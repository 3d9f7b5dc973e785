#include "synth/clip.h"

#include <gtest/gtest.h>

#include "synth/corpus.h"

namespace raven::synth {
namespace {

TEST(Clip, HasWholeFramesOfSamplesAroundTheSpeech) {
  SpeechServer server;
  Random random(11);
  for (int i = 0; i < 5; ++i) {
    const auto sentence = make_sentence(Kind::kMix, random);
    const auto clip = make_clip(sentence, {}, server, random);
    EXPECT_EQ(std::ssize(clip.samples), 640 * clip.num_frames());
    EXPECT_GE(clip.lead_s, 0.12);
    const double duration_s = static_cast<double>(clip.num_frames()) / 25;
    EXPECT_LE(clip.lead_s + clip.phones.back().end_s, duration_s);
    ASSERT_EQ(clip.words.size(), sentence.words.size());
    double last_s = clip.lead_s;
    for (const auto& word : clip.words) {
      EXPECT_GE(word.start_s, last_s - 1e-9) << word.word;
      EXPECT_GT(word.end_s, word.start_s) << word.word;
      last_s = word.end_s;
    }
    EXPECT_LE(last_s, duration_s);
  }
}

TEST(Clip, WordsSpokenAsOneShareItsTime) {
  // "in the dark": espeak-ng gives one entry to "in the", at the first character of "in".
  const Sentence sentence{{"SAT", "IN", "THE", "DARK"}, "sat in the dark"};
  Speech speech;
  speech.words = {{1, 0.0, 0.4}, {5, 0.4, 0.6}, {12, 0.6, 1.0}};
  const auto times = align_words(sentence, speech);
  ASSERT_EQ(times.size(), 4U);
  EXPECT_EQ(times[0].end_s, 0.4);
  EXPECT_EQ(times[1].start_s, 0.4);
  EXPECT_NEAR(times[1].end_s, 0.5, 1e-12);
  EXPECT_NEAR(times[2].start_s, 0.5, 1e-12);
  EXPECT_NEAR(times[2].end_s, 0.6, 1e-12);
  EXPECT_EQ(times[3].word, "DARK");
  EXPECT_EQ(times[3].end_s, 1.0);
}

TEST(Clip, PhonemesCoverTheWholeClip) {
  Clip clip;
  clip.samples.resize(20 * kSamplesPerFrame);  // 0.8 s
  clip.lead_s = 0.25;
  clip.phones = {{"b", 0, 0.1}, {"I2", 0.1, 0.25}, {"_:", 0.25, 0.3}, {"n", 0.35, 0.4}};
  EXPECT_EQ(phonemes_file(clip),
            "begin_s\tend_s\tlabel\n"
            "0.000000\t0.250000\t_\n"
            "0.250000\t0.350000\tb\n"
            "0.350000\t0.500000\tI2\n"
            "0.500000\t0.550000\t_\n"
            "0.550000\t0.600000\t_\n"
            "0.600000\t0.650000\tn\n"
            "0.650000\t0.800000\t_\n");
}

TEST(Clip, TextFileIsLrs3s) {
  Clip clip;
  clip.words = {{"BIN", 0.25, 0.5}, {"BLUE", 0.5, 0.875}};
  EXPECT_EQ(text_file(clip),
            "Text:  BIN BLUE\n"
            "Conf:  5\n"
            "\n"
            "WORD START END ASDSCORE\n"
            "BIN 0.25 0.50 10.0\n"
            "BLUE 0.50 0.88 10.0\n");
}

}  // namespace
}  // namespace raven::synth

#include "synth/speech.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <set>

#include "raven/core/error.h"
#include "synth/sentences.h"
#include "synth/speaker.h"
#include "synth/visemes.h"

namespace raven::synth {
namespace {

TEST(Speech, SaysTheSameAgain) {
  SpeechServer server, other;
  const auto first = server.say("bin blue at f two now", {.name = "en-us+f3"});
  server.say("something else in between", {.name = "en-us+klatt"});
  EXPECT_EQ(server.say("bin blue at f two now", {.name = "en-us+f3"}).samples, first.samples);
  EXPECT_EQ(other.say("bin blue at f two now", {.name = "en-us+f3"}).samples, first.samples);
}

TEST(Speech, PhonesFollowEachOtherToTheEnd) {
  SpeechServer server;
  const auto speech = server.say("place white by q nine soon", {});
  ASSERT_GT(speech.phones.size(), 15U);
  for (std::size_t i = 0; i + 1 < speech.phones.size(); ++i) {
    EXPECT_EQ(speech.phones[i].end_s, speech.phones[i + 1].start_s);
    EXPECT_LE(speech.phones[i].start_s, speech.phones[i].end_s);
  }
  const double duration_s = static_cast<double>(speech.samples.size()) / 16000;
  EXPECT_NEAR(speech.phones.back().end_s, duration_s, 0.005);
  EXPECT_EQ(speech.words.size(), 6U);
}

TEST(Speech, EveryPhonemeOfEveryGrammarHasAMouthShape) {
  SpeechServer server;
  std::set<std::string> unknown;
  for (const auto kind : {Kind::kGrid, Kind::kDigits, Kind::kOpen}) {
    Random random(static_cast<std::uint64_t>(kind));
    for (int i = 0; i < 60; ++i) {
      const auto voice = Speaker::random(9, i).voice;
      for (const auto& phone : server.say(make_sentence(kind, random).spoken, voice).phones) {
        if (find_phoneme(phone.mnemonic) == nullptr) unknown.insert(phone.mnemonic);
      }
    }
  }
  EXPECT_TRUE(unknown.empty()) << unknown.size() << " unknown, the first is '" << *unknown.begin()
                               << "'";
}

TEST(Speech, RefusesAnUnknownVoiceAndGoesOn) {
  SpeechServer server;
  try {
    server.say("seven", {.name = "xx-nobody"});
    FAIL() << "the voice was accepted";
  } catch (const DataError& error) {
    EXPECT_EQ(error.reason(), "no-voice");
    EXPECT_NE(std::string(error.what()).find("xx-nobody"), std::string::npos);
  }
  EXPECT_GT(server.say("seven", {}).samples.size(), 4000U);
}

TEST(Speech, ResamplingKeepsDurationAndPitch) {
  constexpr double kPitch = 440;
  std::vector<std::int16_t> tone(22050);
  for (std::size_t i = 0; i < tone.size(); ++i) {
    tone[i] = static_cast<std::int16_t>(
        10000 * std::sin(2 * std::numbers::pi * kPitch * static_cast<double>(i) / 22050));
  }
  const auto resampled = resample_to_16k(tone, 22050);
  EXPECT_NEAR(static_cast<double>(resampled.size()), 16000, 2);
  double worst = 0;  // away from the ends, where the filter sees silence
  for (std::size_t i = 500; i < 15500; ++i) {
    const double expected =
        10000 * std::sin(2 * std::numbers::pi * kPitch * static_cast<double>(i) / 16000);
    worst = std::max(worst, std::abs(resampled[i] - expected));
  }
  EXPECT_LT(worst, 50);
}

}  // namespace
}  // namespace raven::synth

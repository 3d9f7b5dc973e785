#include "raven/data/noise.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <fstream>
#include <set>
#include <thread>

#include "raven/core/error.h"
#include "raven/media/media_writer.h"
#include "support/logged.h"
#include "support/temporary_folder.h"

namespace raven::data {
namespace {

using config::NoiseKind;
using testing::HasSubstr;

std::vector<float> sine(std::size_t count, double amplitude, double period = 40) {
  std::vector<float> samples(count);
  for (std::size_t n = 0; n < count; ++n) {
    samples[n] = static_cast<float>(
        amplitude * std::sin(2 * std::numbers::pi * static_cast<double>(n) / period));
  }
  return samples;
}

/// 10 log10 of the power of `clean` over that of what was added to it.
double ratio_db(const std::vector<float>& clean, const std::vector<float>& noisy) {
  std::vector<float> noise(clean.size());
  for (std::size_t n = 0; n < clean.size(); ++n) noise[n] = noisy[n] - clean[n];
  return 10 * std::log10(mean_power(clean) / mean_power(noise));
}

Utterance utterance(const std::string& id, const std::string& speaker) {
  Utterance u;
  u.id = id;
  u.speaker = speaker;
  u.frames = 10;
  return u;
}

/// Ids "a1", "a2", "b1", ... of the speakers "a", "b", ..., `each` utterances of every one.
Manifest speakers(const std::string& names, int each) {
  Manifest manifest;
  manifest.file = "list.tsv";
  for (const char name : names) {
    for (int k = 1; k <= each; ++k) {
      manifest.utterances.push_back(
          utterance(std::string(1, name) + std::to_string(k), std::string(1, name)));
    }
  }
  return manifest;
}

/// An utterance sounds like noise of its own.
std::vector<float> own_sound(const Utterance& u) {
  Random random(std::hash<std::string>{}(u.id));
  auto samples = white_noise(u.frames * 640, random);
  for (auto& x : samples) x *= 0.1F;
  return samples;
}

std::vector<float> no_sound(const Utterance&) { return {}; }

TEST(MixAtSnr, FollowsTheFormula) {
  // Power of the speech 0.5 * 0.2^2 = 0.02, of the noise 1: at 3 dB, g^2 = 0.02 * 10^-0.3.
  const auto clean = sine(4000, 0.2);
  auto noisy = clean;
  const std::vector<float> noise(4000, 1.0F);
  ASSERT_TRUE(mix_at_snr(noisy, noise, 3));
  EXPECT_NEAR(noisy[0], std::sqrt(0.02 * std::pow(10, -0.3)), 1e-6);
  for (const double snr : {-15.0, 0.0, 7.5, 60.0}) {
    noisy = clean;
    ASSERT_TRUE(mix_at_snr(noisy, noise, snr));
    EXPECT_NEAR(ratio_db(clean, noisy), snr, 0.01) << snr;
  }
}

TEST(MixAtSnr, LeavesSilenceAlone) {
  std::vector<float> silent(640, 0.0F), noise(640, 0.5F);
  EXPECT_FALSE(mix_at_snr(silent, noise, 0));
  EXPECT_EQ(mean_power(silent), 0);
  auto speech = sine(640, 0.1);
  const auto clean = speech;
  EXPECT_FALSE(mix_at_snr(speech, std::vector<float>(640, 0.0F), 0));
  EXPECT_EQ(speech, clean);
  EXPECT_FALSE(mix_at_snr({}, {}, 0));
}

TEST(PinkNoise, LosesThreeDecibelsEachOctave) {
  Random random(5);
  constexpr std::int64_t kLength = 1 << 18;
  const auto noise = pink_noise(kLength, random);
  EXPECT_NEAR(mean_power(noise), 1, 0.2);
  const auto spectrum = torch::fft::rfft(torch::tensor(noise)).abs().square();
  const auto band = [&](std::int64_t low) {  // power from `low` to twice that, in bins
    return spectrum.narrow(0, low, low).sum().item<double>();
  };
  // Power that is inverse to frequency is the same in every octave.
  for (std::int64_t low = 512; low < kLength / 4; low *= 2) {
    EXPECT_NEAR(10 * std::log10(band(low) / band(8192)), 0, 1.0) << low;
  }
}

TEST(WhiteNoise, IsEquallyStrongEverywhere) {
  Random random(6);
  const auto noise = white_noise(1 << 16, random);
  EXPECT_NEAR(mean_power(noise), 1, 0.03);
  const auto spectrum = torch::fft::rfft(torch::tensor(noise)).abs().square();
  const auto low = spectrum.narrow(0, 0, 1 << 14).sum().item<double>();
  const auto high = spectrum.narrow(0, 1 << 14, 1 << 14).sum().item<double>();
  EXPECT_NEAR(low / high, 1, 0.05);
}

TEST(NoiseSource, EveryKindHoldsTheRatio) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "hum.wav";
  std::ofstream(file) << media::encode_wav(sine(16000, 0.3, 17));  // shorter than the utterance
  for (const auto kind :
       {NoiseKind::kWhite, NoiseKind::kPink, NoiseKind::kBabble, NoiseKind::kFile}) {
    for (const double snr : {-10.0, 0.0, 20.0}) {
      const NoiseSource source({.kind = kind, .snr_db = snr, .file = file.string()},
                               speakers("abc", 2));
      const auto clean = sine(19200, 0.1);
      auto noisy = clean;
      Random random(1, 0, 0, Draw::kNoise);
      source.mix(utterance("a1", "a"), noisy, random, own_sound);
      EXPECT_NEAR(ratio_db(clean, noisy), snr, 0.01) << config::enum_name(kind);
    }
  }
}

TEST(NoiseSource, FollowsFromItsStreamInAnyThread) {
  for (const auto kind : {NoiseKind::kWhite, NoiseKind::kPink, NoiseKind::kBabble}) {
    const NoiseSource source({.kind = kind, .snr_db = 0, .max_snr_db = 20, .prob = 0.7},
                             speakers("abc", 3));
    constexpr std::uint64_t kItems = 12;
    const auto mixed = [&](std::uint64_t epoch, std::uint64_t item) {
      auto samples = sine(6400, 0.1);
      Random random(42, epoch, item, Draw::kNoise);
      source.mix(utterance("a1", "a"), samples, random, own_sound);
      return samples;
    };
    std::vector<std::vector<float>> here, there(kItems), next_epoch;
    for (std::uint64_t item = 0; item < kItems; ++item) here.push_back(mixed(0, item));
    {
      std::vector<std::jthread> threads;
      for (std::uint64_t k = 0; k < 3; ++k) {
        threads.emplace_back([&, k] {
          for (std::uint64_t item = kItems; item-- > 0;) {
            if (item % 3 == k) there[item] = mixed(0, item);
          }
        });
      }
    }
    for (std::uint64_t item = 0; item < kItems; ++item) next_epoch.push_back(mixed(1, item));
    EXPECT_EQ(here, there) << config::enum_name(kind);
    EXPECT_NE(here, next_epoch);
    EXPECT_NE(here[0], here[1]);
  }
}

TEST(NoiseSource, BabbleIsMadeOfOthers) {
  const NoiseSource source({.kind = NoiseKind::kBabble, .snr_db = 0, .babble_speakers = 2},
                           speakers("abc", 3));
  std::set<std::string> heard;
  for (std::uint64_t item = 0; item < 50; ++item) {
    std::vector<std::string> speakers_heard;
    auto samples = sine(640, 0.1);
    Random random(1, 0, item, Draw::kNoise);
    source.mix(utterance("a1", "a"), samples, random, [&](const Utterance& u) {
      speakers_heard.push_back(u.speaker);
      heard.insert(u.id);
      return own_sound(u);
    });
    EXPECT_THAT(speakers_heard, testing::UnorderedElementsAre("b", "c"));
  }
  EXPECT_EQ(heard.size(), 6U);
}

TEST(NoiseSource, TellsWhereBabbleIsOfOneSpeaker) {
  const auto said = [](const std::string& names) {
    return logged(
        [&] { NoiseSource({.kind = NoiseKind::kBabble, .snr_db = 0}, speakers(names, 3)); });
  };
  EXPECT_THAT(said("a"), HasSubstr("list.tsv: all utterances are of one speaker (a)"));
  EXPECT_EQ(said("ab"), "");
}

TEST(NoiseSource, ASpeakerAloneBabblesWithOtherUtterances) {
  const NoiseSource source({.kind = NoiseKind::kBabble, .snr_db = 0, .babble_speakers = 3},
                           speakers("a", 3));
  int voices = 0;
  for (std::uint64_t item = 0; item < 20; ++item) {
    auto samples = sine(640, 0.1);
    Random random(1, 0, item, Draw::kNoise);
    source.mix(utterance("a2", "a"), samples, random, [&](const Utterance& u) {
      EXPECT_NE(u.id, "a2");
      ++voices;
      return own_sound(u);
    });
  }
  EXPECT_EQ(voices, 60);
}

TEST(NoiseSource, VoicesAreEquallyLoud) {
  const NoiseSource source({.kind = NoiseKind::kBabble, .snr_db = 0, .babble_speakers = 2},
                           speakers("abc", 1));
  const auto mixed = [&](float loudness_of_b) {
    auto samples = sine(640, 0.1);
    Random random(1);
    source.mix(utterance("a1", "a"), samples, random, [&](const Utterance& u) {
      auto sound = own_sound(u);
      for (auto& x : sound) x *= u.speaker == "b" ? loudness_of_b : 1;
      return sound;
    });
    return samples;
  };
  const auto loud = mixed(8), soft = mixed(0.125F);
  for (std::size_t n = 0; n < loud.size(); ++n) EXPECT_NEAR(loud[n], soft[n], 1e-5);
}

TEST(NoiseSource, UnreadableVoicesAreLeftOutUntilNoneIsLeft) {
  const NoiseSource source({.kind = NoiseKind::kBabble, .snr_db = 0, .babble_speakers = 2},
                           speakers("abc", 1));
  const auto clean = sine(6400, 0.1);
  auto noisy = clean;
  Random random(1);
  source.mix(utterance("a1", "a"), noisy, random, [](const Utterance& u) {
    if (u.speaker == "b") throw DataError("b1: cut off");
    return own_sound(u);
  });
  EXPECT_NEAR(ratio_db(clean, noisy), 0, 0.01);
  try {
    source.mix(utterance("a1", "a"), noisy, random,
               [](const Utterance&) -> std::vector<float> { throw DataError("cut off"); });
    ADD_FAILURE() << "no voice, and no error";
  } catch (const DataError& error) {
    EXPECT_EQ(error.reason(), "noise");
    EXPECT_THAT(error.what(), HasSubstr("cut off"));
  }
  EXPECT_THROW(source.mix(utterance("a1", "a"), noisy, random, no_sound), DataError);
}

TEST(NoiseSource, SilentUtterancesStaySilent) {
  const NoiseSource source({.kind = NoiseKind::kWhite, .snr_db = 0}, {});
  std::vector<float> silent(640, 0.0F);
  Random random(1);
  source.mix(utterance("a1", "a"), silent, random, no_sound);
  EXPECT_EQ(mean_power(silent), 0);
  source.mix(utterance("a1", "a"), {}, random, no_sound);
}

TEST(NoiseSource, OnlyAShareOfUtterancesGetsNoise) {
  const NoiseSource source({.kind = NoiseKind::kWhite, .snr_db = 0, .max_snr_db = 10, .prob = 0.25},
                           {});
  int noisy = 0;
  for (std::uint64_t item = 0; item < 400; ++item) {
    const auto clean = sine(640, 0.1);
    auto samples = clean;
    Random random(1, 0, item, Draw::kNoise);
    source.mix(utterance("a1", "a"), samples, random, no_sound);
    if (samples == clean) continue;
    ++noisy;
    EXPECT_GT(ratio_db(clean, samples), -0.01);
    EXPECT_LT(ratio_db(clean, samples), 10.01);
  }
  EXPECT_NEAR(noisy, 100, 30);
}

TEST(NoiseSource, RefusesWhatCannotServe) {
  const TemporaryFolder folder;
  const auto silent = folder.path() / "silent.wav";
  std::ofstream(silent) << media::encode_wav(std::vector<float>(16000, 0.0F));
  const auto brief = folder.path() / "brief.wav";
  std::ofstream(brief) << media::encode_wav(sine(8000, 0.3));
  const auto missing = (folder.path() / "none.wav").string();
  const auto refusal = [](const std::string& file) -> std::string {
    try {
      NoiseSource({.kind = NoiseKind::kFile, .file = file}, {});
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(refusal(silent.string()), HasSubstr("silent.wav: cannot serve as noise, it is sil"));
  EXPECT_THAT(refusal(brief.string()), HasSubstr("lasts 0.50 s, expected at least 1 s"));
  EXPECT_THAT(refusal(missing), HasSubstr("none.wav: no such file"));
  EXPECT_THROW(NoiseSource({.kind = NoiseKind::kBabble}, speakers("a", 1)), ConfigError);
  EXPECT_THROW(NoiseSource({.kind = NoiseKind::kBabble, .babble_manifest = missing}, {}),
               ConfigError);
}

TEST(NoiseSource, ARecordingWithLongPausesIsHeard) {
  const TemporaryFolder folder;
  std::vector<float> click(16000, 0.0F);
  click[12345] = 0.5F;
  const auto file = folder.path() / "click.wav";
  std::ofstream(file) << media::encode_wav(click);
  const NoiseSource source({.kind = NoiseKind::kFile, .snr_db = 10, .file = file.string()}, {});
  for (std::uint64_t item = 0; item < 20; ++item) {
    const auto clean = sine(640, 0.1);
    auto noisy = clean;
    Random random(1, 0, item, Draw::kNoise);
    source.mix(utterance("a1", "a"), noisy, random, no_sound);
    EXPECT_NEAR(ratio_db(clean, noisy), 10, 0.01) << item;
  }
}

TEST(NoiseSource, LevelsDifferInStrengthOnly) {
  const NoiseSource source({.kind = NoiseKind::kPink, .snr_db = 0, .max_snr_db = 20, .prob = 0.5},
                           {});
  const auto clean = sine(6400, 0.1);
  const auto noise_at = [&](double snr_db) {
    auto samples = clean;
    Random random(1, 0, 7, Draw::kNoise);
    source.at(snr_db).mix(utterance("a1", "a"), samples, random, no_sound);
    EXPECT_NEAR(ratio_db(clean, samples), snr_db, 0.01);
    for (std::size_t n = 0; n < samples.size(); ++n) samples[n] -= clean[n];
    return samples;
  };
  const auto loud = noise_at(-20), soft = noise_at(0);
  for (std::size_t n = 0; n < loud.size(); ++n) EXPECT_NEAR(loud[n], 10 * soft[n], 1e-4);
}

TEST(NoiseConfig, RulesNameTheField) {
  EXPECT_NO_THROW(config::NoiseConfig{}.check("noise"));
  try {
    config::NoiseConfig{.kind = NoiseKind::kFile}.check("noise");
    ADD_FAILURE() << "accepted";
  } catch (const config::RuleError& error) {
    EXPECT_EQ(error.key(), "noise.file");
  }
  const config::NoiseConfig reversed{.snr_db = 5, .max_snr_db = 0};
  EXPECT_THROW(reversed.check("noise"), config::RuleError);
}

TEST(NoiseLevelsConfig, RulesNameTheField) {
  const auto broken_key = [](const config::NoiseLevelsConfig& config) -> std::string {
    try {
      config.check("noise");
    } catch (const config::RuleError& error) {
      return error.key();
    }
    return "";
  };
  EXPECT_EQ(broken_key({}), "");
  EXPECT_EQ(broken_key({.kind = NoiseKind::kFile}), "noise.file");
  EXPECT_EQ(broken_key({.kind = NoiseKind::kWhite, .snr_db = {}}), "noise.snr_db");
  EXPECT_EQ(broken_key({.kind = NoiseKind::kWhite, .snr_db = {5, 0, 5}}), "noise.snr_db");
  EXPECT_EQ(broken_key({.clean = false}), "noise.clean");
  EXPECT_EQ(broken_key({.kind = NoiseKind::kWhite, .clean = false}), "");
}

}  // namespace
}  // namespace raven::data

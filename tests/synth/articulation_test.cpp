#include "synth/articulation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

namespace raven::synth {
namespace {

constexpr double kLead_s = 0.2;

/// Phones of equal length, one after another.
std::vector<Phone> phones(const std::vector<std::string>& mnemonics, double each_s) {
  std::vector<Phone> sequence;
  for (std::size_t i = 0; i < mnemonics.size(); ++i) {
    const auto index = static_cast<double>(i);
    sequence.push_back({mnemonics[i], index * each_s, (index + 1) * each_s});
  }
  return sequence;
}

/// The greatest value over the frames of a clip whose first frame starts at `phase_s`.
double greatest(const Trajectory& trajectory, double phase_s,
                const std::function<double(const Articulation&)>& value) {
  double best = -1;
  for (double time_s = phase_s; time_s < 1.2; time_s += 0.04)
    best = std::max(best, value(trajectory.at(time_s)));
  return best;
}

class Contact : public testing::TestWithParam<const char*> {};

TEST_P(Contact, OfTheLipsShowsInAtLeastOneFrame) {
  for (const double each_s : {0.045, 0.07, 0.12}) {  // fast to slow speech
    const Trajectory trajectory(phones({"_", "A:", GetParam(), "A:", "_"}, each_s), kLead_s);
    for (double phase_s = 0; phase_s < 0.04; phase_s += 0.002) {
      const auto pressed = [](const Articulation& mouth) {
        return mouth.aperture < 0.01 ? mouth.lips_pressed : 0;
      };
      EXPECT_GE(greatest(trajectory, phase_s, pressed), 0.99)
          << GetParam() << " of " << each_s << " s, phase " << phase_s;
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Bilabials, Contact, testing::Values("p", "b", "m"));

TEST(Articulation, LowerLipMeetsTheTeethForF) {
  const Trajectory trajectory(phones({"A:", "f", "A:"}, 0.08), kLead_s);
  for (double phase_s = 0; phase_s < 0.04; phase_s += 0.002) {
    const auto tucked = [](const Articulation& mouth) { return mouth.lip_tucked; };
    EXPECT_GE(greatest(trajectory, phase_s, tucked), 0.99);
  }
}

TEST(Articulation, TongueShowsForTh) {
  const Trajectory trajectory(phones({"A:", "T", "A:"}, 0.08), kLead_s);
  for (double phase_s = 0; phase_s < 0.04; phase_s += 0.002) {
    const auto forward = [](const Articulation& mouth) { return mouth.tongue_forward; };
    EXPECT_GE(greatest(trajectory, phase_s, forward), 0.99);
  }
}

TEST(Articulation, LipsArePressedBeforeTheBurstNotAfter) {
  const Trajectory trajectory({{"A:", 0, 0.2}, {"p", 0.2, 0.28}, {"A:", 0.28, 0.5}}, kLead_s);
  EXPECT_GE(trajectory.at(kLead_s + 0.2 - 0.03).lips_pressed, 0.99);
  EXPECT_LT(trajectory.at(kLead_s + 0.2 + 0.06).lips_pressed, 0.01);
}

TEST(Articulation, LongVowelReachesItsTarget) {
  const auto* open = find_phoneme("A:");
  const Trajectory trajectory({{"A:", 0, 1.0}}, kLead_s);
  const auto mouth = trajectory.at(kLead_s + 0.5);
  EXPECT_NEAR(mouth.aperture, open->first.aperture, 0.01);
  EXPECT_NEAR(mouth.jaw, open->first.jaw, 0.01);
}

TEST(Articulation, ShortVowelBetweenConsonantsFallsShort) {
  const auto reach = [](double vowel_s) {
    const Trajectory trajectory(
        {{"s", 0, 0.1}, {"A:", 0.1, 0.1 + vowel_s}, {"s", 0.1 + vowel_s, 0.2 + vowel_s}}, kLead_s);
    return trajectory.at(kLead_s + 0.1 + vowel_s / 2).aperture;
  };
  EXPECT_LT(reach(0.05), reach(0.1));
  EXPECT_LT(reach(0.1), reach(0.3));
}

TEST(Articulation, RoundingComesEarly) {
  const double time_s = kLead_s + 0.08;  // in the consonant
  const Trajectory before_oo(phones({"s", "u:"}, 0.1), kLead_s),
      before_ee(phones({"s", "i:"}, 0.1), kLead_s);
  EXPECT_GT(before_oo.at(time_s).round, before_ee.at(time_s).round + 0.2);
  EXPECT_LT(before_oo.at(time_s).spread, before_ee.at(time_s).spread - 0.4);
}

TEST(Articulation, MouthRestsBeforeAndAfterSpeech) {
  const Trajectory trajectory(phones({"A:", "A:"}, 0.15), 1.0, {.rest_aperture = 0.02});
  EXPECT_NEAR(trajectory.at(0.2).aperture, 0.02, 0.005);
  EXPECT_NEAR(trajectory.at(2.5).aperture, 0.02, 0.005);
  EXPECT_GT(trajectory.at(1.15).aperture, 0.5);
}

TEST(Articulation, UnknownMnemonicsAreReportedAndKnownPrefixesRead) {
  EXPECT_EQ(find_phoneme("@-"), find_phoneme("@"));
  EXPECT_EQ(find_phoneme("t2"), find_phoneme("t"));
  EXPECT_EQ(find_phoneme("%"), nullptr);
  const Trajectory trajectory(phones({"A:", "%", "s"}, 0.1), kLead_s);
  EXPECT_EQ(trajectory.unknown(), std::vector<std::string>{"%"});
}

}  // namespace
}  // namespace raven::synth

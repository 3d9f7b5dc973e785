#include "raven/train/mask_check.h"

#include <gmock/gmock.h>

#include "raven/core/error.h"
#include "support/logged.h"

namespace raven::train {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class MaskCheck : public testing::Test {
 protected:
  MaskCheck() {
    for (const std::int64_t frames : {40, 50, 60, 75}) add(frames);
  }
  void add(std::int64_t frames) {
    data::Utterance utterance;
    utterance.id = std::to_string(clips_.utterances.size());
    utterance.frames = frames;
    clips_.utterances.push_back(utterance);
  }
  [[nodiscard]] std::string said() const {
    return logged([&] { check_masks(config_, clips_); });
  }
  [[nodiscard]] std::string problem() const {
    try {
      check_masks(config_, clips_);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "";
  }

  config::PretrainConfig config_;
  data::Manifest clips_;
};

TEST_F(MaskCheck, TellsTheShareThatIsHidden) {
  EXPECT_THAT(said(), HasSubstr("mask.length 3 (spans: 120 ms) hide "));
  EXPECT_THAT(said(), Not(HasSubstr(" W ")));
  config_.mask.sampler = config::MaskSampler::kBernoulliStart;  // about half of the frames
  EXPECT_THAT(said(),
              testing::ContainsRegex("bernoulli_start: 120 ms. hide (4|5)[0-9] % of video"));
  config_.mask.prob = 0;
  config_.loss.within_masked_only = false;
  EXPECT_THAT(said(), IsEmpty());
}

TEST_F(MaskCheck, WarnsOfClipsThatASpanCovers) {
  config_.mask.length = 40;
  add(400);
  EXPECT_THAT(said(), HasSubstr("mask.length 40: 20 % of the clips have no more frames than that"));
}

TEST_F(MaskCheck, RefusesMasksThatCoverEverything) {
  config_.mask.length = 100;
  EXPECT_THAT(problem(), HasSubstr("whose clips have 60 frames in the median: a student that is "
                                   "shown next to nothing learns nothing"));
  config_.mask.length = 3;
  EXPECT_THAT(problem(), IsEmpty());
  config_.mask.sampler = config::MaskSampler::kBernoulliStart;
  config_.mask.audio_prob = 0.9;
  EXPECT_THAT(problem(), HasSubstr("% of audio, whose clips"));
  config_.loss.weight["a2a"] = config_.loss.weight["a2v"] = 0;  // no student that hears
  EXPECT_THAT(problem(), IsEmpty());
}

}  // namespace
}  // namespace raven::train

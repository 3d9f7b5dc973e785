// One utterance in memory: what is said, its sound, its movement.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "raven/media/media.h"
#include "synth/articulation.h"
#include "synth/sentences.h"
#include "synth/speaker.h"
#include "synth/speech.h"

namespace raven::synth {

inline constexpr int kSampleRate = media::kSampleRateHz, kFramesPerSecond = media::kFrameRateHz,
                     kSamplesPerFrame = media::kSamplesPerFrame;

struct WordTime {
  std::string word;
  double start_s = 0, end_s = 0;
};

struct Clip {
  std::vector<WordTime> words;
  std::vector<std::int16_t> samples;  // exactly kSamplesPerFrame for each frame
  std::vector<Phone> phones;  // times from the start of the speech, lead_s after that of the clip
  double lead_s = 0;          // silence before

  [[nodiscard]] std::int64_t num_frames() const { return std::ssize(samples) / kSamplesPerFrame; }
  /// Frame k shows the moment in the middle of its samples.
  [[nodiscard]] static double frame_time_s(std::int64_t frame) {
    return (static_cast<double>(frame) + 0.5) / kFramesPerSecond;
  }
};

/// When each word is said. espeak-ng speaks some pairs as one ("in the"); such words share its
/// time.
std::vector<WordTime> align_words(const Sentence& sentence, const Speech& speech);

/// Says `sentence` with pauses around it, at a level and with background noise drawn from `random`.
Clip make_clip(const Sentence& sentence, const Voice& voice, SpeechServer& speech, Random& random);

}  // namespace raven::synth

// Media file -> mono waveform at 16 kHz.
#pragma once

#include <cstdint>
#include <vector>

#include "raven/media/media.h"

namespace raven::media {

struct AudioSamples {
  std::vector<float> samples;  // in [-1, 1] as the file has it; channels averaged
  std::int64_t source_sample_rate_hz = 0;
  std::int64_t source_channels = 0;
};

/// All samples of the first audio stream. Throws MediaError ("corrupt", "missing", "no-audio",
/// "empty", "too-large", "unsupported").
AudioSamples read_audio(const Source& source, const Limits& limits = {});

/// Cuts on the right or pads with zeros to 640 samples for each of `num_frames` video frames.
void fit_to_frames(std::vector<float>& samples, std::int64_t num_frames);

}  // namespace raven::media

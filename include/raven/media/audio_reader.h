// Media file -> mono waveform at 16 kHz.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "raven/media/media.h"

namespace raven::media {

struct AudioOptions {
  Limits limits = {};
  /// The moment of the first sample in the container's clock, as VideoReader::start_s() tells it
  /// for pictures of the same file: sound that begins later has silence before it, earlier sound is
  /// cut. Empty: from the first sample that the file holds.
  std::optional<double> origin_s = std::nullopt;
  /// Without origin_s: finds the moment of the file's first picture, if it has pictures.
  bool from_first_picture = false;
};

/// Samples [begin, end).
struct SampleRange {
  std::int64_t begin = 0, end = 0;
};

struct AudioSamples {
  std::vector<float> samples;  // in [-1, 1] as the file has it; channels averaged
  std::int64_t source_sample_rate_hz = 0;
  std::int64_t source_channels = 0;
  TrackChoice track;
  Damage damage;
  // What laying the sound out by the container's times did, in seconds.
  double silence_before_s = 0;     // it begins after the origin
  double cut_before_s = 0;         // it begins before the origin
  double filled_s = 0;             // silence where packets are missing
  std::vector<SampleRange> heard;  // what the file has; elsewhere is silence. Sorted
  double overlapping_s = 0;        // left out: it is there twice
  bool channels_cancel = false;    // there is sound, but hardly any in the mean of its channels
};

/// The samples of the sound track that players take, at the times that the container states:
/// silence where some are missing. Throws MediaError ("corrupt", "missing", "no-audio", "empty",
/// "too-large", "unsupported").
AudioSamples read_audio(const Source& source, const AudioOptions& options = {});

/// Cuts on the right or pads with zeros to 640 samples for each of `num_frames` video frames.
void fit_to_frames(std::vector<float>& samples, std::int64_t num_frames);

}  // namespace raven::media

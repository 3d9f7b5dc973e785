// What a media file holds, without decoding it.
#pragma once

#include <cstdint>
#include <string>

#include "raven/media/media.h"

namespace raven::media {

struct MediaInfo {
  std::string container;  // "mov,mp4,m4a,...", "avi", "wav", ...
  bool has_video = false;
  std::string video_codec;             // "h264", "ffv1", ...
  std::int64_t width = 0, height = 0;  // pixels
  double frame_rate_hz = 0;            // average; 0 when unknown
  bool has_audio = false;
  std::string audio_codec;
  std::int64_t sample_rate_hz = 0, channels = 0;
  double duration_s = 0;        // 0 when unknown
  double video_duration_s = 0;  // of the pictures alone
};

/// Throws MediaError ("corrupt", "missing", "too-large", "empty", "unsupported").
MediaInfo probe(const Source& source, const Limits& limits = {});

}  // namespace raven::media

// Frames and samples -> files: mouth crops as H.264 mp4 that decodes fast or as FFV1 avi that loses
// nothing, audio as FLAC or WAV.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace raven::media {

struct GreyFrames {  // T x H x W, row-major
  std::span<const std::uint8_t> pixels;
  std::int64_t num_frames = 0, height = 0, width = 0;
};

struct H264Options {
  int crf = 18;                     // constant quality, 0 (lossless) to 51
  std::string preset = "veryfast";  // x264's names
};

/// True when the libavcodec in use can encode H.264 (libx264).
bool can_encode_h264();

/// A whole mp4 file of one grey H.264 stream at 25 frames a second, `tune=fastdecode`, the same
/// bytes on every machine. Throws MediaError when no H.264 encoder is available (says to use raw
/// frames), ConfigError for an unknown preset.
std::string encode_mp4(const GreyFrames& frames, const H264Options& options = {});

/// A whole avi file of one grey FFV1 stream at 25 frames a second, without loss, each frame by
/// itself; what the published loader reads. Throws MediaError where libavcodec cannot encode it.
std::string encode_avi(const GreyFrames& frames);

/// A whole WAV file, mono 16 kHz, 16-bit integers (rounded, clipped).
std::string encode_wav(std::span<const float> samples);

/// The same that loses nothing: 16-bit integers where all samples are such, else 32-bit floats.
std::string encode_exact_wav(std::span<const float> samples);

/// A whole FLAC file, mono 16 kHz, 16-bit.
std::string encode_flac(std::span<const float> samples);

}  // namespace raven::media

// Media files of any container and codec, made on the spot by libav.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "media/av.h"

namespace raven::media {

/// Called with each encoded packet and its number; may change it. False: the packet is lost.
using PacketHook = std::function<bool(AVPacket& packet, int number)>;

/// Each frame is of one colour. Times are in units of `time_base`.
struct VideoStreamSpec {
  const char* codec = "ffv1";
  AVPixelFormat format = AV_PIX_FMT_GRAY8;
  AVColorRange range = AVCOL_RANGE_UNSPECIFIED;
  int width = 16, height = 16;
  AVRational time_base = {1, 25};
  AVRational rate = {25, 1};
  std::vector<std::int64_t> times;
  /// Value of each component (as libav numbers them) of frame i.
  std::function<std::vector<int>(int i)> colour = [](int i) { return std::vector<int>{i}; };
  /// Value of each pixel of frame i instead, where set; for grey frames of 8 bits.
  std::function<int(int i, int x, int y)> pixel;
  std::optional<std::array<std::int32_t, 9>> display_matrix;  // as libav has it
  PacketHook packet = {};
  int disposition = 0;
  int gop_size = 12;
};

struct AudioStreamSpec {
  const char* codec = "pcm_s16le";
  AVSampleFormat format = AV_SAMPLE_FMT_S16;  // interleaved or planar, as the codec wants it
  int rate_hz = 16000, channels = 1;
  std::int64_t num_samples = 16000;
  std::function<double(std::int64_t i, int channel)> sample = [](std::int64_t, int) { return 0.0; };
  std::int64_t start = 0;  // time of sample 0, in samples
  PacketHook packet = {};
  int disposition = 0;
};

struct MediaSpec {
  std::optional<VideoStreamSpec> video;
  std::optional<AudioStreamSpec> audio;
  std::optional<VideoStreamSpec> earlier_video = {};  // tracks before those
  std::optional<AudioStreamSpec> earlier_audio = {};
  const char* muxer_options = "";  // "key=value:key=value"
};

/// A whole file. Throws std::runtime_error when libav refuses.
std::string make_media(const char* container, const MediaSpec& spec);

/// 0, 1, ..., n - 1.
std::vector<std::int64_t> regular_times(std::int64_t n);

}  // namespace raven::media

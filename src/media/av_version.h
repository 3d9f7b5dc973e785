// Where FFmpeg 4.4 (Ubuntu 22.04), 5.1 (Debian 12) and 6.1 (Ubuntu 24.04) differ: channel layouts
// became structs in 5.1, frame durations moved in 5.1.100, libav's descriptors became const in 5.0,
// a stream's side data moved to its codec parameters in 6.1.
#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/channel_layout.h>
#include <libswresample/swresample.h>
}

#include <cstddef>
#include <cstdint>

namespace raven::media {

#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(57, 24, 100)
inline int num_channels(const AVFrame& frame) { return frame.ch_layout.nb_channels; }
inline int num_channels(const AVCodecParameters& codec) { return codec.ch_layout.nb_channels; }
inline void set_mono(AVFrame& frame) { frame.ch_layout = AV_CHANNEL_LAYOUT_MONO; }
inline void set_mono(AVCodecContext& codec) { codec.ch_layout = AV_CHANNEL_LAYOUT_MONO; }

/// A resampler from `channels` channels to one; null when libav refuses. To be initialised and
/// freed.
inline SwrContext* new_mono_resampler(AVSampleFormat to, int to_rate_hz, int channels,
                                      AVSampleFormat from, int from_rate_hz) {
  AVChannelLayout in{}, mono = AV_CHANNEL_LAYOUT_MONO;
  av_channel_layout_default(&in, channels);
  SwrContext* context = nullptr;
  return swr_alloc_set_opts2(&context, &mono, to, to_rate_hz, &in, from, from_rate_hz, 0,
                             nullptr) >= 0
             ? context
             : nullptr;
}
#else
inline int num_channels(const AVFrame& frame) { return frame.channels; }
inline int num_channels(const AVCodecParameters& codec) { return codec.channels; }
inline void set_mono(AVFrame& frame) {
  frame.channels = 1;
  frame.channel_layout = AV_CH_LAYOUT_MONO;
}
inline void set_mono(AVCodecContext& codec) {
  codec.channels = 1;
  codec.channel_layout = AV_CH_LAYOUT_MONO;
}

/// A resampler from `channels` channels to one; null when libav refuses. To be initialised and
/// freed.
inline SwrContext* new_mono_resampler(AVSampleFormat to, int to_rate_hz, int channels,
                                      AVSampleFormat from, int from_rate_hz) {
  return swr_alloc_set_opts(nullptr, AV_CH_LAYOUT_MONO, to, to_rate_hz,
                            av_get_default_channel_layout(channels), from, from_rate_hz, 0,
                            nullptr);
}
#endif

#if LIBAVFORMAT_VERSION_MAJOR >= 59
using InputFormat = const AVInputFormat;
using SideDataSize = std::size_t;
#else
using InputFormat = AVInputFormat;
using SideDataSize = int;
#endif

/// What a stream says beside its packets; null when it does not.
inline const std::uint8_t* stream_side_data(const AVStream& stream, AVPacketSideDataType kind,
                                            std::size_t& bytes) {
#if LIBAVFORMAT_VERSION_INT >= AV_VERSION_INT(60, 15, 100)
  const auto* data = av_packet_side_data_get(stream.codecpar->coded_side_data,
                                             stream.codecpar->nb_coded_side_data, kind);
  bytes = data == nullptr ? 0 : data->size;
  return data == nullptr ? nullptr : data->data;
#else
  SideDataSize size = 0;
  const auto* data = av_stream_get_side_data(&stream, kind, &size);
  bytes = size > 0 ? static_cast<std::size_t>(size) : 0;
  return data;
#endif
}

/// In units of the packet's time base; 0 when unknown.
inline std::int64_t frame_duration(const AVFrame& frame) {
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(57, 30, 100)
  return frame.duration;
#else
  return frame.pkt_duration;
#endif
}

}  // namespace raven::media

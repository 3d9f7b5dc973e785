#include "media/make_media.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <stdexcept>
#include <utility>

namespace raven::media {
namespace {

void require(int code, const std::string& action) {
  if (code >= 0) return;
  char text[AV_ERROR_MAX_STRING_SIZE] = {};
  av_strerror(code, text, sizeof(text));
  throw std::runtime_error("make_media: " + action + ": " + text + " " + last_log());
}

CodecHandle new_codec(const char* name, const AVFormatContext& file) {
  const AVCodec* codec = avcodec_find_encoder_by_name(name);
  if (codec == nullptr) throw std::runtime_error(std::string("make_media: no encoder ") + name);
  CodecHandle context(avcodec_alloc_context3(codec));
  context->thread_count = 1;
  context->flags |= AV_CODEC_FLAG_BITEXACT;
  context->strict_std_compliance = FF_COMPLIANCE_EXPERIMENTAL;
  if ((file.oformat->flags & AVFMT_GLOBALHEADER) != 0) {
    context->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  }
  return context;
}

class Track {
 public:
  Track(AVFormatContext& file, CodecHandle codec, PacketHook hook, int disposition)
      : file_(file), codec_(std::move(codec)), hook_(std::move(hook)) {
    require(avcodec_open2(codec_.get(), nullptr, nullptr), "open encoder");
    stream_ = avformat_new_stream(&file, nullptr);
    stream_->time_base = codec_->time_base;
    stream_->avg_frame_rate = codec_->framerate;
    stream_->disposition = disposition;
    require(avcodec_parameters_from_context(stream_->codecpar, codec_.get()), "parameters");
  }

  AVCodecContext& codec() { return *codec_; }

  void set_display_matrix(const std::array<std::int32_t, 9>& matrix) {
    auto* to = av_stream_new_side_data(stream_, AV_PKT_DATA_DISPLAYMATRIX, sizeof(matrix));
    if (to == nullptr) throw std::runtime_error("make_media: display matrix");
    std::memcpy(to, matrix.data(), sizeof(matrix));
  }

  void encode(const AVFrame* frame) {
    require(avcodec_send_frame(codec_.get(), frame), "encode");
    const auto packet = new_packet();
    while (true) {
      const int code = avcodec_receive_packet(codec_.get(), packet.get());
      if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return;
      require(code, "encode");
      packet->stream_index = stream_->index;
      if (hook_ && !hook_(*packet, num_packets_++)) continue;
      av_packet_rescale_ts(packet.get(), codec_->time_base, stream_->time_base);
      require(av_interleaved_write_frame(&file_, packet.get()), "write");
    }
  }

 private:
  AVFormatContext& file_;
  CodecHandle codec_;
  PacketHook hook_;
  AVStream* stream_ = nullptr;
  int num_packets_ = 0;
};

Track new_video(AVFormatContext& file, const VideoStreamSpec& spec) {
  auto codec = new_codec(spec.codec, file);
  codec->width = spec.width;
  codec->height = spec.height;
  codec->pix_fmt = spec.format;
  codec->color_range = spec.range;
  codec->time_base = spec.time_base;
  codec->framerate = spec.rate;
  codec->gop_size = spec.gop_size;
  Track track(file, std::move(codec), spec.packet, spec.disposition);
  if (spec.display_matrix) track.set_display_matrix(*spec.display_matrix);
  return track;
}

Track new_audio(AVFormatContext& file, const AudioStreamSpec& spec) {
  auto codec = new_codec(spec.codec, file);
  codec->sample_fmt = spec.format;
  codec->sample_rate = spec.rate_hz;
  codec->time_base = {1, spec.rate_hz};
  av_channel_layout_default(&codec->ch_layout, spec.channels);
  return {file, std::move(codec), spec.packet, spec.disposition};
}

void fill(AVFrame& frame, const std::vector<int>& colour) {
  const auto* format = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(frame.format));
  for (AVBufferRef* plane : frame.buf) {  // av_write_image_line2 adds bits to what is there
    if (plane != nullptr) std::fill_n(plane->data, plane->size, std::uint8_t{0});
  }
  for (int c = 0; c < format->nb_components && c < static_cast<int>(colour.size()); ++c) {
    const bool chroma = (c == 1 || c == 2) && (format->flags & AV_PIX_FMT_FLAG_RGB) == 0;
    const int width = chroma ? AV_CEIL_RSHIFT(frame.width, format->log2_chroma_w) : frame.width;
    const int height = chroma ? AV_CEIL_RSHIFT(frame.height, format->log2_chroma_h) : frame.height;
    const std::vector<std::uint16_t> row(static_cast<std::size_t>(width),
                                         static_cast<std::uint16_t>(colour[c]));
    for (int y = 0; y < height; ++y) {
      av_write_image_line2(row.data(), frame.data, frame.linesize, format, 0, y, c, width,
                           sizeof(row[0]));
    }
  }
}

void draw(AVFrame& frame, int i, const std::function<int(int, int, int)>& pixel) {
  for (int y = 0; y < frame.height; ++y) {
    for (int x = 0; x < frame.width; ++x) {
      frame.data[0][y * frame.linesize[0] + x] = static_cast<std::uint8_t>(pixel(i, x, y));
    }
  }
}

void write_video(Track& track, const VideoStreamSpec& spec) {
  for (std::size_t i = 0; i < spec.times.size(); ++i) {
    const auto frame = new_frame();
    frame->format = spec.format;
    frame->color_range = spec.range;
    frame->width = spec.width;
    frame->height = spec.height;
    frame->pts = spec.times[i];
    require(av_frame_get_buffer(frame.get(), 0), "frame");
    if (spec.pixel) {
      draw(*frame, static_cast<int>(i), spec.pixel);
    } else {
      fill(*frame, spec.colour(static_cast<int>(i)));
    }
    track.encode(frame.get());
  }
  track.encode(nullptr);
}

void put(AVFrame& frame, std::int64_t i, int channel, double value) {
  const bool planar = av_sample_fmt_is_planar(static_cast<AVSampleFormat>(frame.format)) != 0;
  const auto at = planar ? i : i * frame.ch_layout.nb_channels + channel;
  auto* plane = frame.extended_data[planar ? channel : 0];
  switch (av_get_packed_sample_fmt(static_cast<AVSampleFormat>(frame.format))) {
    case AV_SAMPLE_FMT_S16:
      reinterpret_cast<std::int16_t*>(plane)[at] =
          static_cast<std::int16_t>(std::lround(std::clamp(value * 32768, -32768.0, 32767.0)));
      return;
    case AV_SAMPLE_FMT_FLT:
      reinterpret_cast<float*>(plane)[at] = static_cast<float>(value);
      return;
    default:
      throw std::runtime_error("make_media: sample format not provided for");
  }
}

void write_audio(Track& track, const AudioStreamSpec& spec) {
  const int block = track.codec().frame_size > 0 ? track.codec().frame_size : 1024;
  for (std::int64_t begin = 0; begin < spec.num_samples; begin += block) {
    const auto frame = new_frame();
    frame->format = spec.format;
    frame->sample_rate = spec.rate_hz;
    av_channel_layout_default(&frame->ch_layout, spec.channels);
    frame->nb_samples = static_cast<int>(std::min<std::int64_t>(block, spec.num_samples - begin));
    frame->pts = spec.start + begin;
    require(av_frame_get_buffer(frame.get(), 0), "frame");
    for (int i = 0; i < frame->nb_samples; ++i) {
      for (int c = 0; c < spec.channels; ++c) put(*frame, i, c, spec.sample(begin + i, c));
    }
    track.encode(frame.get());
  }
  track.encode(nullptr);
}

}  // namespace

std::string make_media(const char* container, const MediaSpec& spec) {
  start_libav();
  AVFormatContext* raw = nullptr;
  require(avformat_alloc_output_context2(&raw, nullptr, container, nullptr), "container");
  const OutputHandle file(raw);
  raw->flags |= AVFMT_FLAG_BITEXACT;
  raw->strict_std_compliance = FF_COMPLIANCE_EXPERIMENTAL;
  raw->max_interleave_delta =
      0;  // packets lie in the order of their times, whatever holes there are
  std::optional<Track> earlier_video, earlier_audio, video, audio;
  if (spec.earlier_video) earlier_video.emplace(new_video(*raw, *spec.earlier_video));
  if (spec.earlier_audio) earlier_audio.emplace(new_audio(*raw, *spec.earlier_audio));
  if (spec.video) video.emplace(new_video(*raw, *spec.video));
  if (spec.audio) audio.emplace(new_audio(*raw, *spec.audio));
  AVDictionary* options = nullptr;
  require(av_dict_parse_string(&options, spec.muxer_options, "=", ":", 0), "options");
  require(avio_open_dyn_buf(&raw->pb), "memory");
  const int code = avformat_write_header(raw, &options);
  av_dict_free(&options);
  require(code, "header");
  if (earlier_video) write_video(*earlier_video, *spec.earlier_video);
  if (earlier_audio) write_audio(*earlier_audio, *spec.earlier_audio);
  if (video) write_video(*video, *spec.video);
  if (audio) write_audio(*audio, *spec.audio);
  require(av_write_trailer(raw), "trailer");
  std::uint8_t* bytes = nullptr;
  const int size = avio_get_dyn_buf(raw->pb, &bytes);
  std::string content(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  avio_close_dyn_buf(std::exchange(raw->pb, nullptr), &bytes);
  av_free(bytes);
  return content;
}

std::vector<std::int64_t> regular_times(std::int64_t n) {
  std::vector<std::int64_t> times(static_cast<std::size_t>(n));
  std::iota(times.begin(), times.end(), 0);
  return times;
}

}  // namespace raven::media

#include "synth/mp4_writer.h"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/channel_layout.h>
#include <libavutil/log.h>
#include <libavutil/opt.h>
}

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "media/av_version.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "synth/clip.h"

namespace raven::synth {
namespace {

/// Throws what libav says of `status`, in raven's words for errors of the disk.
void check(int status, const char* action, const std::filesystem::path& file) {
  if (status >= 0) return;
  std::array<char, 128> reason{};
  av_strerror(status, reason.data(), reason.size());
  const int code = AVUNERROR(status);
  if (code > 0 && code < 200) throw_system_error(action, file, code);  // no tag of libav's own
  throw MediaError(fmt::format("cannot {} {}: {}", action, file.string(), reason.data()));
}

template <class T, void (*kFree)(T**)>
struct Free {
  void operator()(T* handle) const noexcept { kFree(&handle); }
};
using Encoder = std::unique_ptr<AVCodecContext, Free<AVCodecContext, avcodec_free_context>>;
using Frame = std::unique_ptr<AVFrame, Free<AVFrame, av_frame_free>>;
using Packet = std::unique_ptr<AVPacket, Free<AVPacket, av_packet_free>>;

struct CloseOutput {
  void operator()(AVFormatContext* output) const noexcept {
    avio_closep(&output->pb);
    avformat_free_context(output);
  }
};
using Output = std::unique_ptr<AVFormatContext, CloseOutput>;

void copy_plane(const cv::Mat& from, std::uint8_t* to, int stride) {
  for (int y = 0; y < from.rows; ++y)
    std::memcpy(to + y * stride, from.ptr(y), static_cast<std::size_t>(from.cols));
}

}  // namespace

void silence_libav() { av_log_set_level(AV_LOG_ERROR); }

struct Mp4Writer::Streams {
  std::filesystem::path file;
  Output output;
  Encoder video, audio;
  AVStream *video_stream = nullptr, *audio_stream = nullptr;
  Frame picture;
  Packet packet{av_packet_alloc()};
  std::int64_t num_pictures = 0;

  AVStream* add_stream(AVCodecContext* encoder) {
    auto* stream = avformat_new_stream(output.get(), nullptr);
    RAVEN_CHECK(stream != nullptr, "out of memory");
    stream->time_base = encoder->time_base;
    check(avcodec_parameters_from_context(stream->codecpar, encoder), "describe a stream of", file);
    return stream;
  }

  Encoder new_encoder(const AVCodec* codec) {
    Encoder encoder(avcodec_alloc_context3(codec));
    RAVEN_CHECK(encoder != nullptr, "out of memory");
    encoder->flags |= AV_CODEC_FLAG_BITEXACT | AV_CODEC_FLAG_GLOBAL_HEADER;
    return encoder;
  }

  void open_video(const Mp4Options& options) {
    const auto* codec = avcodec_find_encoder_by_name("libx264");
    if (codec == nullptr) {
      throw MediaError("this FFmpeg cannot encode H.264 (no libx264); install a libavcodec with it",
                       "no-encoder");
    }
    video = new_encoder(codec);
    video->width = video->height = kFaceSize;
    video->pix_fmt = AV_PIX_FMT_YUV420P;
    video->time_base = {1, kFramesPerSecond};
    video->framerate = {kFramesPerSecond, 1};
    video->thread_count = 1;
    av_opt_set(video->priv_data, "preset", "veryfast", 0);
    av_opt_set_double(video->priv_data, "crf", options.crf, 0);
    // cpu-independent: x264's assembly gives results that depend on where buffers lie in memory.
    // The rest halves the time of "veryfast" at the same size and 0.1 dB less.
    av_opt_set(video->priv_data, "x264-params",
               "cpu-independent=1:subme=1:me=dia:partitions=i4x4:8x8dct=0", 0);
    check(avcodec_open2(video.get(), codec, nullptr), "start H.264 for", file);
    video_stream = add_stream(video.get());
    video_stream->avg_frame_rate = video->framerate;

    picture.reset(av_frame_alloc());
    RAVEN_CHECK(picture != nullptr, "out of memory");
    picture->width = picture->height = kFaceSize;
    picture->format = video->pix_fmt;
    check(av_frame_get_buffer(picture.get(), 0), "allocate a picture for", file);
  }

  void open_audio() {
    const auto* codec = avcodec_find_encoder_by_name("aac");
    if (codec == nullptr) throw MediaError("this FFmpeg cannot encode AAC", "no-encoder");
    audio = new_encoder(codec);
    audio->sample_rate = kSampleRate;
    audio->sample_fmt = AV_SAMPLE_FMT_FLTP;
    audio->bit_rate = 64000;
    audio->time_base = {1, kSampleRate};
    media::set_mono(*audio);
    // A quarter of the default's time, and 2 dB more.
    av_opt_set(audio->priv_data, "aac_coder", "fast", 0);
    check(avcodec_open2(audio.get(), codec, nullptr), "start AAC for", file);
    audio_stream = add_stream(audio.get());
  }

  /// A frame for the encoder (null: no more), and its packets to the file.
  void encode(AVCodecContext* encoder, AVStream* stream, const AVFrame* frame) {
    check(avcodec_send_frame(encoder, frame), "encode", file);
    while (true) {
      const int status = avcodec_receive_packet(encoder, packet.get());
      if (status == AVERROR(EAGAIN) || status == AVERROR_EOF) return;
      check(status, "encode", file);
      if (encoder == video.get() && packet->duration == 0) packet->duration = 1;
      av_packet_rescale_ts(packet.get(), encoder->time_base, stream->time_base);
      packet->stream_index = stream->index;
      check(av_interleaved_write_frame(output.get(), packet.get()), "write", file);
    }
  }
};

Mp4Writer::Mp4Writer(const std::filesystem::path& file, const Mp4Options& options)
    : streams_(std::make_unique<Streams>()) {
  auto& s = *streams_;
  s.file = file;
  AVFormatContext* raw = nullptr;
  check(avformat_alloc_output_context2(&raw, nullptr, "mp4", file.c_str()), "start", file);
  s.output.reset(raw);
  raw->flags |= AVFMT_FLAG_BITEXACT;
  s.open_video(options);
  s.open_audio();
  check(avio_open(&raw->pb, file.c_str(), AVIO_FLAG_WRITE), "create", file);
  AVDictionary* muxer = nullptr;
  av_dict_set(&muxer, "movflags", "+faststart", 0);
  const int status = avformat_write_header(raw, &muxer);
  av_dict_free(&muxer);
  check(status, "write", file);
}

Mp4Writer::~Mp4Writer() = default;

void Mp4Writer::add(const Picture& picture) {
  auto& s = *streams_;
  check(av_frame_make_writable(s.picture.get()), "encode", s.file);
  copy_plane(picture.luma, s.picture->data[0], s.picture->linesize[0]);
  copy_plane(picture.blue, s.picture->data[1], s.picture->linesize[1]);
  copy_plane(picture.red, s.picture->data[2], s.picture->linesize[2]);
  s.picture->pts = s.num_pictures++;
  s.encode(s.video.get(), s.video_stream, s.picture.get());
}

void Mp4Writer::finish(const std::vector<std::int16_t>& samples) {
  auto& s = *streams_;
  const auto block = static_cast<std::size_t>(s.audio->frame_size);
  for (std::size_t start = 0; start < samples.size(); start += block) {
    const auto count = std::min(block, samples.size() - start);
    Frame frame(av_frame_alloc());
    RAVEN_CHECK(frame != nullptr, "out of memory");
    frame->nb_samples = static_cast<int>(count);
    frame->format = s.audio->sample_fmt;
    frame->sample_rate = kSampleRate;
    media::set_mono(*frame);
    check(av_frame_get_buffer(frame.get(), 0), "encode", s.file);
    auto* out = reinterpret_cast<float*>(frame->data[0]);
    for (std::size_t i = 0; i < count; ++i)
      out[i] = static_cast<float>(samples[start + i]) / 32768.0F;
    frame->pts = static_cast<std::int64_t>(start);
    s.encode(s.audio.get(), s.audio_stream, frame.get());
  }
  s.encode(s.video.get(), s.video_stream, nullptr);
  s.encode(s.audio.get(), s.audio_stream, nullptr);
  check(av_write_trailer(s.output.get()), "write", s.file);
  check(avio_closep(&s.output->pb), "write", s.file);
}

}  // namespace raven::synth

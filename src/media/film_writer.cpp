#include "raven/media/film_writer.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "media/av.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/media/media.h"

namespace raven::media {
namespace {

/// Throws what libav says of `status`, in raven's words for errors of the disk.
void check(int status, const char* action, const std::filesystem::path& file) {
  if (status >= 0) return;
  const int code = AVUNERROR(status);
  if (code > 0 && code < 200) throw_system_error(action, file, code);  // no tag of libav's own
  av_fail(status, action, file.string());
}

struct CloseOutput {
  void operator()(AVFormatContext* output) const noexcept {
    avio_closep(&output->pb);
    avformat_free_context(output);
  }
};

void copy_plane(const YuvPicture::Plane& from, int width, int height, std::uint8_t* to,
                int stride) {
  for (int y = 0; y < height; ++y) {
    std::memcpy(to + std::ptrdiff_t{y} * stride, from.pixels + y * from.stride,
                static_cast<std::size_t>(width));
  }
}

/// Not output.h's, which is of one stream in memory: players want what describes an mp4's streams
/// in its header.
CodecHandle encoder_of_film(const char* name) {
  const auto* codec = avcodec_find_encoder_by_name(name);
  if (codec == nullptr) {
    throw MediaError(
        fmt::format("this FFmpeg has no encoder '{}'; install a libavcodec with it", name),
        "no-encoder");
  }
  CodecHandle encoder(avcodec_alloc_context3(codec));
  if (!encoder) throw std::bad_alloc();
  encoder->thread_count = 1;
  encoder->flags |= AV_CODEC_FLAG_BITEXACT | AV_CODEC_FLAG_GLOBAL_HEADER;
  return encoder;
}

}  // namespace

struct FilmWriter::Streams {
  std::filesystem::path file;
  std::unique_ptr<AVFormatContext, CloseOutput> output;
  CodecHandle video, audio;
  AVStream *video_stream = nullptr, *audio_stream = nullptr;
  FrameHandle picture = new_frame();
  PacketHandle packet = new_packet();
  ScalerHandle from_rgb;                           // made when it is needed
  std::int64_t num_pictures = 0, num_samples = 0;  // encoded
  std::vector<float> waiting;                      // samples that do not fill a frame of AAC

  AVStream* add_stream(AVCodecContext* encoder) {
    auto* stream = avformat_new_stream(output.get(), nullptr);
    if (stream == nullptr) throw std::bad_alloc();
    stream->time_base = encoder->time_base;
    check(avcodec_parameters_from_context(stream->codecpar, encoder), "encode", file);
    return stream;
  }

  void open_video(const FilmOptions& options) {
    video = encoder_of_film("libx264");
    video->width = options.width;
    video->height = options.height;
    video->pix_fmt = AV_PIX_FMT_YUV420P;
    video->time_base = {1, static_cast<int>(kFrameRateHz)};
    video->framerate = {static_cast<int>(kFrameRateHz), 1};
    av_opt_set(video->priv_data, "preset", "veryfast", 0);
    av_opt_set_double(video->priv_data, "crf", options.crf, 0);
    // cpu-independent: x264's assembly gives results that depend on where buffers lie in memory.
    // The rest halves the time of "veryfast" at the same size and 0.1 dB less.
    av_opt_set(video->priv_data, "x264-params",
               "cpu-independent=1:subme=1:me=dia:partitions=i4x4:8x8dct=0", 0);
    check(avcodec_open2(video.get(), nullptr, nullptr), "encode", file);
    video_stream = add_stream(video.get());
    video_stream->avg_frame_rate = video->framerate;

    picture->width = options.width;
    picture->height = options.height;
    picture->format = video->pix_fmt;
    check(av_frame_get_buffer(picture.get(), 0), "encode", file);
  }

  void open_audio() {
    audio = encoder_of_film("aac");
    audio->sample_rate = static_cast<int>(kSampleRateHz);
    audio->sample_fmt = AV_SAMPLE_FMT_FLTP;
    audio->bit_rate = 64000;
    audio->time_base = {1, static_cast<int>(kSampleRateHz)};
    set_mono(*audio);
    // A quarter of the default's time, and 2 dB more.
    av_opt_set(audio->priv_data, "aac_coder", "fast", 0);
    check(avcodec_open2(audio.get(), nullptr, nullptr), "encode", file);
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

  AVFrame& next_picture() {
    check(av_frame_make_writable(picture.get()), "encode", file);
    picture->pts = num_pictures++;
    return *picture;
  }

  SwsContext* converter() {
    if (from_rgb) return from_rgb.get();
    from_rgb.reset(sws_getContext(picture->width, picture->height, AV_PIX_FMT_RGB24, picture->width,
                                  picture->height, AV_PIX_FMT_YUV420P,
                                  SWS_BILINEAR | SWS_BITEXACT | SWS_ACCURATE_RND, nullptr, nullptr,
                                  nullptr));
    if (!from_rgb) throw std::bad_alloc();
    return from_rgb.get();
  }

  void encode_samples(std::span<const float> samples) {
    const auto frame = new_frame();
    frame->nb_samples = static_cast<int>(samples.size());
    frame->format = audio->sample_fmt;
    frame->sample_rate = audio->sample_rate;
    set_mono(*frame);
    check(av_frame_get_buffer(frame.get(), 0), "encode", file);
    std::ranges::copy(samples, reinterpret_cast<float*>(frame->data[0]));
    frame->pts = num_samples;
    num_samples += std::ssize(samples);
    encode(audio.get(), audio_stream, frame.get());
  }
};

FilmWriter::FilmWriter(const std::filesystem::path& file, const FilmOptions& options)
    : streams_(std::make_unique<Streams>()) {
  start_libav();
  clear_log();
  auto& s = *streams_;
  s.file = file;
  AVFormatContext* raw = nullptr;
  check(avformat_alloc_output_context2(&raw, nullptr, "mp4", file.c_str()), "create", file);
  s.output.reset(raw);
  raw->flags |= AVFMT_FLAG_BITEXACT;
  s.open_video(options);
  if (options.with_sound) s.open_audio();
  check(avio_open(&raw->pb, file.c_str(), AVIO_FLAG_WRITE), "create", file);
  AVDictionary* muxer = nullptr;
  av_dict_set(&muxer, "movflags", "+faststart", 0);
  const int status = avformat_write_header(raw, &muxer);
  av_dict_free(&muxer);
  check(status, "write", file);
}

FilmWriter::~FilmWriter() = default;

void FilmWriter::add(const YuvPicture& picture) {
  auto& s = *streams_;
  auto& frame = s.next_picture();
  copy_plane(picture.luma, frame.width, frame.height, frame.data[0], frame.linesize[0]);
  copy_plane(picture.blue, frame.width / 2, frame.height / 2, frame.data[1], frame.linesize[1]);
  copy_plane(picture.red, frame.width / 2, frame.height / 2, frame.data[2], frame.linesize[2]);
  s.encode(s.video.get(), s.video_stream, &frame);
}

void FilmWriter::add(const RgbPicture& picture) {
  auto& s = *streams_;
  auto& frame = s.next_picture();
  const int stride = static_cast<int>(picture.stride);
  check(sws_scale(s.converter(), &picture.pixels, &stride, 0, frame.height, frame.data,
                  frame.linesize),
        "encode", s.file);
  s.encode(s.video.get(), s.video_stream, &frame);
}

void FilmWriter::add(std::span<const float> samples) {
  auto& s = *streams_;
  RAVEN_CHECK(s.audio != nullptr, "samples for a film without sound");
  s.waiting.insert(s.waiting.end(), samples.begin(), samples.end());
  const auto block = static_cast<std::size_t>(s.audio->frame_size);
  std::size_t begin = 0;
  for (; begin + block <= s.waiting.size(); begin += block)
    s.encode_samples(std::span(s.waiting).subspan(begin, block));
  s.waiting.erase(s.waiting.begin(), s.waiting.begin() + static_cast<std::ptrdiff_t>(begin));
}

void FilmWriter::finish() {
  auto& s = *streams_;
  if (!s.waiting.empty()) s.encode_samples(s.waiting);
  s.encode(s.video.get(), s.video_stream, nullptr);
  if (s.audio) s.encode(s.audio.get(), s.audio_stream, nullptr);
  check(av_write_trailer(s.output.get()), "write", s.file);
  check(avio_closep(&s.output->pb), "write", s.file);
}

}  // namespace raven::media

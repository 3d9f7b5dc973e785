#include "raven/media/media_writer.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>
#include <utility>

#include "media/output.h"
#include "raven/core/error.h"
#include "raven/media/media.h"

namespace raven::media {
namespace {

// The H.264 encoder is asked for by name when it is needed: raven itself links none.
constexpr const char* kH264Encoder = "libx264";
constexpr int kAudioBlock = 4096;  // samples, where the codec does not mind

class EncoderOptions {
 public:
  void set(const char* key, const std::string& value) {
    av_dict_set(&dictionary_, key, value.c_str(), 0);
  }
  AVDictionary** get() { return &dictionary_; }
  EncoderOptions() = default;
  ~EncoderOptions() { av_dict_free(&dictionary_); }
  EncoderOptions(const EncoderOptions&) = delete;
  EncoderOptions& operator=(const EncoderOptions&) = delete;

 private:
  AVDictionary* dictionary_ = nullptr;
};

CodecHandle grey_encoder(const char* name, const char* hint, const GreyFrames& frames) {
  auto encoder = new_encoder(name, hint);
  encoder->width = static_cast<int>(frames.width);
  encoder->height = static_cast<int>(frames.height);
  encoder->pix_fmt = AV_PIX_FMT_GRAY8;
  encoder->color_range = AVCOL_RANGE_JPEG;
  encoder->time_base = {1, static_cast<int>(kFrameRateHz)};
  encoder->framerate = {static_cast<int>(kFrameRateHz), 1};
  return encoder;
}

void copy_rows(const std::uint8_t* in, AVFrame& frame) {
  for (int y = 0; y < frame.height; ++y) {
    std::memcpy(frame.data[0] + std::ptrdiff_t{y} * frame.linesize[0],
                in + std::ptrdiff_t{y} * frame.width, static_cast<std::size_t>(frame.width));
  }
}

std::int16_t to_int16(float sample) {
  const float scaled = std::isnan(sample) ? 0.0F : sample * 32768.0F;
  return static_cast<std::int16_t>(std::lrint(std::clamp(scaled, -32768.0F, 32767.0F)));
}

void put_samples(std::span<const float> part, AVFrame& frame) {
  if (frame.format == AV_SAMPLE_FMT_FLT) {
    std::ranges::copy(part, reinterpret_cast<float*>(frame.data[0]));
  } else {
    std::ranges::transform(part, reinterpret_cast<std::int16_t*>(frame.data[0]), to_int16);
  }
}

/// `format`: of the samples as the codec takes them, floats or 16-bit integers.
std::string encode_audio(const char* container, const char* codec, const char* what,
                         std::span<const float> samples,
                         AVSampleFormat format = AV_SAMPLE_FMT_S16) {
  auto encoder = new_encoder(codec, "install a libavcodec that has it");
  encoder->sample_fmt = format;
  encoder->sample_rate = static_cast<int>(kSampleRateHz);
  encoder->time_base = {1, static_cast<int>(kSampleRateHz)};
  set_mono(*encoder);
  EncoderOptions options;
  MemoryWriter writer(container, std::move(encoder), options.get(), what);
  const int block = writer.frame_size() > 0 ? writer.frame_size() : kAudioBlock;
  const auto frame = new_frame();
  for (std::size_t begin = 0; begin < samples.size(); begin += static_cast<std::size_t>(block)) {
    const auto part =
        samples.subspan(begin, std::min(samples.size() - begin, static_cast<std::size_t>(block)));
    av_frame_unref(frame.get());
    frame->format = format;
    frame->sample_rate = static_cast<int>(kSampleRateHz);
    set_mono(*frame);
    frame->nb_samples = static_cast<int>(part.size());
    frame->pts = static_cast<std::int64_t>(begin);
    av_check(av_frame_get_buffer(frame.get(), 0), "encode", what);
    put_samples(part, *frame);
    writer.write(*frame);
  }
  return writer.finish();
}

std::string encode_video(const char* container, const GreyFrames& frames, EncoderOptions& options,
                         const char* what, CodecHandle encoder) {
  RAVEN_CHECK(frames.num_frames > 0 && frames.height > 0 && frames.width > 0 &&
                  std::ssize(frames.pixels) == frames.num_frames * frames.height * frames.width,
              "{} pixels for {} frames of {} x {}", frames.pixels.size(), frames.num_frames,
              frames.height, frames.width);
  MemoryWriter writer(container, std::move(encoder), options.get(), what);
  const auto frame = new_frame();
  for (std::int64_t t = 0; t < frames.num_frames; ++t) {
    av_frame_unref(frame.get());
    frame->format = AV_PIX_FMT_GRAY8;
    frame->width = static_cast<int>(frames.width);
    frame->height = static_cast<int>(frames.height);
    frame->color_range = AVCOL_RANGE_JPEG;
    frame->pts = t;
    av_check(av_frame_get_buffer(frame.get(), 0), "encode", what);
    copy_rows(frames.pixels.data() + t * frames.height * frames.width, *frame);
    writer.write(*frame);
  }
  return writer.finish();
}

bool is_int16(float sample) {
  const float scaled = sample * 32768.0F;
  return scaled >= -32768.0F && scaled <= 32767.0F && scaled == std::nearbyint(scaled) &&
         !(sample == 0.0F && std::signbit(sample));
}

void check_preset(const std::string& preset) {
  constexpr const char* kPresets[] = {"ultrafast", "superfast", "veryfast", "faster",  "fast",
                                      "medium",    "slow",      "slower",   "veryslow"};
  if (std::find(std::begin(kPresets), std::end(kPresets), preset) != std::end(kPresets)) return;
  throw ConfigError(
      fmt::format("no H.264 preset '{}', expected one of {}", preset, fmt::join(kPresets, ", ")));
}

}  // namespace

bool can_encode_h264() { return avcodec_find_encoder_by_name(kH264Encoder) != nullptr; }

std::string encode_mp4(const GreyFrames& frames, const H264Options& h264) {
  RAVEN_CHECK(h264.crf >= 0 && h264.crf <= 51, "crf is {}", h264.crf);
  check_preset(h264.preset);
  EncoderOptions options;
  options.set("preset", h264.preset);
  options.set("tune", "fastdecode");
  options.set("crf", std::to_string(h264.crf));
  // Whole blocks decode a tenth faster than divided ones and take 2 % more bytes. The encoder picks
  // other code for other processors, and that code rounds differently.
  options.set("x264-params", "partitions=none:cpu-independent=1");
  return encode_video(
      "mp4", frames, options, "an H.264 clip",
      grey_encoder(kH264Encoder, "store raw frames instead, or install one with libx264", frames));
}

std::string encode_avi(const GreyFrames& frames) {
  EncoderOptions options;
  auto encoder = grey_encoder("ffv1", "install a libavcodec that has it", frames);
  encoder->gop_size = 1;
  return encode_video("avi", frames, options, "an FFV1 clip", std::move(encoder));
}

std::string encode_wav(std::span<const float> samples) {
  return encode_audio("wav", "pcm_s16le", "a WAV file", samples);
}

std::string encode_exact_wav(std::span<const float> samples) {
  if (std::ranges::all_of(samples, is_int16)) return encode_wav(samples);
  return encode_audio("wav", "pcm_f32le", "a WAV file", samples, AV_SAMPLE_FMT_FLT);
}

std::string encode_flac(std::span<const float> samples) {
  return encode_audio("flac", "flac", "a FLAC file", samples);
}

}  // namespace raven::media

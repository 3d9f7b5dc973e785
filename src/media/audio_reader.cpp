#include "raven/media/audio_reader.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>

#include "media/decoder.h"
#include "media/input.h"
#include "media/sound_timeline.h"
#include "raven/core/error.h"
#include "raven/media/video_reader.h"

namespace raven::media {
namespace {

constexpr int kLeastRateHz = 1000, kMostRateHz = 768'000;

const AVStream& open_audio(Input& input, const Limits& limits) {
  const AVStream* stream = input.best(AVMEDIA_TYPE_AUDIO);
  if (stream != nullptr) check_audio_header(input, *stream, limits);
  if (stream == nullptr || !input.header_suffices(*stream)) {
    input.find_stream_info(limits);
    stream = input.best(AVMEDIA_TYPE_AUDIO);
  }
  if (stream == nullptr) {
    throw MediaError(fmt::format("{}: has no audio stream", input.name()), "no-audio");
  }
  check_audio_header(input, *stream, limits);
  input.select(*stream);
  return *stream;
}

/// Sound of one format -> mono at 16 kHz, appended to a vector. Channels are averaged. A run of n
/// samples at rate r becomes exactly n * 16000 / r samples, rounded.
class Resampler {
 public:
  Resampler(std::vector<float>& out, const std::string& name) : out_(out), name_(name) {}

  /// Starts again when the format differs from the one before.
  void add(const AVFrame& frame) {
    if (!same_format(frame)) {
      finish();
      start(frame);
    }
    num_in_ += frame.nb_samples;
    convert(const_cast<const std::uint8_t**>(frame.extended_data), frame.nb_samples);
  }

  /// Of what was added, as it will be after finish().
  [[nodiscard]] double seconds() const {
    const double before = static_cast<double>(begin_) / static_cast<double>(kSampleRateHz);
    return context_ ? before + static_cast<double>(num_in_) / rate_hz_
                    : static_cast<double>(out_.size()) / static_cast<double>(kSampleRateHz);
  }

  /// What the filter still holds; then cut or padded to the exact number.
  void finish() {
    if (!context_) return;
    convert(nullptr, 0);
    const auto wanted = av_rescale(num_in_, kSampleRateHz, rate_hz_);
    out_.resize(begin_ + static_cast<std::size_t>(wanted));
    context_.reset();
  }

 private:
  bool same_format(const AVFrame& frame) const {
    return context_ && frame.sample_rate == rate_hz_ && frame.format == format_ &&
           num_channels(frame) == channels_;
  }

  void start(const AVFrame& frame) {
    rate_hz_ = frame.sample_rate;
    format_ = frame.format;
    channels_ = num_channels(frame);
    num_in_ = 0;
    begin_ = out_.size();
    // Which channel is which is of no matter to an average.
    context_.reset(new_mono_resampler(AV_SAMPLE_FMT_FLT, static_cast<int>(kSampleRateHz), channels_,
                                      static_cast<AVSampleFormat>(format_), rate_hz_));
    if (!context_) av_fail(AVERROR(EINVAL), "set up the resampler", name_);
    const std::vector<double> average(static_cast<std::size_t>(channels_), 1.0 / channels_);
    if (channels_ > 1) {
      av_check(swr_set_matrix(context_.get(), average.data(), channels_), "mix channels", name_);
    }
    av_check(swr_init(context_.get()), "set up the resampler", name_);
  }

  void convert(const std::uint8_t** in, int num_in) {
    const int room = av_check(swr_get_out_samples(context_.get(), num_in), "resample", name_);
    const auto begin = out_.size();
    out_.resize(begin + static_cast<std::size_t>(room));
    auto* to = reinterpret_cast<std::uint8_t*>(out_.data() + begin);
    const int count =
        av_check(swr_convert(context_.get(), &to, room, in, num_in), "resample", name_);
    out_.resize(begin + static_cast<std::size_t>(count));
  }

  std::vector<float>& out_;
  const std::string& name_;
  ResamplerHandle context_;
  int rate_hz_ = 0, format_ = AV_SAMPLE_FMT_NONE, channels_ = 0;
  std::int64_t num_in_ = 0;  // since start()
  std::size_t begin_ = 0;    // of this format's samples in out_
};

/// Whether the mean of the channels keeps what they hold. Looks at some of the blocks only.
class ChannelBalance {
 public:
  void add(const AVFrame& frame) {
    constexpr std::int64_t kOneOf = 8;
    if (num_channels(frame) < 2 || num_blocks_++ % kOneOf != 0) return;
    switch (av_get_packed_sample_fmt(static_cast<AVSampleFormat>(frame.format))) {
      case AV_SAMPLE_FMT_U8:
        return add_samples<std::uint8_t>(frame);
      case AV_SAMPLE_FMT_S16:
        return add_samples<std::int16_t>(frame);
      case AV_SAMPLE_FMT_S32:
        return add_samples<std::int32_t>(frame);
      case AV_SAMPLE_FMT_FLT:
        return add_samples<float>(frame);
      case AV_SAMPLE_FMT_DBL:
        return add_samples<double>(frame);
      default:
        return;  // 64-bit integers
    }
  }

  /// Channels that have nothing in common keep 1 / (their number), 1/8 at least.
  [[nodiscard]] bool cancels() const {
    constexpr double kSilent = 1e-8, kKept = 0.01;  // -80 dB of full scale; -20 dB of the channels
    const auto count = static_cast<double>(num_samples_);
    return num_samples_ > 0 && of_channels_ / count > kSilent && of_mean_ < kKept * of_channels_;
  }

 private:
  template <class Sample>
  static double value_of(Sample sample) {
    if constexpr (std::is_same_v<Sample, std::uint8_t>) return (sample - 128) / 128.0;
    if constexpr (std::is_floating_point_v<Sample>) return sample;
    return static_cast<double>(sample) / std::numeric_limits<Sample>::max();
  }

  template <class Sample>
  void add_samples(const AVFrame& frame) {
    const bool planar = av_sample_fmt_is_planar(static_cast<AVSampleFormat>(frame.format)) != 0;
    const int channels = num_channels(frame);
    for (int i = 0; i < frame.nb_samples; ++i) {
      double sum = 0, squares = 0;
      for (int c = 0; c < channels; ++c) {
        const auto* plane = reinterpret_cast<const Sample*>(frame.extended_data[planar ? c : 0]);
        const double value = value_of(plane[planar ? i : i * channels + c]);
        sum += value;
        squares += value * value;
      }
      of_mean_ += sum * sum / (channels * channels);
      of_channels_ += squares / channels;
    }
    num_samples_ += frame.nb_samples;
  }

  std::int64_t num_blocks_ = 0, num_samples_ = 0;
  double of_mean_ = 0, of_channels_ = 0;  // sums of squares
};

/// Throws when a decoded block is beyond the limits or of an impossible format.
class AudioCheck {
 public:
  AudioCheck(const Limits& limits, const std::string& name) : limits_(limits), name_(name) {}

  void add(const AVFrame& frame) {
    const int channels = num_channels(frame), rate_hz = frame.sample_rate;
    if (channels < 1 || rate_hz < kLeastRateHz || rate_hz > kMostRateHz) {
      throw MediaError(fmt::format("{}: {} audio channels at {} Hz, expected at least one at {} to "
                                   "{} Hz",
                                   name_, channels, rate_hz, kLeastRateHz, kMostRateHz),
                       "unsupported");
    }
    if (channels > limits_.max_channels) {
      throw MediaError(fmt::format("{}: {} audio channels, more than the {} allowed", name_,
                                   channels, limits_.max_channels),
                       "too-large");
    }
    duration_s_ += static_cast<double>(frame.nb_samples) / rate_hz;
    const double bytes = duration_s_ * kSampleRateHz * sizeof(float);
    if (duration_s_ > limits_.max_duration_s + 1 ||
        bytes > static_cast<double>(limits_.max_decoded_bytes)) {
      throw MediaError(fmt::format("{}: audio of more than the {:.0f} s or {} bytes allowed", name_,
                                   limits_.max_duration_s, limits_.max_decoded_bytes),
                       "too-large");
    }
  }

 private:
  const Limits& limits_;
  const std::string& name_;
  double duration_s_ = 0;
};

/// As VideoReader tells it; empty where there are no pictures that sound could stay with.
std::optional<double> decoded_first_picture_s(const Source& source, const Limits& limits) {
  try {
    return VideoReader(source, {.limits = limits}).start_s();
  } catch (const MediaError&) {
    return std::nullopt;
  }
}

}  // namespace

AudioSamples read_audio(const Source& source, const AudioOptions& options) {
  const auto& limits = options.limits;
  Input input(source);
  const AVStream& stream = open_audio(input, limits);
  const AVStream* pictures =
      options.from_first_picture && !options.origin_s ? input.best(AVMEDIA_TYPE_VIDEO) : nullptr;
  if (pictures != nullptr) input.watch(*pictures);
  Decoder decoder(input, stream, limits);
  AudioSamples audio;
  audio.track = input.choice(stream);
  AudioCheck check(limits, input.name());
  Resampler resampler(audio.samples, input.name());
  SoundTimeline timeline;
  ChannelBalance balance;
  const auto frame = new_frame();
  while (decoder.next(input, *frame)) {
    if (frame->nb_samples == 0) continue;
    check.add(*frame);
    if (audio.source_channels == 0) {
      audio.source_sample_rate_hz = frame->sample_rate;
      audio.source_channels = num_channels(*frame);
    }
    const auto time = frame->best_effort_timestamp;
    if (time != AV_NOPTS_VALUE) {
      timeline.add(resampler.seconds(), static_cast<double>(time) * av_q2d(stream.time_base));
    }
    balance.add(*frame);
    resampler.add(*frame);
  }
  resampler.finish();
  if (audio.samples.empty()) {
    throw MediaError(fmt::format("{}: the audio stream holds no samples", input.name()), "empty");
  }
  timeline.finish();
  auto origin_s = options.origin_s;
  if (pictures != nullptr) {
    origin_s = input.first_picture_s();
    if (!origin_s) origin_s = decoded_first_picture_s(source, limits);
  }
  const auto placement = timeline.place(audio.samples, origin_s, limits, input.name());
  const auto in_seconds = [](std::int64_t samples) {
    return static_cast<double>(samples) / static_cast<double>(kSampleRateHz);
  };
  audio.silence_before_s = in_seconds(placement.silence_before);
  audio.cut_before_s = in_seconds(placement.cut_before);
  audio.filled_s = in_seconds(placement.filled);
  audio.overlapping_s = in_seconds(placement.overlapping);
  audio.heard = placement.heard;
  audio.damage = decoder.damage();
  audio.channels_cancel = balance.cancels();
  return audio;
}

void fit_to_frames(std::vector<float>& samples, std::int64_t num_frames) {
  RAVEN_CHECK(num_frames >= 0, "{} frames", num_frames);
  samples.resize(static_cast<std::size_t>(num_frames * kSamplesPerFrame));
}

}  // namespace raven::media

#include "media/audio_decoding.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <limits>
#include <type_traits>

#include "raven/core/error.h"

namespace raven::media {
namespace {

constexpr int kLeastRateHz = 1000, kMostRateHz = 768'000;

template <class Sample>
double value_of(Sample sample) {
  if constexpr (std::is_same_v<Sample, std::uint8_t>) return (sample - 128) / 128.0;
  if constexpr (std::is_floating_point_v<Sample>) return sample;
  return static_cast<double>(sample) / std::numeric_limits<Sample>::max();
}

}  // namespace

void Resampler::add(const AVFrame& frame) {
  if (!same_format(frame)) {
    finish();
    start(frame);
  }
  num_in_ += frame.nb_samples;
  convert(const_cast<const std::uint8_t**>(frame.extended_data), frame.nb_samples);
}

double Resampler::seconds() const {
  constexpr auto kRate = static_cast<double>(kSampleRateHz);
  const double before = static_cast<double>(begin_) / kRate;
  return context_ ? before + static_cast<double>(num_in_) / rate_hz_
                  : static_cast<double>(dropped_ + std::ssize(out_)) / kRate;
}

void Resampler::finish() {
  if (!context_) return;
  convert(nullptr, 0);
  const auto wanted = av_rescale(num_in_, kSampleRateHz, rate_hz_);
  out_.resize(static_cast<std::size_t>(begin_ + wanted - dropped_));
  context_.reset();
}

void Resampler::drop(std::int64_t count) {
  out_.erase(out_.begin(), out_.begin() + count);
  dropped_ += count;
}

std::int64_t Resampler::num_certain() const {
  const auto size = std::ssize(out_);
  if (!context_) return size;  // finish() cuts nothing more
  const auto wanted = begin_ + av_rescale(num_in_, kSampleRateHz, rate_hz_) - dropped_;
  return std::max<std::int64_t>(std::min(size, wanted), 0);
}

bool Resampler::same_format(const AVFrame& frame) const {
  return context_ && frame.sample_rate == rate_hz_ && frame.format == format_ &&
         num_channels(frame) == channels_;
}

void Resampler::start(const AVFrame& frame) {
  rate_hz_ = frame.sample_rate;
  format_ = frame.format;
  channels_ = num_channels(frame);
  num_in_ = 0;
  begin_ = dropped_ + std::ssize(out_);
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

void Resampler::convert(const std::uint8_t** in, int num_in) {
  const int room = av_check(swr_get_out_samples(context_.get(), num_in), "resample", name_);
  const auto begin = out_.size();
  out_.resize(begin + static_cast<std::size_t>(room));
  auto* to = reinterpret_cast<std::uint8_t*>(out_.data() + begin);
  const int count = av_check(swr_convert(context_.get(), &to, room, in, num_in), "resample", name_);
  out_.resize(begin + static_cast<std::size_t>(count));
}

void ChannelBalance::add(const AVFrame& frame) {
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

bool ChannelBalance::cancels() const {
  constexpr double kSilent = 1e-8, kKept = 0.01;  // -80 dB of full scale; -20 dB of the channels
  const auto count = static_cast<double>(num_samples_);
  return num_samples_ > 0 && of_channels_ / count > kSilent && of_mean_ < kKept * of_channels_;
}

template <class Sample>
void ChannelBalance::add_samples(const AVFrame& frame) {
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

void AudioCheck::add(const AVFrame& frame) {
  const int channels = num_channels(frame), rate_hz = frame.sample_rate;
  if (channels < 1 || rate_hz < kLeastRateHz || rate_hz > kMostRateHz) {
    throw MediaError(
        fmt::format("{}: {} audio channels at {} Hz, expected at least one at {} to {} Hz", name_,
                    channels, rate_hz, kLeastRateHz, kMostRateHz),
        "unsupported");
  }
  if (channels > limits_.max_channels) {
    throw MediaError(fmt::format("{}: {} audio channels, more than the {} allowed", name_, channels,
                                 limits_.max_channels),
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

const AVStream& AudioDecoding::open(Input& input, const Limits& limits) {
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

AudioDecoding::AudioDecoding(const Source& source, const Limits& limits, bool watch_pictures)
    : input_(source),
      stream_(open(input_, limits)),
      watches_pictures_(watch_pictures && input_.best(AVMEDIA_TYPE_VIDEO) != nullptr),
      decoder_(input_, stream_, limits),
      check_(limits, input_.name()),
      resampler_(samples_, input_.name()),
      frame_(new_frame()) {
  if (watches_pictures_) input_.watch(*input_.best(AVMEDIA_TYPE_VIDEO));
}

bool AudioDecoding::step() {
  if (!decoder_.next(input_, *frame_)) {
    resampler_.finish();
    if (resampler_.seconds() == 0) {
      throw MediaError(fmt::format("{}: the audio stream holds no samples", input_.name()),
                       "empty");
    }
    timeline_.finish();
    return false;
  }
  if (frame_->nb_samples == 0) return true;
  check_.add(*frame_);
  if (source_channels_ == 0) {
    source_sample_rate_hz_ = frame_->sample_rate;
    source_channels_ = num_channels(*frame_);
  }
  const auto time = frame_->best_effort_timestamp;
  if (time != AV_NOPTS_VALUE) {
    timeline_.add(resampler_.seconds(), static_cast<double>(time) * av_q2d(stream_.time_base));
  }
  balance_.add(*frame_);
  resampler_.add(*frame_);
  return true;
}

}  // namespace raven::media

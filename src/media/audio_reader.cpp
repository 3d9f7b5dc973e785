#include "raven/media/audio_reader.h"

#include <optional>

#include "media/audio_decoding.h"
#include "media/sound_timeline.h"
#include "raven/core/error.h"
#include "raven/media/video_reader.h"

namespace raven::media {

std::optional<double> decoded_first_picture_s(const Source& source, const Limits& limits) {
  try {
    return VideoReader(source, {.limits = limits}).start_s();
  } catch (const MediaError&) {
    return std::nullopt;
  }
}

AudioSamples read_audio(const Source& source, const AudioOptions& options) {
  const auto& limits = options.limits;
  AudioDecoding decoding(source, limits, options.from_first_picture && !options.origin_s);
  while (decoding.step()) continue;
  AudioSamples audio;
  audio.track = decoding.track();
  audio.source_sample_rate_hz = decoding.source_sample_rate_hz();
  audio.source_channels = decoding.source_channels();
  auto origin_s = options.origin_s;
  if (decoding.watches_pictures()) {
    origin_s = decoding.input().first_picture_s();
    if (!origin_s) origin_s = decoded_first_picture_s(source, limits);
  }
  audio.samples = std::move(decoding.samples());
  const auto placement =
      decoding.timeline().place(audio.samples, origin_s, limits, decoding.input().name());
  const auto in_seconds = [](std::int64_t samples) {
    return static_cast<double>(samples) / static_cast<double>(kSampleRateHz);
  };
  audio.silence_before_s = in_seconds(placement.silence_before);
  audio.cut_before_s = in_seconds(placement.cut_before);
  audio.filled_s = in_seconds(placement.filled);
  audio.overlapping_s = in_seconds(placement.overlapping);
  audio.heard = placement.heard;
  audio.damage = decoding.damage();
  audio.channels_cancel = decoding.channels_cancel();
  return audio;
}

void fit_to_frames(std::vector<float>& samples, std::int64_t num_frames) {
  RAVEN_CHECK(num_frames >= 0, "{} frames", num_frames);
  samples.resize(static_cast<std::size_t>(num_frames * kSamplesPerFrame));
}

}  // namespace raven::media

#include <cstddef>
#include <cstdint>

#include "raven/core/error.h"
#include "raven/media/audio_reader.h"
#include "raven/media/probe.h"
#include "raven/media/video_reader.h"

namespace {

using namespace raven::media;

constexpr Limits kLimits{.max_width = 256,
                         .max_height = 256,
                         .max_duration_s = 20,
                         .max_channels = 2,
                         .max_decoded_bytes = 8 << 20};

template <class Call>
void attempt(Call call) {
  try {
    call();
  } catch (const raven::MediaError&) {
  }
}

void check(const VideoFrames& frames) {
  const auto pixels = frames.num_frames * frames.height * frames.width * frames.channels;
  if (frames.pixels.size() != static_cast<std::size_t>(pixels)) __builtin_trap();
  if (frames.pixels.size() > kLimits.max_decoded_bytes) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Source source({reinterpret_cast<const std::byte*>(data), size}, "fuzz");
  attempt([&] { probe(source, kLimits); });
  attempt([&] { read_audio(source, {.limits = kLimits}); });
  attempt([&] { check(read_video(source, {.limits = kLimits})); });
  attempt([&] { check(read_video(source, {.format = PixelFormat::kRgb, .limits = kLimits})); });
  return 0;
}

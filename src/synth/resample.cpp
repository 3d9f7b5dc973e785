#include "media/av_version.h"
#include "raven/core/error.h"
#include "synth/clip.h"
#include "synth/speech.h"

namespace raven::synth {

std::vector<std::int16_t> resample_to_16k(const std::vector<std::int16_t>& samples, int rate_hz) {
  SwrContext* context =
      media::new_mono_resampler(AV_SAMPLE_FMT_S16, kSampleRate, 1, AV_SAMPLE_FMT_S16, rate_hz);
  const bool ready = context != nullptr && swr_init(context) >= 0;
  std::vector<std::int16_t> out;
  int converted = -1, flushed = -1;
  if (ready) {
    out.resize(samples.size() * kSampleRate / static_cast<std::size_t>(rate_hz) +
               512);  // 512: the filter's tail
    const auto* in_bytes = reinterpret_cast<const std::uint8_t*>(samples.data());
    auto* out_bytes = reinterpret_cast<std::uint8_t*>(out.data());
    converted = swr_convert(context, &out_bytes, static_cast<int>(out.size()), &in_bytes,
                            static_cast<int>(samples.size()));
    if (converted >= 0) {
      out_bytes = reinterpret_cast<std::uint8_t*>(out.data() + converted);
      flushed =
          swr_convert(context, &out_bytes, static_cast<int>(out.size()) - converted, nullptr, 0);
    }
  }
  swr_free(&context);
  RAVEN_CHECK(ready && converted >= 0 && flushed >= 0, "libswresample refused {} Hz to {} Hz",
              rate_hz, kSampleRate);
  out.resize(static_cast<std::size_t>(converted + flushed));
  return out;
}

}  // namespace raven::synth

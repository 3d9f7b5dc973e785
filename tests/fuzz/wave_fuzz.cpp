#include <cstdint>
#include <vector>

#include "raven/core/error.h"
#include "raven/data/wave_view.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto pcm = raven::data::view_pcm16_wave(std::as_bytes(std::span(data, size)), "fuzz");
    if (pcm) {
      std::vector<float> samples(pcm->size() / 2);
      raven::data::pcm16_to_float(*pcm, samples.data());
    }
  } catch (const raven::DataError&) {
  }
  return 0;
}

#include <cstdint>
#include <string_view>

#include "raven/core/error.h"
#include "raven/data/manifest.h"

/// The first byte chooses between the two kinds of list.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view content(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    const auto manifest =
        raven::data::parse_manifest(content, data[0] == 'c' ? "/d/fuzz.csv" : "/d/fuzz.tsv");
    for (const auto& utterance : manifest.utterances) {
      if (utterance.id.empty() || utterance.frames < 1 || utterance.video.empty()) __builtin_trap();
    }
  } catch (const raven::DataError&) {
  }
  return 0;
}

#include <cstdint>
#include <string_view>

#include "raven/core/error.h"
#include "raven/core/utf8.h"
#include "raven/data/manifest.h"

/// The first byte chooses between the two kinds of list.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view content(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    const auto manifest =
        raven::data::parse_manifest(content, data[0] == 'c' ? "/d/fuzz.csv" : "/d/fuzz.tsv");
    for (const auto& utterance : manifest.utterances) {
      const bool is_nothing = utterance.video.empty() && utterance.audio.empty();
      if (utterance.id.empty() || utterance.frames < 1 || is_nothing) __builtin_trap();
      if (!raven::is_utf8(utterance.id) || !raven::is_utf8(utterance.text)) __builtin_trap();
    }
  } catch (const raven::DataError&) {
  } catch (const raven::ConfigError&) {  // of ~/ where there is no home
  }
  return 0;
}

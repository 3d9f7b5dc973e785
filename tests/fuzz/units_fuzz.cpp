// Units files and what is made of them.
#include "raven/text/units.h"

#include <cstddef>
#include <cstdint>
#include <vector>

#include "raven/core/error.h"
#include "raven/text/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace raven::text;
  const std::string_view content(reinterpret_cast<const char*>(data), size);
  try {
    const auto units = Units::parse(content, "fuzz");
    if (!(Units::parse(units.text(), "fuzz") == units)) __builtin_trap();
    UnitCounts counts;
    counts.counts.assign(static_cast<std::size_t>(units.size()), 1);
    for (const auto id : make_unigram_tokenizer(units, counts)->encode(content.substr(0, 2000))) {
      if (id <= Units::kBlank || id >= units.eos()) __builtin_trap();
    }
  } catch (const raven::DataError&) {
  }
  return 0;
}

// trn files, and what comparing their texts makes of them.
#include "raven/text/trn.h"

#include <cstddef>
#include <cstdint>
#include <set>

#include "raven/core/error.h"
#include "raven/core/utf8.h"
#include "raven/text/error_rate.h"
#include "raven/text/normalise.h"
#include "raven/text/words.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace raven::text;
  const std::string_view content(reinterpret_cast<const char*>(data), size);
  const auto normalised = normalise(content);
  if (normalise(normalised) != normalised || !raven::is_utf8(normalised)) __builtin_trap();
  try {
    auto utterances = parse_trn(content, "fuzz");
    std::set<std::string> ids;
    std::vector<TrnUtterance> written;
    for (auto& utterance : utterances) {
      const auto errors = compare(utterance.text, utterances.front().text);
      if (errors.words.errors() < errors.least_word_errors) __builtin_trap();
      if (ids.insert(utterance.speaker + "-" + utterance.utterance).second &&
          !utterance.speaker.empty())
        written.push_back(utterance);
    }
    if (parse_trn(write_trn(written), "fuzz").size() != written.size()) __builtin_trap();
  } catch (const raven::DataError&) {
  }
  return 0;
}

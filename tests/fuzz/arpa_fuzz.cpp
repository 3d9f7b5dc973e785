// ARPA files of n-gram models.
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "raven/core/error.h"
#include "raven/text/ngram.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace raven::text;
  const std::string_view content(reinterpret_cast<const char*>(data), size);
  try {
    const auto model = NgramModel::parse_arpa(content, "fuzz");
    const auto again = NgramModel::parse_arpa(model.arpa(), "again");
    if (again.num_words() != model.num_words()) __builtin_trap();
    std::vector<NgramWord> history;
    for (NgramWord word = 0; word < model.num_words() && word < 20; ++word) {
      if (std::isnan(model.log_prob(history, word))) __builtin_trap();
      if (std::ssize(model.log_probs(history)) != model.num_words() + 1) __builtin_trap();
      history.push_back(word);
    }
  } catch (const raven::DataError&) {
  }
  return 0;
}

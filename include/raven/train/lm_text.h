// The sentences that a language model learns from, and those that it is judged by.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "raven/config/lm_config.h"
#include "raven/text/sentences.h"
#include "raven/text/tokenizer.h"

namespace raven::train {

struct SentenceSet {
  text::Sentences sentences;
  std::int64_t words = 0;
};

struct LmText {
  SentenceSet training, held_out;
  std::int64_t excluded = 0;  // sentences of data.text that are left out as others have them
  std::int64_t without = 0;   // lines and utterances without a word
  std::int64_t cut = 0;       // sentences longer than data.longest
  std::int64_t unknown = 0;   // units of the training text that are <unk>
};

/// Reads, normalises (text::normalise) and cuts into units what data.text, data.valid_text and
/// data.exclude name. No training sentence is, word for word, one of data.exclude or a held-out
/// one. Throws ConfigError for a file that is not there or a text without sentences, DataError as
/// the readers of text and lists do.
LmText read_lm_text(const config::SentenceDataConfig& config, const text::Tokenizer& tokenizer);

}  // namespace raven::train

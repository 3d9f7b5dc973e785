// Transcripts of a manifest as unit ids.
#pragma once

#include <string>
#include <vector>

#include "raven/data/manifest.h"
#include "raven/text/tokenizer.h"

namespace raven::data {

struct LabelledManifest {
  Manifest manifest;                 // of utterances that can be trained on, with `labels`
  std::vector<std::string> skipped;  // "id<TAB>reason<TAB>message" of the others
};

/// Fills Utterance::labels: texts are normalised and cut into units, label lists of a published
/// list are read as they are. Left out are utterances without text ("no-text") and texts with
/// characters that the vocabulary does not have ("characters"). Throws DataError naming manifest
/// and utterance for ids outside the vocabulary, because the list belongs to another one, and for
/// labels that are not numbers.
LabelledManifest label(Manifest manifest, const text::Tokenizer& tokenizer);

/// Fills Utterance::labels where label() would keep the utterance; the others stay, without.
/// Returns how many have labels. Throws as label() does.
std::int64_t label_where_possible(Manifest& manifest, const text::Tokenizer& tokenizer);

/// What an utterance says, as scoring compares it: its normalised text, or the text of its label
/// list. Throws DataError as label() does.
std::string reference_text(const Utterance& utterance, const text::Units& units);

}  // namespace raven::data

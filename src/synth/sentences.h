// What the synthetic speakers say: three small languages of English words.
#pragma once

#include <string>
#include <vector>

#include "raven/core/random.h"
#include "synth/options.h"

namespace raven::synth {

/// "mix", "grid", "digits" or "open".
std::string kind_name(Kind kind);

struct Sentence {
  std::vector<std::string> words;  // upper case, as LRS3 writes them
  std::string spoken;              // what espeak-ng reads: one space-separated token per word
};

/// Command, colour, preposition, letter, digit, adverb: "BIN BLUE AT F TWO NOW" (51 words, no W:
/// its name alone has three syllables). The sentences of the GRID corpus.
Sentence grid_sentence(Random& random);

/// Four to eight digits.
Sentence digits_sentence(Random& random);

/// A sentence of a context-free grammar of some 400 words, 8.7 words on average.
Sentence open_sentence(Random& random);

/// One of the above; kMix draws the kind first.
Sentence make_sentence(Kind kind, Random& random);

}  // namespace raven::synth

// Many processes that make one corpus.
#pragma once

#include <cstdint>
#include <stop_token>

#include "synth/corpus.h"

namespace raven::synth {

struct CorpusReport {
  std::int64_t made = 0, kept = 0;  // utterances; kept: complete from an earlier run
  std::int64_t frames = 0;          // of those made
  double seconds = 0;
  bool stopped = false;  // by a signal, before all were made
};

/// Makes what is missing of the corpus. Which files come out does not depend on `workers` (0: one
/// per core). Watches SIGINT and SIGTERM: processes then finish their utterance and end. Throws
/// ConfigError when the folder holds a corpus of other options or is in use, or what a worker met.
/// Call from a process with one thread.
CorpusReport make_corpus(const CorpusOptions& options, int workers);

}  // namespace raven::synth

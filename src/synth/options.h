// What raven-synth can be told. One list for the program and for `raven synth`, which starts it:
// needs nothing that the program links.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <utility>

namespace raven::synth {

enum class Kind { kMix, kGrid, kDigits, kOpen };

inline constexpr std::array<std::pair<const char*, Kind>, 4> kKinds = {
    {{"mix", Kind::kMix}, {"grid", Kind::kGrid}, {"digits", Kind::kDigits}, {"open", Kind::kOpen}}};

struct CorpusOptions {
  std::filesystem::path out;
  std::int64_t utterances = 2000;
  std::int64_t speakers = 40;
  std::int64_t test_speakers = -1;  // of `speakers`, heard in the test set only; -1: a fifth
  std::int64_t speaker_offset = 0;  // number of the first speaker
  std::uint64_t seed = 1;
  Kind kind = Kind::kMix;
  int crf = 20;
};

struct ProgramOptions {
  CorpusOptions corpus;
  int workers = 0;
};

/// Calls `option(name, field, meaning)` for each; the defaults are the fields' values.
template <class Option>
void list_options(ProgramOptions& options, Option&& option) {
  auto& corpus = options.corpus;
  option("--out", corpus.out, "folder of the corpus");
  option("--utterances", corpus.utterances,
         "clips in all: 6/10 pretrain, 3/10 trainval, 1/10 test");
  option("--speakers", corpus.speakers, "different faces and voices");
  option("--test-speakers", corpus.test_speakers,
         "how many of them are in the test set and nowhere else; -1: a fifth");
  option("--speaker-offset", corpus.speaker_offset,
         "number of the first speaker; another one gives another set");
  option("--seed", corpus.seed, "start of every random draw");
  option("--kind", corpus.kind, "what is said");
  option("--crf", corpus.crf, "H.264 quality, 0 (lossless) to 51");
  option("--workers", options.workers,
         "processes; 0: one for each processor of which raven has a share");
}

}  // namespace raven::synth

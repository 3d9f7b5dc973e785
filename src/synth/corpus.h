// The corpus as files, in LRS3's layout:
//   <out>/{pretrain,trainval,test}/synNNNNN/NNNNN.{mp4,txt}     folder = speaker, file = utterance
//   <out>/landmarks/<split>/synNNNNN/NNNNN.npy                  float32 (frames, 68, 2), pixels
//   <out>/phonemes/<split>/synNNNNN/NNNNN.tsv                   begin_s, end_s, label: espeak-ng's
//   phonemes <out>/phonemes.tsv                                          the same of all
//   utterances, with their ids <out>/synth.json                                            the
//   options it was made with
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "synth/clip.h"
#include "synth/face.h"
#include "synth/options.h"
#include "synth/sentences.h"
#include "synth/speech.h"

namespace raven::synth {

/// Replaces -1 by its value and checks ranges. Throws ConfigError naming the option.
CorpusOptions resolved(CorpusOptions options);

/// The options that decide the corpus' bytes, as JSON.
std::string describe(const CorpusOptions& options);

/// What utterance `number` is, before it is made. Every tenth is for test, three of ten for
/// trainval.
struct UtterancePlan {
  std::int64_t number = 0, speaker = 0;
  std::string split;

  [[nodiscard]] std::string speaker_name() const;  // "syn00012"
  [[nodiscard]] std::string name() const;          // "00345"
};
UtterancePlan plan_utterance(const CorpusOptions& options, std::int64_t number);

/// All utterances, those of a speaker next to each other.
std::vector<UtterancePlan> plan_corpus(const CorpusOptions& options);

struct UtteranceFiles {
  std::filesystem::path video, landmarks, phonemes, text;
  [[nodiscard]] bool complete() const;
};
UtteranceFiles files_of(const CorpusOptions& options, const UtterancePlan& plan);

/// Which phoneme is heard when, over the whole clip: a line for each, "_" where nobody speaks.
std::string phonemes_file(const Clip& clip);

/// Writes phonemes.tsv: the phonemes of all utterances, which are whole, each line with the id that
/// `raven prepare` gives the utterance ("trainval/syn00003/00041").
void write_phonemes(const CorpusOptions& options, const std::vector<UtterancePlan>& plans);

/// LRS3's .txt: the words, and a table of when each is said.
std::string text_file(const Clip& clip);

struct UtteranceCost {
  std::int64_t frames = 0;
  std::vector<std::string> unknown_phonemes;
};

/// Makes utterance files; the text is written last, so where it stands the others are whole.
class UtteranceMaker {
 public:
  /// Starts espeak-ng's process (see SpeechServer).
  explicit UtteranceMaker(const CorpusOptions& options);

  /// Throws SystemError, MediaError or DataError naming the utterance.
  UtteranceCost make(const UtterancePlan& plan);

 private:
  Face& face_of(std::int64_t speaker);

  const CorpusOptions options_;
  SpeechServer speech_;
  std::optional<Face> face_;  // of the last speaker
  std::int64_t face_speaker_ = -1;
  Picture picture_;
};

}  // namespace raven::synth

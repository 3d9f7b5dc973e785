// Learns a SentencePiece vocabulary from text.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace raven::text {

enum class VocabularyKind { kUnigram, kCharacter, kWord };

/// "unigram", "char" or "word". Throws ConfigError for anything else.
VocabularyKind vocabulary_kind(const std::string& name);

struct TokenizerTraining {
  VocabularyKind kind = VocabularyKind::kUnigram;
  /// Units that are learnt, `<unk>` among them: the vocabulary then has two more, blank and eos.
  /// 0: 1000 for unigram, else every character or word of the text.
  std::int64_t size = 0;
};

/// Trains on normalised lines and returns the model's bytes: the same lines give the same bytes.
/// Pieces never cross words. Throws ConfigError when there is no text, or the size does not fit it,
/// with the sizes that do.
std::string train_sentencepiece(const std::vector<std::string>& lines,
                                const TokenizerTraining& options);

}  // namespace raven::text

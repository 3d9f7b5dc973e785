// A recognizer and how it is searched: a piece of sound, or of lips, -> words with times.
#pragma once

#include <torch/torch.h>

#include <memory>
#include <string>

#include "raven/config/decode_config.h"
#include "raven/evaluation/recognizer_file.h"
#include "raven/transcription/media_pieces.h"
#include "raven/transcription/transcript.h"

namespace raven::transcription {

/// Thread-safe: one piece at a time is recognised.
class PieceRecognizer {
 public:
  /// `name`: of the model, for transcripts; `decode`: what its file says, unless it was told
  /// otherwise; `grey`: what it learned lips from.
  PieceRecognizer(evaluation::LoadedRecognizer loaded, std::string name,
                  const config::DecodeConfig& decode, corpus::Grey grey,
                  const torch::Device& device);
  ~PieceRecognizer();
  PieceRecognizer(PieceRecognizer&&) noexcept;

  [[nodiscard]] config::Modality modality() const;
  [[nodiscard]] corpus::Grey grey() const;
  [[nodiscard]] const std::string& name() const;
  /// What its words follow from beside the piece: a checksum of the model and of the search.
  [[nodiscard]] const std::string& identity() const;

  /// `file` names it in messages. A piece without frames has no words. Throws DataError
  /// ("not-numbers" or what the search throws).
  Passage recognise(const MediaPiece& piece, const std::string& file);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace raven::transcription

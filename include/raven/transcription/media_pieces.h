// A media file of any length, piece by piece, as recognizers take it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "raven/config/transcribe_config.h"
#include "raven/data/film_mouths.h"
#include "raven/transcription/sound_cutter.h"

namespace raven::transcription {

struct MediaPiece {
  Cut cut;
  std::vector<float> samples;       // 640 for each frame; empty unless sound is wanted
  std::vector<std::uint8_t> crops;  // 96 x 96 for each frame that the film has; empty likewise
};

struct PieceOptions {
  bool sound = false, lips = false;  // what is wanted
  bool cut_by_sound = true;          // else windows that overlap, where lips are wanted
  config::CutConfig cut;
  data::MouthSearch mouths = {};
};

/// Memory holds little more than a piece.
class PieceReader {
 public:
  /// Opens the file. Where one of two wanted modalities cannot be had, the other is read alone and
  /// remarks() says so. Throws DataError ("no-audio", "no-video", "no-face", "corrupt", ...) when
  /// nothing that is wanted can be, and faces::SearchStopped.
  PieceReader(const std::filesystem::path& file, const PieceOptions& options);
  ~PieceReader();
  PieceReader(PieceReader&&) noexcept;

  [[nodiscard]] bool has_sound() const;  // wanted, and there
  [[nodiscard]] bool has_lips() const;

  /// Empty at the end, and when `stop` was asked for. Throws DataError.
  std::optional<MediaPiece> next(const std::stop_token& stop);

  [[nodiscard]] std::int64_t num_frames() const;  // read so far: all of them at the end
  [[nodiscard]] bool cuts_by_sound() const;
  [[nodiscard]] std::vector<std::string> remarks() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace raven::transcription

// Media file -> mono waveform at 16 kHz, a stretch at a time, however long the file is.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "raven/media/audio_reader.h"
#include "raven/media/media.h"

namespace raven::media {

/// A day and a half: what is longer is refused. Memory does not grow with it.
inline constexpr double kMaxStreamed_s = 36 * 3600.0;

/// The samples that read_audio() gives, in their order; memory holds some seconds of them. With
/// AudioOptions::from_first_picture the first picture is decoded to see when it is shown.
/// Not thread-safe.
class AudioStream {
 public:
  /// Of `options.limits` the length and the memory of the whole do not count. Throws MediaError as
  /// read_audio() does.
  explicit AudioStream(const Source& source, const AudioOptions& options = {});
  ~AudioStream();
  AudioStream(AudioStream&&) noexcept;
  AudioStream& operator=(AudioStream&&) noexcept;

  /// The next stretch of at most about a second; empty at the end. Throws MediaError, at the end
  /// also when more was damaged than is allowed.
  std::optional<std::vector<float>> next();

  [[nodiscard]] TrackChoice track() const;
  [[nodiscard]] Damage damage() const;         // so far
  [[nodiscard]] bool channels_cancel() const;  // as of AudioSamples, so far

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace raven::media

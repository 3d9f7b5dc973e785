// Pictures and samples -> an .mp4 file with H.264 and AAC.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "synth/picture.h"

namespace raven::synth {

struct Mp4Options {
  int crf = 20;  // x264's constant quality, 0 (lossless) to 51
};

/// Encoders then speak of errors only; for the whole process.
void silence_libav();

/// 224 x 224 at 25 frames a second; 16 kHz mono at 64 kbit/s. The same input gives the same bytes.
class Mp4Writer {
 public:
  /// Throws MediaError (no H.264 encoder) or SystemError (cannot write `file`).
  Mp4Writer(const std::filesystem::path& file, const Mp4Options& options);
  ~Mp4Writer();
  Mp4Writer(const Mp4Writer&) = delete;
  Mp4Writer& operator=(const Mp4Writer&) = delete;

  void add(const Picture& picture);

  /// All samples at once, then the end of the file.
  void finish(const std::vector<std::int16_t>& samples);

 private:
  struct Streams;
  std::unique_ptr<Streams> streams_;
};

}  // namespace raven::synth

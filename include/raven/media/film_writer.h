// Pictures and samples -> an .mp4 file with H.264 and AAC, for people to watch.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

namespace raven::media {

/// Planar YUV 4:2:0, BT.601 with video range: luma 16 to 235, chroma 16 to 240 at half the width
/// and height. Rows lie `stride` bytes apart.
struct YuvPicture {
  struct Plane {
    const std::uint8_t* pixels = nullptr;
    std::int64_t stride = 0;
  };
  Plane luma, blue, red;
};

/// Red, green and blue of each pixel, full range; rows lie `stride` bytes apart.
struct RgbPicture {
  const std::uint8_t* pixels = nullptr;
  std::int64_t stride = 0;
};

struct FilmOptions {
  int width = 0, height = 0;  // pixels, even
  int crf = 20;               // x264's constant quality, 0 (lossless) to 51
  bool with_sound = true;     // mono at 16 kHz, 64 kbit/s
};

/// 25 pictures a second. The same input gives the same bytes on every machine.
class FilmWriter {
 public:
  /// Throws MediaError ("no-encoder" where libavcodec lacks H.264 or AAC), SystemError (cannot
  /// write `file`).
  FilmWriter(const std::filesystem::path& file, const FilmOptions& options);
  ~FilmWriter();
  FilmWriter(const FilmWriter&) = delete;
  FilmWriter& operator=(const FilmWriter&) = delete;

  void add(const YuvPicture& picture);
  void add(const RgbPicture& picture);
  /// Those that follow. Pictures and samples may come in any order; what comes far ahead of the
  /// other waits in memory, encoded.
  void add(std::span<const float> samples);

  /// The end of the file, which is none without it.
  void finish();

 private:
  struct Streams;
  std::unique_ptr<Streams> streams_;
};

}  // namespace raven::media

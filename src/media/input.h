// An opened media file: its streams and packets, read through our own functions, never by libav
// itself.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "media/av.h"
#include "raven/media/media.h"

namespace raven::media {

class ByteReader;

/// Bytes come from one regular file or from memory; libav is given no way to open anything else (no
/// protocols, playlists or external references), and only demuxers of an allow-list.
class Input {
 public:
  /// Reads the header. Throws MediaError ("missing", "empty", "unsupported", "corrupt").
  explicit Input(const Source& source);
  ~Input();
  Input(Input&&) noexcept;
  Input& operator=(Input&&) noexcept;

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const AVFormatContext& format() const { return *format_; }

  /// The first stream of a kind that is not a cover picture; null when there is none.
  [[nodiscard]] const AVStream* first(AVMediaType kind) const;
  /// The other streams' packets are skipped from now on.
  void select(const AVStream& stream);
  /// True for mp4, WAV and FLAC, whose headers say all that decoding needs; other containers tell
  /// frame times or sizes only after libav has looked into their packets.
  [[nodiscard]] bool header_suffices(const AVStream& stream) const;
  /// Decodes as much as libav needs to know what the header leaves out, within `limits`. Throws
  /// MediaError ("too-large") when any stream is beyond them.
  void find_stream_info(const Limits& limits);
  /// The next packet of the selected stream; false at the end. Throws MediaError ("corrupt").
  bool read(AVPacket& packet);

  /// Seconds; 0 when the header does not say.
  [[nodiscard]] double duration_s(const AVStream& stream) const;

 private:
  std::string name_;
  std::unique_ptr<ByteReader> reader_;
  InputHandle format_;  // before reader_ goes
  int selected_ = -1;
};

/// Throws MediaError ("too-large") when what the header claims is beyond the limits.
void check_video_header(const Input& input, const AVStream& stream, const Limits& limits);
void check_audio_header(const Input& input, const AVStream& stream, const Limits& limits);

/// Throws MediaError ("too-large") for a picture beyond the limits, and ("corrupt") for one without
/// area.
void check_size(std::int64_t width, std::int64_t height, const Limits& limits,
                const std::string& name);

/// What libav itself may decode: max_pixels of a codec context, with room for padding to blocks.
std::int64_t max_pixels(const Limits& limits);

}  // namespace raven::media

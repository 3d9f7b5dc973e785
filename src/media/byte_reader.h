// Bytes of one file or of memory, for libav's I/O.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "media/av.h"
#include "raven/media/media.h"

namespace raven::media {

struct IoRelease {
  void operator()(AVIOContext* io) const noexcept {
    av_freep(static_cast<void*>(&io->buffer));
    avio_context_free(&io);
  }
};
using IoHandle = std::unique_ptr<AVIOContext, IoRelease>;

struct OpenFile {
  int descriptor = -1;
  ~OpenFile();
};

/// Owns the file and libav's I/O context over it. Its address must not change while libav uses it.
class ByteReader {
 public:
  /// Throws MediaError: "missing" for what is absent, a folder or no regular file, "empty".
  explicit ByteReader(const Source& source);
  ByteReader(const ByteReader&) = delete;
  ByteReader& operator=(const ByteReader&) = delete;

  [[nodiscard]] AVIOContext* context() const { return context_.get(); }
  [[nodiscard]] std::int64_t size() const { return size_; }
  /// The first bytes, fewer when the file is shorter.
  std::size_t peek(std::span<std::uint8_t> into) const;

 private:
  void open(const std::filesystem::path& file, const std::string& name);
  static int read_packet(void* self, std::uint8_t* into, int size);
  static std::int64_t seek(void* self, std::int64_t offset, int whence);
  std::int64_t read_at(std::int64_t offset, std::uint8_t* into, std::int64_t size) const;

  const std::byte* bytes_ = nullptr;  // in memory
  OpenFile file_;                     // otherwise
  std::int64_t size_ = 0;
  std::int64_t position_ = 0;
  std::int64_t budget_ = 0;  // bytes that may still be read, so that no demuxer seeks for ever
  IoHandle context_;
};

}  // namespace raven::media

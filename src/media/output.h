// One encoded stream -> a whole file in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "media/av.h"

namespace raven::media {

/// Encodes frames and muxes them; output depends on nothing but them and the options.
class MemoryWriter {
 public:
  /// `encoder` has its parameters set but is not open; `options` are the encoder's own and are
  /// consumed. `container` is a muxer's name. Throws MediaError naming `what` ("a mouth clip").
  MemoryWriter(const char* container, CodecHandle encoder, AVDictionary** options,
               std::string what);
  ~MemoryWriter();
  MemoryWriter(const MemoryWriter&) = delete;
  MemoryWriter& operator=(const MemoryWriter&) = delete;

  /// Samples that one frame of audio holds, or 0 for any number.
  [[nodiscard]] int frame_size() const { return encoder_->frame_size; }
  void write(const AVFrame& frame) { encode(&frame); }
  /// The file's bytes; nothing may be written afterwards.
  std::string finish();

 private:
  void encode(const AVFrame* frame);

  std::string what_;
  CodecHandle encoder_;
  OutputHandle output_;
  PacketHandle packet_ = new_packet();
};

/// An encoder by name with one thread and no marks of version or time in what it writes. Throws
/// MediaError ("unsupported") when this libavcodec lacks it.
CodecHandle new_encoder(const char* name, const char* hint);

}  // namespace raven::media

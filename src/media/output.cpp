#include "media/output.h"

#include <spdlog/fmt/fmt.h>

#include <cerrno>
#include <new>
#include <utility>

#include "raven/core/error.h"

namespace raven::media {

CodecHandle new_encoder(const char* name, const char* hint) {
  start_libav();
  clear_log();
  const AVCodec* codec = avcodec_find_encoder_by_name(name);
  if (codec == nullptr) {
    throw MediaError(fmt::format("this libavcodec has no encoder '{}'; {}", name, hint),
                     "unsupported");
  }
  CodecHandle encoder(avcodec_alloc_context3(codec));
  if (!encoder) throw std::bad_alloc();
  encoder->thread_count = 1;
  encoder->flags |= AV_CODEC_FLAG_BITEXACT;
  return encoder;
}

MemoryWriter::MemoryWriter(const char* container, CodecHandle encoder, AVDictionary** options,
                           std::string what)
    : what_(std::move(what)), encoder_(std::move(encoder)) {
  AVFormatContext* raw = nullptr;
  av_check(avformat_alloc_output_context2(&raw, nullptr, container, nullptr), "write", what_);
  output_.reset(raw);
  raw->flags |= AVFMT_FLAG_BITEXACT;
  raw->metadata_header_padding = 0;  // FLAC's default is 8 KiB of room for tags
  if ((raw->oformat->flags & AVFMT_GLOBALHEADER) != 0) {
    encoder_->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  }
  av_check(avcodec_open2(encoder_.get(), nullptr, options), "open the encoder for", what_);
  AVStream* stream = avformat_new_stream(raw, nullptr);
  if (stream == nullptr) throw std::bad_alloc();
  stream->time_base = encoder_->time_base;
  stream->avg_frame_rate = encoder_->framerate;
  av_check(avcodec_parameters_from_context(stream->codecpar, encoder_.get()), "write", what_);
  av_check(avio_open_dyn_buf(&raw->pb), "write", what_);
  av_check(avformat_write_header(raw, nullptr), "write the header of", what_);
}

MemoryWriter::~MemoryWriter() {
  if (!output_ || output_->pb == nullptr) return;
  std::uint8_t* bytes = nullptr;
  avio_close_dyn_buf(output_->pb, &bytes);
  av_free(bytes);
}

void MemoryWriter::encode(const AVFrame* frame) {
  av_check(avcodec_send_frame(encoder_.get(), frame), "encode", what_);
  while (true) {
    const int code = avcodec_receive_packet(encoder_.get(), packet_.get());
    if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return;
    av_check(code, "encode", what_);
    packet_->stream_index = 0;
    av_packet_rescale_ts(packet_.get(), encoder_->time_base, output_->streams[0]->time_base);
    av_check(av_interleaved_write_frame(output_.get(), packet_.get()), "write", what_);
  }
}

std::string MemoryWriter::finish() {
  encode(nullptr);
  av_check(av_write_trailer(output_.get()), "finish", what_);
  std::uint8_t* bytes =
      nullptr;  // stays pb's; avio_close_dyn_buf would pad at the current position
  const int size = avio_get_dyn_buf(output_->pb, &bytes);
  return {reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size)};
}

}  // namespace raven::media

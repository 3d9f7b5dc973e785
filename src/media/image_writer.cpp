#include "raven/media/image_writer.h"

#include <cstring>

#include "media/output.h"
#include "raven/core/error.h"

namespace raven::media {

std::string encode_png(std::span<const std::uint8_t> pixels, std::int64_t height,
                       std::int64_t width, std::int64_t channels) {
  RAVEN_CHECK((channels == 1 || channels == 3) && height > 0 && width > 0 && height < (1 << 16) &&
                  width < (1 << 16) &&
                  static_cast<std::int64_t>(pixels.size()) == height * width * channels,
              "{} values for a picture of {} x {} x {}", pixels.size(), height, width, channels);
  constexpr const char* kWhat = "a PNG picture";
  const auto encoder = new_encoder("png", "install a libavcodec that has it");
  encoder->width = static_cast<int>(width);
  encoder->height = static_cast<int>(height);
  encoder->pix_fmt = channels == 1 ? AV_PIX_FMT_GRAY8 : AV_PIX_FMT_RGB24;
  encoder->time_base = {1, 1};
  av_check(avcodec_open2(encoder.get(), nullptr, nullptr), "open the encoder for", kWhat);
  const auto frame = new_frame();
  frame->format = encoder->pix_fmt;
  frame->width = encoder->width;
  frame->height = encoder->height;
  av_check(av_frame_get_buffer(frame.get(), 0), "encode", kWhat);
  const auto row_bytes = static_cast<std::size_t>(width * channels);
  for (int y = 0; y < frame->height; ++y) {
    std::memcpy(frame->data[0] + std::ptrdiff_t{y} * frame->linesize[0],
                pixels.data() + static_cast<std::size_t>(y) * row_bytes, row_bytes);
  }
  const auto packet = new_packet();
  av_check(avcodec_send_frame(encoder.get(), frame.get()), "encode", kWhat);
  av_check(avcodec_receive_packet(encoder.get(), packet.get()), "encode", kWhat);
  return {reinterpret_cast<const char*>(packet->data), static_cast<std::size_t>(packet->size)};
}

}  // namespace raven::media

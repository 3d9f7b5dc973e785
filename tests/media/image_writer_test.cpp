#include "raven/media/image_writer.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "media/av.h"
#include "raven/core/error.h"

namespace raven::media {
namespace {

/// Rows without padding, of a picture in the format expected.
std::vector<std::uint8_t> decode_png(const std::string& png, AVPixelFormat format, int channels) {
  const AVCodec* codec = avcodec_find_decoder(AV_CODEC_ID_PNG);
  const CodecHandle context(avcodec_alloc_context3(codec));
  EXPECT_GE(avcodec_open2(context.get(), codec, nullptr), 0);
  const auto packet = new_packet();
  EXPECT_GE(av_new_packet(packet.get(), static_cast<int>(png.size())), 0);
  std::memcpy(packet->data, png.data(), png.size());
  const auto frame = new_frame();
  EXPECT_GE(avcodec_send_packet(context.get(), packet.get()), 0);
  EXPECT_GE(avcodec_receive_frame(context.get(), frame.get()), 0);
  EXPECT_EQ(frame->format, format);
  std::vector<std::uint8_t> pixels;
  for (int y = 0; y < frame->height; ++y) {
    const auto* row = frame->data[0] + std::ptrdiff_t{y} * frame->linesize[0];
    pixels.insert(pixels.end(), row, row + std::ptrdiff_t{frame->width} * channels);
  }
  return pixels;
}

std::vector<std::uint8_t> ramp(std::size_t size) {
  std::vector<std::uint8_t> pixels(size);
  for (std::size_t i = 0; i < size; ++i) pixels[i] = static_cast<std::uint8_t>(i * 7);
  return pixels;
}

TEST(EncodePng, GreyComesBackExactly) {
  const auto pixels = ramp(37 * 53);
  EXPECT_EQ(decode_png(encode_png(pixels, 37, 53, 1), AV_PIX_FMT_GRAY8, 1), pixels);
}

TEST(EncodePng, ColourComesBackExactly) {
  const auto pixels = ramp(20 * 31 * 3);
  EXPECT_EQ(decode_png(encode_png(pixels, 20, 31, 3), AV_PIX_FMT_RGB24, 3), pixels);
}

TEST(EncodePng, RefusesSizesThatDoNotFit) {
  const auto pixels = ramp(12);
  EXPECT_THROW(encode_png(pixels, 3, 5, 1), InternalError);
  EXPECT_THROW(encode_png(pixels, 3, 2, 2), InternalError);
}

}  // namespace
}  // namespace raven::media

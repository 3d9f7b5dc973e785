#include "media/picture.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>

#include "raven/core/error.h"

namespace raven::media {
namespace {

constexpr std::uint64_t kNotLuma = AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL |
                                   AV_PIX_FMT_FLAG_BITSTREAM | AV_PIX_FMT_FLAG_FLOAT |
                                   AV_PIX_FMT_FLAG_BAYER | AV_PIX_FMT_FLAG_HWACCEL;

bool is_grey(const AVPixFmtDescriptor& format) { return format.nb_components <= 2; }

bool is_full_range(const AVFrame& frame, const AVPixFmtDescriptor& format) {
  switch (frame.format) {
    case AV_PIX_FMT_YUVJ411P:
    case AV_PIX_FMT_YUVJ420P:
    case AV_PIX_FMT_YUVJ422P:
    case AV_PIX_FMT_YUVJ440P:
    case AV_PIX_FMT_YUVJ444P:
      return true;
    default:  // grey formats are full range by libav's convention, whatever their tag says
      return frame.color_range == AVCOL_RANGE_JPEG || is_grey(format);
  }
}

FrameView view_of(const std::vector<std::uint8_t>& pixels, const AVFrame& frame,
                  std::int64_t channels) {
  return {.pixels = pixels.data(),
          .height = frame.height,
          .width = frame.width,
          .channels = channels,
          .stride = frame.width * channels};
}

}  // namespace

FrameView PictureConverter::convert(const AVFrame& frame) {
  const auto* format = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(frame.format));
  if (format == nullptr || frame.data[0] == nullptr) {
    throw MediaError(fmt::format("{}: pictures of an unknown format", name_), "unsupported");
  }
  if (format_ != PixelFormat::kGrey) return rgb(frame);
  const int depth = format->comp[0].depth;
  if ((format->flags & kNotLuma) != 0 || depth < 8 || depth > 16) return grey_from_rgb(frame);
  return grey_from_luma(frame, *format);
}

FrameView PictureConverter::grey_from_luma(const AVFrame& frame, const AVPixFmtDescriptor& format) {
  const auto& luma = format.comp[0];
  const bool full_range = is_full_range(frame, format);
  const bool plain = luma.depth == 8 && luma.step == 1;
  if (plain && full_range) {
    return {.pixels = frame.data[luma.plane],
            .height = frame.height,
            .width = frame.width,
            .channels = 1,
            .stride = frame.linesize[luma.plane]};
  }
  build_table(luma.depth, full_range);
  const auto width = static_cast<std::size_t>(frame.width);
  pixels_.resize(static_cast<std::size_t>(frame.height) * width);
  line_.resize(width);
  const std::uint8_t* planes[4] = {frame.data[0], frame.data[1], frame.data[2], frame.data[3]};
  for (int y = 0; y < frame.height; ++y) {
    auto* const row = pixels_.data() + static_cast<std::size_t>(y) * width;
    if (plain) {
      const std::uint8_t* in =
          frame.data[luma.plane] + std::ptrdiff_t{y} * frame.linesize[luma.plane];
      std::transform(in, in + width, row, [this](std::uint8_t v) { return table_[v]; });
    } else {
      av_read_image_line2(line_.data(), planes, frame.linesize, &format, 0, y, 0, frame.width, 0,
                          sizeof(line_[0]));
      std::transform(line_.begin(), line_.end(), row,
                     [this](std::uint16_t v) { return table_[v]; });
    }
  }
  return view_of(pixels_, frame, 1);
}

void PictureConverter::build_table(int depth, bool full_range) {
  if (table_depth_ == depth && table_full_range_ == full_range) return;
  const double unit = std::ldexp(1.0, depth - 8);  // of an 8-bit step
  const double black = full_range ? 0 : 16 * unit;
  const double white = full_range ? std::ldexp(1.0, depth) - 1 : 235 * unit;  // BT.601, BT.709
  // Damaged samples may exceed their depth within their two bytes.
  table_.resize(depth == 8 ? 1U << 8 : 1U << 16);
  for (std::size_t value = 0; value < table_.size(); ++value) {
    const double grey = (static_cast<double>(value) - black) * 255 / (white - black);
    table_[value] = static_cast<std::uint8_t>(std::lround(std::clamp(grey, 0.0, 255.0)));
  }
  table_depth_ = depth;
  table_full_range_ = full_range;
}

FrameView PictureConverter::grey_from_rgb(const AVFrame& frame) {
  const FrameView colour = rgb(frame);
  pixels_.resize(static_cast<std::size_t>(frame.height) * static_cast<std::size_t>(frame.width));
  auto* grey = pixels_.data();
  for (int y = 0; y < frame.height; ++y) {
    const auto* in = colour.pixels + y * colour.stride;
    for (int x = 0; x < frame.width; ++x, in += 3) {
      // 0.299, 0.587 and 0.114 in thousandths: exact, so that rounding is too.
      *grey++ = static_cast<std::uint8_t>((299 * in[0] + 587 * in[1] + 114 * in[2] + 500) / 1000);
    }
  }
  return view_of(pixels_, frame, 1);
}

void PictureConverter::prepare_scaler(const AVFrame& frame) {
  const auto format = static_cast<AVPixelFormat>(frame.format);
  const bool plain = format_ == PixelFormat::kPlainRgb;
  const int flags = plain ? SWS_BICUBIC : SWS_BILINEAR | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT;
  scaler_.reset(sws_getCachedContext(scaler_.release(), frame.width, frame.height, format,
                                     frame.width, frame.height, AV_PIX_FMT_RGB24, flags, nullptr,
                                     nullptr, nullptr));
  if (!scaler_) {
    throw MediaError(
        fmt::format("{}: cannot convert pictures of format {}", name_, av_get_pix_fmt_name(format)),
        "unsupported");
  }
  if (plain) return;
  const int* coefficients =
      sws_getCoefficients(frame.colorspace == AVCOL_SPC_BT709 ? SWS_CS_ITU709 : SWS_CS_DEFAULT);
  const bool full_range = is_full_range(frame, *av_pix_fmt_desc_get(format));
  sws_setColorspaceDetails(scaler_.get(), coefficients, full_range ? 1 : 0,
                           sws_getCoefficients(SWS_CS_DEFAULT), 1, 0, 1 << 16, 1 << 16);
}

FrameView PictureConverter::rgb(const AVFrame& frame) {
  prepare_scaler(frame);
  // libswscale's vector code converts whole groups of pixels, and may write past the end of a row;
  // rows without room for the last group would lack it.
  constexpr int kGroup = 64;
  const int stride = 3 * ((frame.width + kGroup - 1) / kGroup * kGroup);
  rgb_.resize(static_cast<std::size_t>(frame.height) * static_cast<std::size_t>(stride) + kGroup);
  std::uint8_t* const out[4] = {rgb_.data(), nullptr, nullptr, nullptr};
  const int strides[4] = {stride, 0, 0, 0};
  av_check(sws_scale(scaler_.get(), frame.data, frame.linesize, 0, frame.height, out, strides),
           "convert a picture", name_);
  auto view = view_of(rgb_, frame, 3);
  view.stride = stride;
  return view;
}

}  // namespace raven::media

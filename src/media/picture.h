// Decoded pictures of any pixel format -> grey or RGB, full range.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "media/av.h"
#include "raven/media/video_reader.h"

namespace raven::media {

/// Grey is the luma as the file has it where that spans 0..255 (no copy is made then), and
/// expanded from 16..235 otherwise; from RGB it is 0.299 R + 0.587 G + 0.114 B, rounded. Luma of
/// more than 8 bits is scaled and rounded.
class PictureConverter {
 public:
  PictureConverter(PixelFormat format, std::string name)
      : format_(format), name_(std::move(name)) {}

  /// The view is valid until the next call, and no longer than `frame`'s own data.
  FrameView convert(const AVFrame& frame);

 private:
  FrameView grey_from_luma(const AVFrame& frame, const AVPixFmtDescriptor& format);
  FrameView grey_from_rgb(const AVFrame& frame);
  FrameView rgb(const AVFrame& frame);
  void prepare_scaler(const AVFrame& frame);
  void build_table(int depth, bool full_range);

  PixelFormat format_;
  std::string name_;
  ScalerHandle scaler_;
  std::vector<std::uint8_t> pixels_, rgb_;  // H x W (x 3) of the current picture
  std::vector<std::uint16_t> line_;         // one row of samples of more than 8 bits
  std::vector<std::uint8_t> table_;         // sample value -> grey
  int table_depth_ = 0;
  bool table_full_range_ = false;
};

}  // namespace raven::media

// Media file -> frames at 25 per second.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "raven/media/media.h"

namespace raven::media {

enum class PixelFormat { kGrey, kRgb };

struct VideoOptions {
  PixelFormat format = PixelFormat::kGrey;
  Limits limits;
};

/// Frames one after another in one block, row-major: T x H x W (grey) or T x H x W x 3 (RGB), uint8.
struct VideoFrames {
  std::int64_t num_frames = 0, height = 0, width = 0, channels = 1;
  std::vector<std::uint8_t> pixels;
  double source_frame_rate_hz = 0;  // what the file had before conversion to 25
};

/// One frame as the reader holds it; valid until the next call.
struct FrameView {
  const std::uint8_t* pixels = nullptr;  // row-major, `stride` bytes from row to row
  std::int64_t height = 0, width = 0, channels = 1, stride = 0;
};

/// Frames one by one, so that memory holds a single one. Any input frame rate, variable included, is
/// brought to 25 per second: output frame k shows the last input frame that starts at or before
/// (k + 1/2) / 25 s, and the number of output frames is the duration times 25, rounded.
/// Not thread-safe; make one for each thread.
class VideoReader {
 public:
  /// Opens and checks the header. Throws MediaError ("corrupt", "missing", "no-video", "too-large").
  explicit VideoReader(const Source& source, const VideoOptions& options = {});
  ~VideoReader();
  VideoReader(VideoReader&&) noexcept;
  VideoReader& operator=(VideoReader&&) noexcept;

  [[nodiscard]] std::int64_t height() const;
  [[nodiscard]] std::int64_t width() const;
  [[nodiscard]] double source_frame_rate_hz() const;

  /// The next frame at 25 per second; empty at the end. Throws MediaError on damaged data.
  std::optional<FrameView> next();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// All frames. Throws MediaError, "empty" when the file holds none.
VideoFrames read_video(const Source& source, const VideoOptions& options = {});

}  // namespace raven::media

// Media file -> frames at 25 per second.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "raven/media/media.h"
#include "raven/media/turn.h"

namespace raven::media {

/// kRgb:      the colours that the file means, rounded
/// kPlainRgb: what OpenCV's VideoCapture and PyAV give: libswscale's own quick conversion, which
///            takes any colours for BT.601's and repeats chroma
enum class PixelFormat { kGrey, kRgb, kPlainRgb };

struct VideoOptions {
  PixelFormat format = PixelFormat::kGrey;
  Limits limits;
};

/// Frames one after another in one block, row-major: T x H x W (grey) or T x H x W x 3 (RGB),
/// uint8.
struct VideoFrames {
  std::int64_t num_frames = 0, height = 0, width = 0, channels = 1;
  std::vector<std::uint8_t> pixels;
  double source_frame_rate_hz = 0;  // what the file had before conversion to 25
};

/// One frame as the reader holds it; valid until the next call.
struct FrameView {
  const std::uint8_t* pixels = nullptr;  // row-major, `stride` bytes from row to row
  std::int64_t height = 0, width = 0, channels = 1, stride = 0;  // stride may be negative
};

/// Frames one by one, so that memory holds a single one. Any input frame rate, variable included,
/// is brought to 25 per second: output frame k shows the last input frame that starts at or before
/// (k + 1/2) / 25 s, and the number of output frames is the duration times 25, rounded.
/// Grey is the luma, expanded to 0..255 where the file keeps it in 16..235; from RGB it is
/// 0.299 R + 0.587 G + 0.114 B, rounded.
/// Not thread-safe; make one for each thread.
class VideoReader {
 public:
  /// Opens the file, checks its header and decodes the first frame. Throws MediaError ("corrupt",
  /// "missing", "empty", "no-video", "too-large", "unsupported").
  explicit VideoReader(const Source& source, const VideoOptions& options = {});
  ~VideoReader();
  VideoReader(VideoReader&&) noexcept;
  VideoReader& operator=(VideoReader&&) noexcept;

  [[nodiscard]] std::int64_t height() const;
  [[nodiscard]] std::int64_t width() const;
  [[nodiscard]] double source_frame_rate_hz() const;  // average; 0 when unknown
  [[nodiscard]] double duration_s() const;  // as the header says, maybe wrongly; 0 when unknown
  /// When the first frame is shown, in the clock that the streams of the file share; empty when the
  /// file does not say.
  [[nodiscard]] std::optional<double> start_s() const;
  [[nodiscard]] TrackChoice track() const;
  [[nodiscard]] Damage damage() const;  // so far

  /// How a player turns the pictures. Frames come as they are stored.
  [[nodiscard]] const Turn& turn() const;

  /// The next frame at 25 per second; empty at the end. Throws MediaError, at the end also when
  /// more than `limits.max_damaged` of the pictures were damaged.
  std::optional<FrameView> next();
  /// Which picture of the file the last call of next() showed; the first is 0.
  [[nodiscard]] std::int64_t picture() const;
  /// When each picture that was decoded so far begins, the first at 0: all of them at the end.
  [[nodiscard]] std::vector<double> picture_starts_s() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The pictures of a file and which of them the frames at 25 per second show.
struct PictureTimes {
  std::vector<double> starts_s;     // of each picture; the first begins at 0
  std::vector<std::int64_t> shown;  // by each frame at 25 per second
  /// When the first picture is shown, in the clock that the streams of the file share; empty when
  /// the file does not say.
  std::optional<double> start_s = {};
};

/// What a VideoReader is going to show, told from the times of the packets without decoding them.
/// Few files come out otherwise (packets that hold no picture or two halves of one, damage). No
/// start_s for AVI, whose pictures' times only decoding tells.
/// Throws MediaError as the reader does.
PictureTimes expect_pictures(const Source& source, const Limits& limits = {});

/// All frames. Throws MediaError, "empty" when the file holds none, "too-large" when they take more
/// than `limits.max_decoded_bytes`.
VideoFrames read_video(const Source& source, const VideoOptions& options = {});

}  // namespace raven::media

#include "raven/data/contact_sheet.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/pixel_font.h"
#include "raven/core/error.h"
#include "raven/media/media.h"

namespace raven::data {
namespace {

struct Colour {
  std::uint8_t red = 0, green = 0, blue = 0;
};
constexpr Colour kBackground{24, 24, 28}, kWave{150, 190, 230}, kHidden{214, 60, 50},
    kShown{60, 150, 80}, kText{200, 200, 200};
constexpr std::int64_t kGap = 3, kStripHeight = 5, kWaveHeight = 32, kFrame = 2;  // pixels
constexpr std::int64_t kLine = kGlyphHeight + 3;
constexpr std::int64_t kLeastWidth = 420;  // room for the legend
constexpr int kDarkening = 3;              // hidden pixels are divided by it

class Canvas {
 public:
  Canvas(std::int64_t height, std::int64_t width)
      : height_(height), width_(width), pixels_(static_cast<std::size_t>(3 * height * width)) {
    fill(0, 0, height, width, kBackground);
  }

  void set(std::int64_t y, std::int64_t x, const Colour& colour) {
    auto* pixel = pixels_.data() + 3 * (y * width_ + x);
    pixel[0] = colour.red;
    pixel[1] = colour.green;
    pixel[2] = colour.blue;
  }

  void fill(std::int64_t top, std::int64_t left, std::int64_t height, std::int64_t width,
            const Colour& colour) {
    for (auto y = top; y < top + height; ++y) {
      for (auto x = left; x < left + width; ++x) set(y, x, colour);
    }
  }

  /// Its end alone where it is wider than the canvas.
  void write(std::int64_t top, std::int64_t left, std::string_view text) {
    draw_text(end_that_fits(text, width_ - left - kGap),
              [&](std::int64_t y, std::int64_t x) { set(top + y, left + x, kText); });
  }

  [[nodiscard]] Picture take() {
    return {.height = height_, .width = width_, .pixels = std::move(pixels_)};
  }

 private:
  std::int64_t height_, width_;
  std::vector<std::uint8_t> pixels_;
};

/// One utterance of a batch, without padding.
struct Clip {
  Clip(const Batch& batch, std::int64_t row, const ContactSheetOptions& options)
      : id(batch.ids[static_cast<std::size_t>(row)]),
        epoch(batch.epoch),
        index(batch.index),
        frames(batch.lengths[row].item<std::int64_t>()),
        side(batch.video.size(-1)),
        video(batch.video[row].round().to(torch::kUInt8).contiguous()),
        audio(batch.audio[row].contiguous()) {
    if (batch.masked_video.defined()) {
      masked_video = batch.masked_video[row].contiguous();
      masked_audio = batch.masked_audio[row].contiguous();
    }
    if (const auto found = options.found.find(id); found != options.found.end())
      has = found->second;
  }

  [[nodiscard]] std::string title(std::size_t number) const {
    return fmt::format("{}  {}  {} frames  epoch {} batch {}", number, id, frames, epoch, index);
  }

  [[nodiscard]] static bool is_masked(const torch::Tensor& masked, std::int64_t t) {
    return masked.defined() && masked.data_ptr<bool>()[t];
  }

  std::string id;
  std::int64_t epoch, index;
  std::int64_t frames, side;
  Modalities has{.video = true, .audio = true};
  torch::Tensor video, audio, masked_video, masked_audio;  // (T, H, W), (N), (T), (T)
};

void draw_frame(Canvas& canvas, const Clip& clip, std::int64_t t, std::int64_t top,
                std::int64_t left) {
  const auto* pixels = clip.video.data_ptr<std::uint8_t>() + t * clip.side * clip.side;
  const bool hidden = Clip::is_masked(clip.masked_video, t);
  for (std::int64_t y = 0; y < clip.side; ++y) {
    for (std::int64_t x = 0; x < clip.side; ++x) {
      const auto border = std::min({x, y, clip.side - 1 - x, clip.side - 1 - y});
      const auto value =
          static_cast<std::uint8_t>(pixels[y * clip.side + x] / (hidden ? kDarkening : 1));
      canvas.set(top + y, left + x,
                 hidden && border < kFrame ? kHidden : Colour{value, value, value});
    }
  }
}

/// Lowest and highest sample of each pixel column of one frame's width.
void draw_wave(Canvas& canvas, const Clip& clip, float peak, std::int64_t t, std::int64_t top,
               std::int64_t left) {
  const auto* samples = clip.audio.data_ptr<float>() + t * media::kSamplesPerFrame;
  const auto height_of = [&](float x) {
    const auto share = peak > 0 ? (1 - x / peak) / 2 : 0.5F;
    return std::clamp<std::int64_t>(std::lround(share * static_cast<float>(kWaveHeight - 1)), 0,
                                    kWaveHeight - 1);
  };
  for (std::int64_t x = 0; x < clip.side; ++x) {
    const auto* begin = samples + x * media::kSamplesPerFrame / clip.side;
    const auto* end = std::max(begin + 1, samples + (x + 1) * media::kSamplesPerFrame / clip.side);
    const auto [low, high] = std::minmax_element(begin, end);
    for (auto y = height_of(*high); y <= height_of(*low); ++y) canvas.set(top + y, left + x, kWave);
  }
}

void draw_clip(Canvas& canvas, const Clip& clip, std::int64_t columns, std::int64_t top) {
  const auto strip = top + clip.side + 1, wave = strip + kStripHeight + 1;
  const auto* samples = clip.audio.data_ptr<float>();
  float peak = 0;
  for (std::int64_t k = 0; k < clip.frames * media::kSamplesPerFrame; ++k)
    peak = std::max(peak, std::abs(samples[k]));
  const auto shown = std::min(columns, clip.frames);
  const auto first = (clip.frames - shown) / 2;
  for (std::int64_t column = 0; column < shown; ++column) {
    const auto t = first + column;
    const auto left = kGap + column * (clip.side + kGap);
    if (clip.has.video) draw_frame(canvas, clip, t, top, left);
    if (!clip.has.audio) continue;
    if (clip.masked_audio.defined()) {
      canvas.fill(strip, left, kStripHeight, clip.side,
                  Clip::is_masked(clip.masked_audio, t) ? kHidden : kShown);
    }
    draw_wave(canvas, clip, peak, t, wave, left);
  }
  if (!clip.has.video) canvas.write(top + clip.side / 2, kGap, "no video");
  if (!clip.has.audio) canvas.write(wave + kWaveHeight / 2, kGap, "no audio");
}

/// What the colours mean, and how the clips were cut.
std::vector<std::string> legend(const std::vector<Clip>& clips, const std::string& how) {
  std::vector<std::string> lines = {how};
  if (how.empty()) lines.clear();
  if (clips.front().masked_video.defined()) {
    lines.emplace_back("dark, red frame: hidden from the video student");
    lines.emplace_back("strip: green heard by the audio student, red not");
  } else {
    lines.emplace_back("no masks");
  }
  lines.emplace_back("waveform: scaled to the clip's peak");
  return lines;
}

}  // namespace

Picture contact_sheet(std::span<const Batch> batches, const ContactSheetOptions& options) {
  RAVEN_CHECK(options.rows > 0 && options.columns > 0, "a sheet of {} x {}", options.rows,
              options.columns);
  std::vector<Clip> clips;
  for (const auto& batch : batches) {
    for (std::int64_t row = 0; row < batch.video.size(0) && std::ssize(clips) < options.rows; ++row)
      clips.emplace_back(batch, row, options);
  }
  RAVEN_CHECK(!clips.empty(), "a sheet of no utterances");
  const auto side = clips.front().side;
  const auto clip_height = kLine + side + 1 + kStripHeight + 1 + kWaveHeight + 2 * kGap;
  const auto lines = legend(clips, options.how);
  auto top = kGap + std::ssize(lines) * kLine + kGap;
  Canvas canvas(top + std::ssize(clips) * clip_height,
                std::max(kLeastWidth, kGap + options.columns * (side + kGap)));
  for (std::size_t k = 0; k < lines.size(); ++k)
    canvas.write(kGap + static_cast<std::int64_t>(k) * kLine, kGap, lines[k]);
  for (std::size_t k = 0; k < clips.size(); ++k, top += clip_height) {
    canvas.write(top, kGap, clips[k].title(k + 1));
    draw_clip(canvas, clips[k], options.columns, top + kLine);
  }
  return canvas.take();
}

}  // namespace raven::data

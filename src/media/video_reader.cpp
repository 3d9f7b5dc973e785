#include "raven/media/video_reader.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "media/decoder.h"
#include "media/display_matrix.h"
#include "media/frame_clock.h"
#include "media/input.h"
#include "media/picture.h"
#include "raven/core/error.h"

namespace raven::media {
namespace {

const AVStream& open_video(Input& input, const Limits& limits) {
  const AVStream* stream = input.best(AVMEDIA_TYPE_VIDEO);
  if (stream != nullptr) check_video_header(input, *stream, limits);
  if (stream == nullptr || !input.header_suffices(*stream)) {
    input.find_stream_info(limits);
    stream = input.best(AVMEDIA_TYPE_VIDEO);
  }
  if (stream == nullptr) {
    throw MediaError(fmt::format("{}: has no video stream", input.name()), "no-video");
  }
  check_video_header(input, *stream, limits);
  input.select(*stream);
  return *stream;
}

AVRational frame_rate(const AVStream& stream) {
  if (stream.avg_frame_rate.num > 0 && stream.avg_frame_rate.den > 0) return stream.avg_frame_rate;
  if (stream.nb_frames > 0 && stream.duration > 0) {
    AVRational rate{0, 1};
    av_reduce(&rate.num, &rate.den, stream.nb_frames * std::int64_t{stream.time_base.den},
              stream.duration * std::int64_t{stream.time_base.num}, INT32_MAX);
    return rate;
  }
  return stream.r_frame_rate;
}

std::vector<double> to_seconds(const std::vector<std::int64_t>& times, AVRational time_base) {
  std::vector<double> seconds(times.size());
  std::transform(times.begin(), times.end(), seconds.begin(),
                 [&](std::int64_t time) { return static_cast<double>(time) * av_q2d(time_base); });
  return seconds;
}

struct PacketTime {
  std::int64_t time = 0, duration = 0;
};

/// Of the selected stream's packets that become pictures, in the order in which those are shown.
/// Stops at more of them than a decoder would be allowed.
std::vector<PacketTime> times_of_packets(Input& input, const Limits& limits) {
  const auto allowed = static_cast<std::size_t>((limits.max_duration_s + 1) * kMaxInputRateHz);
  std::vector<PacketTime> times;
  const auto packet = new_packet();
  while (times.size() < allowed && input.read(*packet)) {
    if ((packet->flags & AV_PKT_FLAG_DISCARD) != 0) continue;  // before an edit list's start
    times.push_back({packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts, packet->duration});
  }
  std::ranges::stable_sort(times, {}, &PacketTime::time);
  return times;
}

}  // namespace

struct VideoReader::State {
  State(const Source& source, const VideoOptions& options)
      : limits(options.limits),
        input(source),
        stream(open_video(input, limits)),
        rate(frame_rate(stream)),
        decoder(input, stream, limits),
        clock(stream.time_base, rate, limits, input.name()),
        converter(options.format, input.name()),
        height(stream.codecpar->height),
        width(stream.codecpar->width) {
    fetch();
    if (has_next) {
      height = next->height;
      width = next->width;
      turn = displayed_turn(stream, *next);
    }
  }

  /// Decodes the input frame after `next` into `next`.
  void fetch() {
    has_next = decoder.next(input, *next);
    if (!has_next) return;
    check_size(next->width, next->height, limits, input.name());
    if (num_decoded > 0 && (next->width != width || next->height != height)) {
      throw MediaError(fmt::format("{}: the picture size changes from {} x {} to {} x {}",
                                   input.name(), width, height, next->width, next->height),
                       "unsupported");
    }
    ++num_decoded;
    next_start = clock.add(next->best_effort_timestamp, frame_duration(*next));
    starts.push_back(next_start);
  }

  [[nodiscard]] std::optional<double> start_s() const {
    const auto first = decoder.first_dts();
    if (input.has_presentation_times() || first == AV_NOPTS_VALUE) return clock.first_time_s();
    return static_cast<double>(first) * av_q2d(stream.time_base);
  }

  std::optional<FrameView> show() {
    while (has_next && clock.starts_by(next_start, num_shown)) {
      std::swap(current, next);
      picture = num_decoded - 1;
      view.reset();
      fetch();
    }
    const bool over = !has_next && num_shown >= clock.num_output_frames();
    if (over) return std::nullopt;
    if (!view) view = converter.convert(*current);
    ++num_shown;
    return view;
  }

  Limits limits;
  Input input;
  const AVStream& stream;
  AVRational rate;
  Decoder decoder;
  FrameClock clock;
  PictureConverter converter;
  std::int64_t height, width;
  FrameHandle current = new_frame();  // shown now
  FrameHandle next = new_frame();     // the one after it, if has_next
  bool has_next = false;
  std::int64_t next_start = 0;
  std::int64_t num_decoded = 0, num_shown = 0;
  std::int64_t picture = 0;          // which of the decoded ones `current` is
  std::vector<std::int64_t> starts;  // of all that were decoded, in units of the time base
  Turn turn;
  std::optional<FrameView> view;  // of `current`, once converted
};

VideoReader::VideoReader(const Source& source, const VideoOptions& options)
    : state_(std::make_unique<State>(source, options)) {}
VideoReader::~VideoReader() = default;
VideoReader::VideoReader(VideoReader&&) noexcept = default;
VideoReader& VideoReader::operator=(VideoReader&&) noexcept = default;

std::int64_t VideoReader::height() const { return state_->height; }
std::int64_t VideoReader::width() const { return state_->width; }
double VideoReader::source_frame_rate_hz() const {
  return state_->rate.num > 0 && state_->rate.den > 0 ? av_q2d(state_->rate) : 0;
}
std::optional<double> VideoReader::start_s() const { return state_->start_s(); }
TrackChoice VideoReader::track() const { return state_->input.choice(state_->stream); }
Damage VideoReader::damage() const { return state_->decoder.damage(); }
double VideoReader::duration_s() const { return state_->input.duration_s(state_->stream); }

const Turn& VideoReader::turn() const { return state_->turn; }

std::optional<FrameView> VideoReader::next() { return state_->show(); }
std::int64_t VideoReader::picture() const { return state_->picture; }

std::vector<double> VideoReader::picture_starts_s() const {
  return to_seconds(state_->starts, state_->stream.time_base);
}

PictureTimes expect_pictures(const Source& source, const Limits& limits) {
  Input input(source);
  const auto& stream = open_video(input, limits);
  const auto packets = times_of_packets(input, limits);
  FrameClock clock(stream.time_base, frame_rate(stream), limits, input.name());
  std::vector<std::int64_t> starts;
  starts.reserve(packets.size());
  for (const auto& [time, duration] : packets) starts.push_back(clock.add(time, duration));
  PictureTimes times{.starts_s = to_seconds(starts, stream.time_base), .shown = {}};
  if (input.has_presentation_times()) times.start_s = clock.first_time_s();
  const auto count = std::ssize(starts);
  std::int64_t picture = 0;
  for (std::int64_t k = 0; k < clock.num_output_frames(); ++k) {
    while (picture + 1 < count && clock.starts_by(starts[static_cast<std::size_t>(picture + 1)], k))
      ++picture;
    times.shown.push_back(picture);
  }
  return times;
}

namespace {

[[noreturn]] void too_many_bytes(const std::string& name, std::uint64_t allowed) {
  throw MediaError(fmt::format("{}: its frames take more than the {} bytes allowed", name, allowed),
                   "too-large");
}

/// Appends a picture's rows without their padding.
void append(const FrameView& view, std::vector<std::uint8_t>& pixels) {
  const auto row_bytes = static_cast<std::size_t>(view.width * view.channels);
  const auto begin = pixels.size();
  pixels.resize(begin + static_cast<std::size_t>(view.height) * row_bytes);
  auto* out = pixels.data() + begin;
  const auto* in = view.pixels;
  for (std::int64_t y = 0; y < view.height; ++y, in += view.stride, out += row_bytes) {
    std::memcpy(out, in, row_bytes);
  }
}

}  // namespace

VideoFrames read_video(const Source& source, const VideoOptions& options) {
  // What a header may make us reserve before anything was decoded; larger clips grow as they come.
  constexpr double kMaxReservedBytes = 64 << 20;
  VideoReader reader(source, options);
  VideoFrames frames;
  frames.height = reader.height();
  frames.width = reader.width();
  frames.channels = options.format == PixelFormat::kGrey ? 1 : 3;
  frames.source_frame_rate_hz = reader.source_frame_rate_hz();
  const auto frame_bytes =
      static_cast<std::uint64_t>(frames.height * frames.width * frames.channels);
  const auto allowed = options.limits.max_decoded_bytes;
  const double expected_bytes =  // by a header that may be wrong
      std::min((reader.duration_s() * kFrameRateHz + 1) * static_cast<double>(frame_bytes),
               static_cast<double>(allowed));
  frames.pixels.reserve(static_cast<std::size_t>(std::min(expected_bytes, kMaxReservedBytes)));
  while (const auto view = reader.next()) {
    if (frames.pixels.size() + frame_bytes > allowed) too_many_bytes(source.name(), allowed);
    append(*view, frames.pixels);
    ++frames.num_frames;
  }
  if (frames.num_frames == 0) {
    throw MediaError(fmt::format("{}: the video stream holds no frame", source.name()), "empty");
  }
  return frames;
}

}  // namespace raven::media

#include "media/av.h"

#include <spdlog/fmt/fmt.h>

#include <array>
#include <cerrno>
#include <mutex>
#include <new>

#include "raven/core/error.h"

namespace raven::media {
namespace {

// One block of memory that a file can make libav ask for. The largest frame that the default limits
// allow, 8192 x 8192 in 6 bytes a pixel, fits.
constexpr std::size_t kMaxBlockBytes = 512ULL << 20;

struct ThreadLog {
  std::string last_error;
  bool too_many_pixels = false;  // libav reports a size above max_pixels as damaged data
};

ThreadLog& log_of_thread() {
  thread_local ThreadLog log;
  return log;
}

void keep_error(void* context, int level, const char* format, va_list arguments) {
  if (level > AV_LOG_ERROR) return;
  std::array<char, 512> line{};
  int prefix = 0;  // no "[h264 @ 0x...]": addresses would differ from run to run
  av_log_format_line2(context, level, format, arguments, line.data(), line.size(), &prefix);
  std::string text = line.data();
  while (!text.empty() && (text.back() == '\n' || text.back() == '.')) text.pop_back();
  auto& log = log_of_thread();
  if (text.empty() || log.too_many_pixels) return;  // what follows from it is of no interest
  log.too_many_pixels = text.find("max pixel count") != std::string::npos;
  log.last_error = std::move(text);
}

const char* reason_of(int code) {
  if (code == AVERROR(ENOMEM) || log_of_thread().too_many_pixels) return "too-large";
  if (code == AVERROR_DECODER_NOT_FOUND || code == AVERROR_PATCHWELCOME) return "unsupported";
  return "corrupt";
}

}  // namespace

void start_libav() {
  static std::once_flag once;
  std::call_once(once, [] {
    av_log_set_level(AV_LOG_ERROR);
    av_log_set_callback(keep_error);
    av_max_alloc(kMaxBlockBytes);
  });
}

const std::string& last_log() { return log_of_thread().last_error; }
void clear_log() { log_of_thread() = {}; }
bool too_many_pixels() { return log_of_thread().too_many_pixels; }

void av_fail(int code, const std::string& action, const std::string& name) {
  std::array<char, AV_ERROR_MAX_STRING_SIZE> text{};
  av_strerror(code, text.data(), text.size());
  const auto detail = last_log().empty() ? std::string() : fmt::format(" ({})", last_log());
  throw MediaError(fmt::format("{}: cannot {}: {}{}", name, action, text.data(), detail),
                   reason_of(code));
}

FrameHandle new_frame() {
  FrameHandle frame(av_frame_alloc());
  if (!frame) throw std::bad_alloc();
  return frame;
}

PacketHandle new_packet() {
  PacketHandle packet(av_packet_alloc());
  if (!packet) throw std::bad_alloc();
  return packet;
}

}  // namespace raven::media

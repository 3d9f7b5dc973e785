// libav's handles with an owner, and its error codes as MediaError. With av_version.h
// the only header that includes libav; nothing in include/raven does.
#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/imgutils.h>
#include <libavutil/log.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswresample/swresample.h>
#include <libswscale/swscale.h>
}

#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>

#include "media/av_version.h"

namespace raven::media {

/// Calls libav's own release function, whether it takes T* or T**.
template <auto Release>
struct AvRelease {
  static_assert(!std::is_invocable_v<decltype(Release), int*>,
                "av_free and av_freep accept any pointer: write a named deleter instead");
  template <class T>
  void operator()(T* handle) const noexcept {
    if constexpr (std::is_invocable_v<decltype(Release), T**>) {
      Release(&handle);
    } else {
      Release(handle);
    }
  }
};
template <class T, auto Release>
using AvHandle = std::unique_ptr<T, AvRelease<Release>>;

using InputHandle = AvHandle<AVFormatContext, avformat_close_input>;
using OutputHandle = AvHandle<AVFormatContext, avformat_free_context>;
using CodecHandle = AvHandle<AVCodecContext, avcodec_free_context>;
using FrameHandle = AvHandle<AVFrame, av_frame_free>;
using PacketHandle = AvHandle<AVPacket, av_packet_free>;
using ScalerHandle = AvHandle<SwsContext, sws_freeContext>;
using ResamplerHandle = AvHandle<SwrContext, swr_free>;

/// Sends libav's log to last_log() instead of stderr and bounds each of its allocations. Called by
/// everything here that enters libav; only the first call does something.
void start_libav();

/// libav's last error message in this thread since clear_log(); empty when there was none.
const std::string& last_log();
void clear_log();
/// libav met a picture larger than allowed, which it reports as damaged data.
bool too_many_pixels();

/// Throws MediaError "name: cannot <action>: <libav's reason>", with the word that fits `code`.
[[noreturn]] void av_fail(int code, const std::string& action, const std::string& name);

/// `code` when it is not negative; av_fail otherwise.
inline int av_check(int code, const char* action, const std::string& name) {
  if (code < 0) av_fail(code, action, name);
  return code;
}

/// Throws std::bad_alloc for the null that libav's allocators give.
FrameHandle new_frame();
PacketHandle new_packet();

}  // namespace raven::media

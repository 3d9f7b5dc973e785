#include "raven/media/codecs.h"

#include <spdlog/fmt/fmt.h>

#include "media/av.h"

namespace raven::media {
namespace {

std::string version_text(unsigned version) {
  return fmt::format("{}.{}.{}", AV_VERSION_MAJOR(version), AV_VERSION_MINOR(version),
                     AV_VERSION_MICRO(version));
}

}  // namespace

// By id, as the reader of a file finds it: a decoder under another name ("libopus") will do.
bool has_decoder(std::string_view name) {
  const auto* described = avcodec_descriptor_get_by_name(std::string(name).c_str());
  return described != nullptr && avcodec_find_decoder(described->id) != nullptr;
}

bool has_encoder(std::string_view name) {
  return avcodec_find_encoder_by_name(std::string(name).c_str()) != nullptr;
}

bool has_demuxer(std::string_view name) {
  return av_find_input_format(std::string(name).c_str()) != nullptr;
}

bool has_muxer(std::string_view name) {
  return av_guess_format(std::string(name).c_str(), nullptr, nullptr) != nullptr;
}

std::vector<LibavVersion> libav_versions() {
  return {{"libavcodec", version_text(LIBAVCODEC_VERSION_INT), version_text(avcodec_version())},
          {"libavformat", version_text(LIBAVFORMAT_VERSION_INT), version_text(avformat_version())},
          {"libavutil", version_text(LIBAVUTIL_VERSION_INT), version_text(avutil_version())},
          {"libswscale", version_text(LIBSWSCALE_VERSION_INT), version_text(swscale_version())},
          {"libswresample", version_text(LIBSWRESAMPLE_VERSION_INT),
           version_text(swresample_version())}};
}

}  // namespace raven::media

// What the libav that runs can do, and which one it is.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace raven::media {

bool has_decoder(std::string_view name);
bool has_encoder(std::string_view name);
/// Of a container, by one of the names that libav gives it: "mov", "matroska".
bool has_demuxer(std::string_view name);
bool has_muxer(std::string_view name);

struct LibavVersion {
  std::string name;            // "libavcodec"
  std::string built, running;  // "59.37.100"
};
std::vector<LibavVersion> libav_versions();

}  // namespace raven::media

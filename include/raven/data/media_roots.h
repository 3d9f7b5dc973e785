// The roots of published lists as a configuration names them.
#pragma once

#include <string>

#include "raven/config/run_config.h"
#include "raven/data/manifest.h"

namespace raven::data {

/// `video`, `audio`: folders, or empty; `video_name`, `audio_name`: how a message calls them.
/// Throws ConfigError when one is not there.
MediaRoots media_roots(const std::string& video, const std::string& audio,
                       const std::string& video_name, const std::string& audio_name);

/// data.video_root and data.audio_root.
MediaRoots media_roots(const config::MediaRootsConfig& config);

}  // namespace raven::data

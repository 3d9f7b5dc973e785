#include "raven/data/media_roots.h"

#include "raven/core/error.h"
#include "raven/core/home.h"

namespace raven::data {
namespace {

std::filesystem::path existing_folder(const std::string& folder, const std::string& name) {
  if (folder.empty()) return {};
  const auto path = expand_home(folder);
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return path;
  throw ConfigError(fmt::format(
      "{}: there is no folder {}; it holds the files of published lists, below it or in its folder "
      "<tag>/ (docs/own_data.md)",
      name, folder));
}

}  // namespace

MediaRoots media_roots(const std::string& video, const std::string& audio,
                       const std::string& video_name, const std::string& audio_name) {
  return {.video = existing_folder(video, video_name), .audio = existing_folder(audio, audio_name)};
}

MediaRoots media_roots(const config::MediaRootsConfig& config) {
  return media_roots(config.video_root, config.audio_root, "data.video_root", "data.audio_root");
}

}  // namespace raven::data

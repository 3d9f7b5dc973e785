#include "raven/data/media_list.h"

#include <functional>
#include <map>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/log.h"
#include "raven/core/utf8.h"
#include "raven/corpus/npy.h"
#include "raven/data/transforms.h"
#include "raven/media/audio_reader.h"
#include "raven/media/video_reader.h"

namespace raven::data {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxFileBytes = 1 << 30;  // of a .npy, as SampleReader takes it

/// Whether its numbers are those of a crop is the reader's to say.
std::int64_t frames_of_array(const fs::path& file) {
  const auto content = read_file(file, kMaxFileBytes);
  const auto array = corpus::parse_npy(std::as_bytes(std::span(content)), file.string());
  return array.shape.empty() ? 0 : array.shape.front();
}

std::int64_t frames_of_video(const fs::path& file) {
  if (file.extension() == ".npy") return frames_of_array(file);
  media::VideoReader reader(file);
  if (reader.height() != kStoredSide || reader.width() != kStoredSide) {
    throw DataError(
        fmt::format("{}: frames are {} x {}, expected a mouth crop of {} x {}; `raven "
                    "prepare` makes such crops",
                    file.string(), reader.width(), reader.height(), kStoredSide, kStoredSide),
        "shape");
  }
  std::int64_t frames = 0;
  while (reader.next()) ++frames;
  return frames;
}

std::int64_t frames_of_sound(const fs::path& file) {
  return std::ssize(media::read_audio(file).samples) / media::kSamplesPerFrame;
}

fs::path existing(const fs::path& given) {
  std::error_code ignored;
  if (fs::is_directory(given, ignored)) {
    throw ConfigError(fmt::format(
        "{}: is a folder, expected media files; `raven prepare` makes a manifest of a folder",
        given.string()));
  }
  if (!fs::exists(given, ignored)) {
    throw ConfigError(fmt::format("{}: no such file", given.string()));
  }
  return fs::absolute(given).lexically_normal();
}

/// The deepest folder that holds all of them.
fs::path common_folder(const std::vector<fs::path>& files) {
  fs::path common = files.front().parent_path();
  for (const auto& file : files) {
    fs::path shared;
    const auto folder = file.parent_path();
    for (auto a = common.begin(), b = folder.begin();
         a != common.end() && b != folder.end() && *a == *b; ++a, ++b)
      shared /= *a;
    common = shared;
  }
  return common;
}

using CountFrames = std::function<std::int64_t(const fs::path&)>;
using Place = std::function<void(Utterance&, const fs::path&)>;

MediaList list(const std::vector<fs::path>& given, const CountFrames& count, const Place& place) {
  std::vector<fs::path> files;
  for (const auto& file : given) files.push_back(existing(file));
  if (files.empty()) throw ConfigError("there are no media files to read");
  MediaList media;
  media.manifest.file = common_folder(files);
  std::map<std::string, fs::path> known;
  for (const auto& file : files) {
    const auto below = file.lexically_relative(media.manifest.file);
    Utterance utterance;
    utterance.id = (below.parent_path() / below.stem()).string();
    if (const auto [other, is_new] = known.emplace(utterance.id, file); !is_new) {
      throw ConfigError(fmt::format("{} and {} would both be '{}'; give one of them, or a manifest",
                                    other->second.string(), file.string(), utterance.id));
    }
    place(utterance, file);
    try {
      if (!is_utf8(utterance.id)) {
        throw DataError(fmt::format("{}: its name is not UTF-8 text, and features are named after "
                                    "it; rename it",
                                    printable(file.string())),
                        "name");
      }
      utterance.frames = count(file);
      if (utterance.frames < 1) {
        throw DataError(fmt::format("{}: holds less than one frame", file.string()), "empty");
      }
      if (utterance.frames > kMaxListedFrames) {
        throw DataError(fmt::format("{}: {} frames, at most {} are read", file.string(),
                                    utterance.frames, kMaxListedFrames),
                        "too-large");
      }
      media.manifest.utterances.push_back(std::move(utterance));
    } catch (const DataError& error) {
      utterance.id = is_utf8(utterance.id) ? utterance.id : printable(utterance.id);
      log::warn("skipped '{}' ({}): {}", utterance.id, error.reason(), error.what());
      media.skips->ids.insert(utterance.id);
      ++media.skips->by_reason[error.reason()];
      media.skips->lines.push_back(utterance.id + "\t" + error.reason() + "\t" + error.what());
    }
  }
  return media;
}

}  // namespace

MediaList list_videos(const std::vector<fs::path>& files) {
  return list(files, frames_of_video,
              [](Utterance& utterance, const fs::path& file) { utterance.video.file = file; });
}

MediaList list_sounds(const std::vector<fs::path>& files) {
  return list(files, frames_of_sound,
              [](Utterance& utterance, const fs::path& file) { utterance.audio.file = file; });
}

}  // namespace raven::data

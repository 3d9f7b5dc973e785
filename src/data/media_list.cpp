#include "raven/data/media_list.h"

#include <functional>
#include <map>
#include <span>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/log.h"
#include "raven/core/summed_warnings.h"
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

[[noreturn]] void refuse_film(const fs::path& file, const media::VideoReader& reader) {
  throw DataError(
      fmt::format("{}: frames are {} x {}, expected a mouth crop of {} x {}; `raven "
                  "prepare` makes such crops",
                  file.string(), reader.width(), reader.height(), kStoredSide, kStoredSide),
      "shape");
}

void check_length(std::int64_t frames, const fs::path& file) {
  if (frames <= kMaxListedFrames) return;
  throw DataError(fmt::format("{}: more than {} frames, at most so many are read", file.string(),
                              kMaxListedFrames),
                  "too-large");
}

bool is_newer(const fs::path& crop, const fs::path& film) {
  std::error_code absent;
  const auto made = fs::last_write_time(crop, absent);
  return !absent && made > fs::last_write_time(film, absent) && !absent;
}

/// The crops of a film in `crop`, a .npy file.
void cut_film(const fs::path& film, const fs::path& crop, const MouthSearch& search) {
  if (is_newer(crop, film)) return;
  if (search.faces != nullptr && fs::exists(crop)) search.faces->forget({.id = search.name});
  auto mouths = open_mouths(film, search);
  std::vector<std::uint8_t> pixels;
  std::int64_t frames = 0;
  while (const auto frame = mouths.next()) {
    if (search.watch.stop.stop_requested()) throw faces::SearchStopped("cropping was stopped");
    check_length(++frames, film);
    pixels.insert(pixels.end(), frame->begin(), frame->end());
  }
  if (!mouths.remark().empty()) log::warn("{}: {}", film.string(), mouths.remark());
  const std::int64_t shape[] = {frames, kStoredSide, kStoredSide};
  make_folders(crop.parent_path());
  write_file_atomically(crop, corpus::npy_bytes("|u1", shape, std::as_bytes(std::span(pixels))));
}

/// Counts the frames of a crop; of another film those of the crop that is made of it, to which the
/// utterance then leads.
std::int64_t count_frames(Utterance& utterance, const FilmCrops* crops) {
  const auto file = utterance.video.file;
  if (file.extension() == ".npy") return frames_of_array(file);
  media::VideoReader reader(file);
  if (reader.height() == kStoredSide && reader.width() == kStoredSide) {
    std::int64_t frames = 0;
    while (reader.next()) ++frames;
    return frames;
  }
  if (crops == nullptr) refuse_film(file, reader);
  auto search = crops->search;
  search.name = utterance.id;
  utterance.video.file = crops->folder / (utterance.id + ".npy");
  utterance.grey = search.grey;
  cut_film(file, utterance.video.file, search);
  return frames_of_array(utterance.video.file);
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

/// Names the file in the utterance and counts its frames.
using Enter = std::function<std::int64_t(Utterance&, const fs::path&)>;

MediaList list(const std::vector<fs::path>& given, const Enter& enter) {
  std::vector<fs::path> files;
  for (const auto& file : given) files.push_back(existing(file));
  if (files.empty()) throw ConfigError("there are no media files to read");
  MediaList media;
  SummedWarnings warnings;
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
    try {
      if (!is_utf8(utterance.id)) {
        throw DataError(fmt::format("{}: its name is not UTF-8 text, and features are named after "
                                    "it; rename it",
                                    printable(file.string())),
                        "name");
      }
      utterance.frames = enter(utterance, file);
      if (utterance.frames < 1) {
        throw DataError(fmt::format("{}: holds less than one frame", file.string()), "empty");
      }
      check_length(utterance.frames, file);
      media.manifest.utterances.push_back(std::move(utterance));
    } catch (const DataError& error) {
      utterance.id = is_utf8(utterance.id) ? utterance.id : printable(utterance.id);
      warnings.warn(error.reason(), fmt::format("skipped '{}' ({}): {}", utterance.id,
                                                error.reason(), error.what()));
      media.skips->ids.insert(utterance.id);
      ++media.skips->by_reason[error.reason()];
      media.skips->lines.push_back(utterance.id + "\t" + error.reason() + "\t" + error.what());
    }
  }
  return media;
}

}  // namespace

MediaList list_videos(const std::vector<fs::path>& files, const FilmCrops* crops) {
  return list(files, [crops](Utterance& utterance, const fs::path& file) {
    utterance.video.file = file;
    return count_frames(utterance, crops);
  });
}

MediaList list_sounds(const std::vector<fs::path>& files) {
  return list(files, [](Utterance& utterance, const fs::path& file) {
    utterance.audio.file = file;
    return frames_of_sound(file);
  });
}

}  // namespace raven::data

#include "raven/data/found_faces.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "core/parse_json.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/log.h"
#include "raven/core/utf8.h"
#include "raven/corpus/landmarks.h"
#include "raven/corpus/npy.h"

namespace raven::data {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::uint64_t kMaxPointsBytes = 256ULL << 20, kMaxNoteBytes = 1ULL << 20;

std::string npy_of(const std::vector<corpus::FacePoints>& faces) {
  std::vector<float> numbers;
  for (const auto& face : faces) {
    for (const auto& point : face) {
      numbers.push_back(static_cast<float>(point.x));
      numbers.push_back(static_cast<float>(point.y));
    }
  }
  const std::int64_t shape[] = {std::ssize(faces), corpus::kNumFacePoints, 2};
  return corpus::npy_bytes("<f4", shape, std::as_bytes(std::span(numbers)));
}

/// Empty where they have to be found once more.
std::optional<corpus::Faces> read_found(const fs::path& file) {
  std::error_code ignored;
  if (!fs::exists(file, ignored)) return std::nullopt;
  try {
    return corpus::read_landmarks(read_file(file, kMaxPointsBytes), file.string());
  } catch (const DataError& error) {
    log::warn("{}; its faces are found once more", error.what());
    return std::nullopt;
  }
}

fs::path note_of(const fs::path& folder) { return folder / "found.json"; }

/// What is in the folder must have been found in the same way: `key` of its note is `wanted`.
void check_note(const fs::path& folder, const char* key, std::string_view wanted) {
  const auto file = note_of(folder);
  if (!fs::exists(file)) return;
  const auto note = parse_json<Json>(read_file(file, kMaxNoteBytes));
  const bool is_told = note.is_object() && note.contains(key) && note.at(key).is_string();
  const auto before = is_told ? printable(note.at(key).get<std::string>()) : "not told";
  if (before == wanted) return;
  throw ConfigError(
      fmt::format("{}: the faces in this folder were found with {} {}, now it is {}; use the same "
                  "or another folder for the prepared data",
                  file.string(), key, before, wanted));
}

}  // namespace

FoundFaceStore::FoundFaceStore(fs::path folder, const fs::path& model,
                               const faces::FaceOptions& options)
    : folder_(std::move(folder)), options_(options) {
  check_note(folder_, "face", config::enum_name(options_.choice));
  if (!model.empty()) load(model);
}

void FoundFaceStore::load(const fs::path& file) {
  auto model = std::make_shared<const faces::LandmarkModel>(file);
  check_note(folder_, "model", model->checksum());
  if (!fs::exists(note_of(folder_))) {
    const Json note = {{"version", 1},
                       {"model", model->checksum()},
                       {"face", std::string(config::enum_name(options_.choice))}};
    make_folders(folder_);
    write_file_atomically(note_of(folder_), note.dump(2) + "\n");
  }
  log::info("faces are found with the landmark model {} ({})", file.string(), model->licence());
  finder_ = std::make_unique<faces::FaceFinder>(std::move(model), options_);
}

const faces::FaceFinder& FoundFaceStore::finder(const corpus::SourceClip& clip) {
  const std::lock_guard lock(mutex_);
  if (finder_) return *finder_;
  const fs::path usual = faces::kDefaultLandmarkModel;
  std::error_code ignored;
  if (!fs::exists(usual, ignored)) {
    throw DataError(
        fmt::format("{}: no such file, and no landmark model {} to find faces with; {}",
                    clip.landmarks.string(), usual.string(), faces::kLandmarkModelRemedy),
        "missing-landmarks");
  }
  load(usual);
  return *finder_;
}

fs::path FoundFaceStore::file_of(const corpus::SourceClip& clip) const {
  return folder_ / (clip.id + ".npy");
}

corpus::Faces FoundFaceStore::of(const corpus::SourceClip& clip, const faces::SearchWatch& watch) {
  const auto file = file_of(clip);
  if (auto known = read_found(file)) return *std::move(known);
  std::optional<media::Source> sound;
  if (!clip.audio.empty() && clip.audio != clip.video) sound.emplace(clip.audio);
  auto found = finder(clip).find(clip.video, sound, watch);
  make_folders(file.parent_path());
  write_file_atomically(file, npy_of(found.points));
  return corpus::faces_of(std::move(found.points));
}

void FoundFaceStore::forget(const corpus::SourceClip& clip) {
  std::error_code ignored;
  fs::remove(file_of(clip), ignored);
}

}  // namespace raven::data

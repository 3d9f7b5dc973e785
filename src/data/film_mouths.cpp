#include "raven/data/film_mouths.h"

#include "raven/core/error.h"
#include "raven/media/audio_stream.h"
#include "raven/media/video_reader.h"

namespace raven::data {
namespace {

namespace fs = std::filesystem;

bool is_crop(const fs::path& film) {
  const media::VideoReader reader(film, {.limits = limits_of_films()});
  return reader.width() == corpus::kCropSize && reader.height() == corpus::kCropSize;
}

}  // namespace

media::Limits limits_of_films() {
  media::Limits limits;
  limits.max_duration_s = media::kMaxStreamed_s;
  return limits;
}

fs::path landmarks_of(const fs::path& film, const fs::path& folder, const std::string& ending) {
  return folder / (film.stem().string() + ending);
}

corpus::MouthFilm open_mouths(const fs::path& film, const MouthSearch& search) {
  const bool as_it_is = is_crop(film);
  corpus::MouthFilmOptions how{.grey = search.grey, .limits = limits_of_films()};
  if (as_it_is) return {film, how};
  if (!search.landmarks.empty()) return {film, landmarks_of(film, search.landmarks), how};
  if (search.faces == nullptr) {
    throw DataError(
        fmt::format("{}: is no film of mouth crops and has no landmarks", film.string()),
        "missing-landmarks");
  }
  const auto faces = search.faces->of(
      {.id = search.name, .video = film, .landmarks = film.stem().string() + ".npy"}, search.watch);
  how.landmark_picture = corpus::LandmarkPicture::kDisplayed;
  return {film, faces, film.string(), how};
}

}  // namespace raven::data

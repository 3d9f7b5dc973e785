// The mouth crops of a film one after another: memory holds one of them, and the plan of all.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "raven/corpus/faces.h"
#include "raven/corpus/grey.h"
#include "raven/corpus/landmarks.h"
#include "raven/corpus/mean_face.h"
#include "raven/corpus/mouth_crop.h"
#include "raven/media/media.h"

namespace raven::corpus {

struct MouthFilmOptions {
  Grey grey = Grey::kLuma;  // or kPublished
  LandmarkPicture landmark_picture = LandmarkPicture::kAuto;
  media::Limits limits;
};

/// Where in a picture, as a player shows it, a mouth is cut and a face was seen; pixels.
struct MouthPlace {
  std::array<Point, 4> window;     // corners of the crop, in order around it
  std::optional<FacePoints> face;  // empty where the crop was made from those before and after
};

/// The crops that prepare_clip() cuts, frame by frame at 25 a second. A film that asks for a
/// rotation which its landmarks do not settle is believed. Not thread-safe.
class MouthFilm {
 public:
  /// With the landmarks of a .npy file (read_landmarks), or of the .csv beside it where it is not;
  /// the film is decoded once to learn which picture each frame shows. Throws DataError
  /// ("missing-landmarks", "landmarks", "rotation", "no-face") and MediaError.
  MouthFilm(const std::filesystem::path& film, const std::filesystem::path& landmarks,
            const MouthFilmOptions& options);
  /// Of a film of 96 x 96 pixels, which are taken for crops as they are. Throws DataError ("shape")
  /// for another one.
  MouthFilm(const std::filesystem::path& film, const MouthFilmOptions& options);
  /// With a face for each frame of media::VideoReader; `name` stands for them in messages.
  MouthFilm(const std::filesystem::path& film, const Faces& faces, const std::string& name,
            const MouthFilmOptions& options);
  ~MouthFilm();
  MouthFilm(MouthFilm&&) noexcept;
  MouthFilm& operator=(MouthFilm&&) noexcept;

  /// 96 x 96 grey pixels, valid until the next call; empty at the end of the film or of its faces.
  /// Throws MediaError.
  std::optional<std::span<const std::uint8_t>> next();

  /// Of frame k; empty for a film of crops, and beyond the end.
  [[nodiscard]] std::optional<MouthPlace> place(std::int64_t frame) const;

  [[nodiscard]] const std::string& remark() const;  // what one should know; may be empty

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace raven::corpus

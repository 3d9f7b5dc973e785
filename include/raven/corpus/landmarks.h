// The 68 facial landmarks of every frame of a clip, from a .npy file, and which of them can be
// faces of its pictures.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "raven/corpus/faces.h"
#include "raven/media/turn.h"

namespace raven::corpus {

/// The bytes of an array (T, 68, 2) of x, y, pixels: float or integer of any byte order. Frames
/// without a face are in there as they are. Throws DataError: "corrupt" for a damaged file,
/// "landmarks" for another shape, "no-face" for no frames.
Faces read_landmarks(std::string npy, const std::string& name);

struct PictureSize {
  std::int64_t width = 0, height = 0;  // pixels
};

/// False for what stands for "no face was found" or cannot be one: a point that is NaN, infinite or
/// further than 100,000 pixels out, all points in one spot, a mouth whose centre lies outside the
/// picture, or points that hardly resemble a face. A jaw beyond the picture's edge is fine.
bool is_face(const FacePoints& face, const PictureSize& picture);

/// True for points that cannot be a detection in any picture; see is_face().
bool is_missing(const FacePoints& face);

/// Which picture landmarks were made from, where a file asks for its picture to be turned: OpenCV,
/// ffmpeg and MediaPipe turn it first; libav by itself, and what uses it directly, does not.
enum class LandmarkPicture { kAuto, kStored, kDisplayed };

/// "auto", "stored", "displayed"; empty for another name.
std::optional<LandmarkPicture> landmark_picture_of(std::string_view name);
std::string_view name_of(LandmarkPicture picture);

/// Landmarks and the picture that they fit.
struct FittedFaces {
  Faces faces;                         // pixels of the stored picture or, if `turned`, of the shown
  std::vector<std::int64_t> detected;  // frames with a face, sorted; at least half of them
  bool turned = false;
  LandmarkPicture picture = LandmarkPicture::kStored;  // never kAuto
};

/// Decides whether landmarks belong to the picture as it is stored or as it is shown, and which
/// frames have a face. In the picture that is shown, faces are upright; where no turn is asked for,
/// a face may lie on its side or head. Throws DataError with `name`: "no-face" when most frames
/// have none, "landmarks" when the points were not made for a picture of this size (shares of its
/// size, outside of it, x and y exchanged), "rotation" when they fit neither picture, or both.
FittedFaces fit_to_picture(const Faces& faces, const PictureSize& stored, const media::Turn& turn,
                           LandmarkPicture picture, const std::string& name);

/// Where a point of the stored picture is shown.
Point shown_at(const Point& stored, const PictureSize& size, const media::Turn& turn);

}  // namespace raven::corpus

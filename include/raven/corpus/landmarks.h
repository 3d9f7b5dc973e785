// The 68 facial landmarks of every frame of a clip, from a .npy file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "raven/corpus/mean_face.h"

namespace raven::corpus {

struct Landmarks {
  std::vector<FacePoints> frames;     // one face per frame, pixels
  std::int64_t num_interpolated = 0;  // frames without a detection, filled from their neighbours
};

/// Reads an array (T, 68, 2) of x, y: float or integer of any byte order. A frame with a NaN has no
/// detection; it is filled by fill_missing(). Throws DataError: "corrupt" for a damaged file,
/// "landmarks" for another shape or points that are infinite or further than 100,000 pixels out,
/// "no-face" when no frame has a detection.
Landmarks read_landmarks(std::span<const std::byte> npy, const std::string& name);

/// What shows that points were not made for a picture of this size, in most frames: they span a few
/// pixels only (shares of the picture's size), they lie outside of it, or the face is mirrored (x
/// and y exchanged). Empty: nothing. A face may lie on its side or head.
std::string problem_with_faces(const std::vector<FacePoints>& frames, std::int64_t width,
                               std::int64_t height);

/// Fills frames with a NaN: linearly between the nearest detections, copies of the nearest one at
/// both ends. Returns how many were filled; leaves the frames alone when none has a detection.
std::int64_t fill_missing(std::vector<FacePoints>& frames);

}  // namespace raven::corpus

// The faces of a clip, frame by frame, and what fills the gaps between detections.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "raven/corpus/mean_face.h"

namespace raven::corpus {

/// Faces that are made when they are asked for: as a list of doubles they would take several times
/// the memory of the file that they come from.
struct Faces {
  std::int64_t count = 0;
  std::function<FacePoints(std::int64_t frame)> at;  // 0 <= frame < count
};

Faces faces_of(std::vector<FacePoints> list);

/// `faces`, with the frames that are not among `detected` (sorted, not empty) filled: linearly
/// between the nearest detections, copies of the nearest one at both ends. `starts_s`, which may be
/// empty, says when the frames begin; those beyond it, or all, are taken to be evenly apart.
Faces fill_gaps(Faces faces, std::vector<std::int64_t> detected, std::vector<double> starts_s = {});

}  // namespace raven::corpus

// Which of several faces is the one that speaks for the film.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "raven/corpus/landmarks.h"
#include "raven/faces/face_finder.h"

namespace raven::faces {

/// What is chosen from.
struct ShotFaces {
  const std::vector<FaceTrack>& tracks;
  std::int64_t num_frames = 0;
  corpus::PictureSize picture;
};

/// One face for each frame, NaN where there is none. In the order of how well they fit `choice`,
/// faces are taken in the frames that are still free, where those are most of theirs; a face counts
/// for as long as it is seen, so that one that only passes is not taken. `loudness` of each frame,
/// any unit, for kSpeaking; empty stands for silence, and the largest face is taken.
std::vector<corpus::FacePoints> choose_faces(const ShotFaces& faces, FaceChoice choice,
                                             std::span<const double> loudness);

/// Of each frame of 640 samples: log10 of the sound's root mean square, not below -4.
std::vector<double> loudness_of(std::span<const float> samples, std::int64_t num_frames);

}  // namespace raven::faces

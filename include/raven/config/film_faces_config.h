// Where the mouths of films are, as `raven features` and `raven transcribe` are told.
#pragma once

#include <string>

#include "raven/config/face_choice.h"
#include "raven/config/fields.h"

namespace raven::config {

struct FilmFacesConfig {
  std::string landmarks;
  FaceChoice face = FaceChoice::kLargest;
  std::string landmark_model;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("landmarks", &FilmFacesConfig::landmarks,
            "for lips: folder of 68 points a frame, <name of the film>.npy of (frames, 68, 2), for "
            "all films; empty: faces are found");
    v.field("face", &FilmFacesConfig::face,
            "of several faces that are found: the largest, the one nearest to the middle of the "
            "picture, or the one whose mouth moves with the loudness of the sound");
    v.field("landmark_model", &FilmFacesConfig::landmark_model,
            "a file of dlib's shape predictor with 68 points, by which faces are found; empty: the "
            "one that the system has");
  }
};

}  // namespace raven::config

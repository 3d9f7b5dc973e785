// Who speaks: a face, a manner of speaking, a voice and a camera, all drawn from one number.
#pragma once

#include <cstdint>
#include <opencv2/core.hpp>

#include "synth/articulation.h"
#include "synth/speech.h"

namespace raven::synth {

inline constexpr int kFaceSize = 224;  // pixels, width and height of a picture
inline constexpr double kFaceCentreX = 112, kFaceCentreY = 128;

/// Colours are BGR, 0 to 255. Lengths are pixels of a 224 x 224 picture of the face at rest.
struct Speaker {
  bool female = false;
  cv::Vec3f skin{150, 178, 222}, lips{110, 105, 190}, hair{30, 40, 55}, eyes{70, 90, 60};
  cv::Vec3f clothes{120, 80, 60}, background{150, 150, 150};

  double face_width = 60, jaw_width = 46, chin_y = 196, hair_top_y = 38;
  double eye_distance = 27, eye_y = 96, brow_height = 13, nose_width = 13;
  double mouth_y = 154, mouth_width = 26.5, upper_lip = 5.6, lower_lip = 7.6, cupid_bow = 0.8;
  double mouth_asymmetry = 0, mouth_corner = 0;
  double teeth_brightness = 0.93, cheek_fold = 0.5, stubble = 0, moustache = 0;
  bool tooth_gap = false;

  double light_x = 0.25, light_y = -0.45, ambient = 0.62;  // direction, share from all sides
  double camera_gain = 1, warmth = 0, sensor_noise = 2.5,
         lens_blur = 0.45;  // noise: standard deviation
  double yaw = 0, pitch = 0, roll = 0, scale = 1, shift_x = 0, shift_y = 0;  // of the head at rest

  ArticulationStyle style;
  Voice voice;
  std::uint64_t texture_seed = 1;  // of hair, skin and background patterns

  /// Speaker `number` of the world of `seed`; odd numbers are women.
  static Speaker random(std::uint64_t seed, std::int64_t number);
};

}  // namespace raven::synth

#include "faces/face_detector.h"

// Only what is a template of dlib is used, and two small classes of its static library: neither a
// BLAS nor LAPACK nor pictures' formats come along. Its configuration is read by these two headers.
#include <dlib/assert.h>
#include <dlib/test_for_odr_violations.h>
#undef DLIB_USE_BLAS
#undef DLIB_USE_LAPACK
#include <dlib/image_processing/frontal_face_detector.h>

#include <cstring>

namespace raven::faces {
namespace {

using Detector = dlib::frontal_face_detector;
using Picture = dlib::array2d<unsigned char>;

Detector with_few_sizes(const Detector& all) {
  constexpr unsigned long kNumSizes = 3;
  Detector::image_scanner_type scanner;
  scanner.copy_configuration(all.get_scanner());
  scanner.set_max_pyramid_levels(kNumSizes);
  std::vector<Detector::feature_vector_type> weights;
  for (unsigned long i = 0; i < all.num_detectors(); ++i) weights.push_back(all.get_w(i));
  return {scanner, all.get_overlap_tester(), weights};
}

const Detector& prototype() {
  static const Detector detector = dlib::get_frontal_face_detector();
  return detector;
}

const Detector& prototype_of_few_sizes() {
  static const Detector detector = with_few_sizes(prototype());
  return detector;
}

void copy(const GreyView& from, Picture& to) {
  to.set_size(from.height, from.width);
  for (std::int64_t y = 0; y < from.height; ++y)
    std::memcpy(&to[y][0], from.pixels + y * from.stride, static_cast<std::size_t>(from.width));
}

std::vector<Detection> detect(const GreyView& picture, double least_score, Detector& detector,
                              Picture& copied) {
  if (picture.width < kSmallestWindow || picture.height < kSmallestWindow) return {};
  copy(picture, copied);
  std::vector<dlib::rect_detection> found;
  detector(copied, found, least_score);
  std::vector<Detection> detections;
  for (const auto& [score, filter, rect] : found) {
    detections.push_back({.box = {.left = static_cast<double>(rect.left()),
                                  .top = static_cast<double>(rect.top()),
                                  .right = static_cast<double>(rect.right()),
                                  .bottom = static_cast<double>(rect.bottom())},
                          .score = score});
  }
  return detections;
}

}  // namespace

struct FaceDetector::State {
  Detector all = prototype(), few = prototype_of_few_sizes();
  Picture picture;
};

FaceDetector::FaceDetector() : state_(std::make_unique<State>()) {}
FaceDetector::~FaceDetector() = default;

std::vector<Detection> FaceDetector::find(const GreyView& picture, double least_score) {
  return detect(picture, least_score, state_->all, state_->picture);
}

std::vector<Detection> FaceDetector::find_small(const GreyView& picture, double least_score) {
  return detect(picture, least_score, state_->few, state_->picture);
}

}  // namespace raven::faces

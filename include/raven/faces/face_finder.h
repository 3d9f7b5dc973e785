// The faces of a film: dlib's frontal detector every few frames, followed in between, 68 landmarks
// in each frame.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string_view>
#include <vector>

#include "raven/config/face_choice.h"
#include "raven/core/error.h"
#include "raven/corpus/mean_face.h"
#include "raven/faces/landmark_model.h"
#include "raven/media/media.h"

namespace raven::faces {

/// Of several faces, in each shot.
using config::FaceChoice;

/// "largest", "central", "speaking"; empty for another name.
std::optional<FaceChoice> face_choice_of(std::string_view name);

struct FaceOptions {
  FaceChoice choice = FaceChoice::kLargest;
  media::Limits limits;
};

/// One face from where it is first seen to where it is last seen, within a shot.
struct FaceTrack {
  std::int64_t first_frame = 0;
  std::vector<corpus::FacePoints> points;  // of each frame from there on; NaN where it was lost
};

/// Frames are those of media::VideoReader, 25 a second. Points are pixels of the picture as it is
/// displayed (LandmarkPicture::kDisplayed), and have the precision of a float.
struct FoundFaces {
  std::vector<corpus::FacePoints> points;  // of the chosen face, one for each frame; NaN: none
  std::int64_t frames_with_face = 0;       // of `points`
  std::vector<std::int64_t> cuts;          // frames with which another shot begins, without 0
  std::vector<FaceTrack> tracks;           // every face that was seen, whether chosen or not
};

/// A long film takes a while.
struct SearchWatch {
  std::stop_token stop = {};
  std::function<void(std::int64_t frames)> report = {};  // looked at so far, now and then
};

/// The search was asked to stop and has found nothing yet.
class SearchStopped : public Error {
 public:
  using Error::Error;
};

/// A face that was not found.
corpus::FacePoints no_face();

/// Thread-safe: each call of find() has a detector of its own; the model is shared.
class FaceFinder {
 public:
  explicit FaceFinder(std::shared_ptr<const LandmarkModel> model, const FaceOptions& options = {});
  ~FaceFinder();
  FaceFinder(FaceFinder&&) noexcept;
  FaceFinder& operator=(FaceFinder&&) noexcept;

  /// `sound`: another file with the sound, for FaceChoice::kSpeaking; empty: the film's own.
  /// The same points on every call. A film without any face is no error. Throws MediaError as
  /// media::VideoReader does, SearchStopped.
  [[nodiscard]] FoundFaces find(const media::Source& film,
                                const std::optional<media::Source>& sound = {},
                                const SearchWatch& watch = {}) const;

  [[nodiscard]] const LandmarkModel& model() const;

 private:
  struct State;
  std::unique_ptr<const State> state_;
};

}  // namespace raven::faces

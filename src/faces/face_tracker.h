// Follows every face of a film through its shots.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "faces/face_detector.h"
#include "faces/grey_picture.h"
#include "raven/corpus/landmarks.h"
#include "raven/corpus/mouth_crop.h"
#include "raven/faces/face_finder.h"

namespace raven::faces {

// Note [Blocks]
// Pictures are looked at in blocks. In the last one of a block the detector looks for each known
// face close to where it was, in three sizes, which takes a fraction of a whole picture's time; the
// whole picture is searched where a shot begins, where no face is known, and once a second. Between
// two detections of a face its box moves evenly, and landmarks are found in each picture, inside
// that box. Where a face was lost or has come in a block, it is detected picture by picture from
// the end at which it was seen, so that it begins and ends with the picture in which it does.
class FaceTracker {
 public:
  explicit FaceTracker(const LandmarkModel& model) : model_(model) {}

  /// The next frame, grey, as it is displayed.
  void add(const corpus::ImageView& picture);
  /// After the last frame.
  void finish() { end_block(); }

  [[nodiscard]] std::int64_t num_frames() const { return num_frames_; }
  [[nodiscard]] const corpus::PictureSize& picture_size() const { return size_; }
  [[nodiscard]] std::vector<std::int64_t>& cuts() { return cuts_; }
  [[nodiscard]] std::vector<FaceTrack> take_tracks();

 private:
  struct Track {
    FaceTrack face;
    FaceBox box;                 // where it was last detected, in pixels of the working picture
    bool is_seen = false;        // in the last picture of the last block
    std::int64_t last_seen = 0;  // the end of the last block in whose last picture it was
  };

  struct Sighting {
    FaceBox box;
    Track* track = nullptr;  // null: a face that is new
  };

  [[nodiscard]] GreyPicture working_picture(const corpus::ImageView& picture);
  [[nodiscard]] bool is_cut(const GreyPicture& picture);
  void begin_shot();
  void end_block();
  [[nodiscard]] std::vector<Sighting> follow();
  [[nodiscard]] bool misses_one(const std::vector<Sighting>& sightings) const;
  void search(std::vector<Sighting>& sightings);
  [[nodiscard]] std::vector<Detection> search_whole(const GreyPicture& picture);
  [[nodiscard]] std::optional<FaceBox> find_near(const GreyPicture& picture, const FaceBox& box);
  void continue_track(Track& track, const FaceBox& box);
  void begin_track(Track& track, const FaceBox& box);
  void end_track(Track& track);
  void put(Track& track, std::size_t picture, const FaceBox& box);
  [[nodiscard]] Track* track_at(const FaceBox& box, const std::vector<Sighting>& sightings);
  static bool is_among(const std::vector<Sighting>& sightings, const FaceBox& box);

  const LandmarkModel& model_;
  FaceDetector detector_;
  corpus::PictureSize size_;  // of the film as it is displayed
  std::int64_t divisor_ = 1;
  bool doubled_ = false;
  std::vector<GreyPicture> block_;  // working pictures
  std::int64_t num_frames_ = 0, first_of_block_ = 0, next_search_ = 0;
  bool shot_begins_ = true;
  std::vector<double> thumbnail_;  // of the last picture
  double usual_change_ = 0;        // from picture to picture in this shot
  std::vector<Track> tracks_;      // of this shot
  std::vector<FaceTrack> ended_;   // of earlier ones
  std::vector<std::int64_t> cuts_;
};

}  // namespace raven::faces

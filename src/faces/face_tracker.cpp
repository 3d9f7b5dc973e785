#include "faces/face_tracker.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

// This file is compiled without fused multiply-add: points are the same on every machine.

namespace raven::faces {
namespace {

constexpr std::size_t kBlock = 3;               // frames; 0.12 s
constexpr std::int64_t kSearchEvery = 25;       // frames; 1 s
constexpr std::size_t kMostFaces = 4;           // that are followed at once
constexpr std::int64_t kLargestPicture = 1280;  // pixels; larger ones are shrunk
constexpr std::int64_t kSearchedPicture = 640;  // searched first; where that is smaller
constexpr std::int64_t kSmallPicture = 200;     // doubled up to there
constexpr double kNearSide = 1.8;               // of a face: how far it may go in a block
constexpr double kNearFace = 96;                // pixels; the second of three sizes of windows
constexpr double kLeastNearScore = -0.1;        // a known face may look less like one

double width_of(const FaceBox& box) { return box.right - box.left + 1; }

/// Boxes of one face a moment apart, or of two windows that the detector takes for it.
bool is_same(const FaceBox& a, const FaceBox& b) {
  constexpr double kApart = 0.5, kTimesLarger = 2;  // of the larger one's width
  const auto larger = std::max(width_of(a), width_of(b));
  const auto away =
      std::hypot(a.left + a.right - b.left - b.right, a.top + a.bottom - b.top - b.bottom) / 2;
  return away < kApart * larger && larger < kTimesLarger * std::min(width_of(a), width_of(b));
}

FaceBox between(const FaceBox& from, const FaceBox& to, double share) {
  const auto at = [&](double a, double b) { return a + share * (b - a); };
  return {.left = at(from.left, to.left),
          .top = at(from.top, to.top),
          .right = at(from.right, to.right),
          .bottom = at(from.bottom, to.bottom)};
}

/// Of pixels that are `scale` pixels of another picture large.
FaceBox scaled(const FaceBox& box, double scale, double left, double top) {
  return {.left = left + box.left * scale,
          .top = top + box.top * scale,
          .right = left + (box.right + 1) * scale - 1,
          .bottom = top + (box.bottom + 1) * scale - 1};
}

/// Means of 16 x 16 areas.
std::vector<double> thumbnail_of(const GreyPicture& picture) {
  constexpr std::int64_t kSide = 16, kSamples = 8;
  std::vector<double> means;
  for (std::int64_t y = 0; y < kSide; ++y) {
    for (std::int64_t x = 0; x < kSide; ++x) {
      int sum = 0;
      for (std::int64_t k = 0; k < kSamples * kSamples; ++k) {
        const auto row = (y * kSamples + k / kSamples) * picture.height / (kSide * kSamples);
        const auto column = (x * kSamples + k % kSamples) * picture.width / (kSide * kSamples);
        sum += picture.pixels[static_cast<std::size_t>(row * picture.width + column)];
      }
      means.push_back(static_cast<double>(sum) / (kSamples * kSamples));
    }
  }
  return means;
}

}  // namespace

GreyPicture FaceTracker::working_picture(const corpus::ImageView& picture) {
  if (num_frames_ == 0) {
    size_ = {.width = picture.width, .height = picture.height};
    divisor_ = divisor_for(picture.height, picture.width, kLargestPicture);
    doubled_ = std::max(picture.height, picture.width) <= kSmallPicture;
  }
  auto working = shrunk(picture, divisor_);
  return doubled_ ? doubled(working.view()) : working;
}

/// Something else all over the picture, and far more than before in this shot.
bool FaceTracker::is_cut(const GreyPicture& picture) {
  constexpr double kLeastChange = 20;  // grey levels
  constexpr double kTimesUsual = 4, kMemory = 0.8;
  auto thumbnail = thumbnail_of(picture);
  double change = 0;
  for (std::size_t i = 0; i < thumbnail_.size(); ++i)
    change += std::fabs(thumbnail[i] - thumbnail_[i]) / static_cast<double>(thumbnail.size());
  const bool is_first = thumbnail_.empty();
  thumbnail_ = std::move(thumbnail);
  if (!is_first && change > std::max(kLeastChange, kTimesUsual * usual_change_)) {
    usual_change_ = 0;
    return true;
  }
  usual_change_ = kMemory * usual_change_ + (1 - kMemory) * change;
  return false;
}

void FaceTracker::begin_shot() {
  for (auto& track : tracks_) {
    if (!track.face.points.empty()) ended_.push_back(std::move(track.face));
  }
  tracks_.clear();
  next_search_ = num_frames_;
  shot_begins_ = true;
}

void FaceTracker::add(const corpus::ImageView& picture) {
  auto working = working_picture(picture);
  if (is_cut(working)) {
    end_block();
    cuts_.push_back(num_frames_);
    begin_shot();
  }
  block_.push_back(std::move(working));
  ++num_frames_;
  if (block_.size() == kBlock || shot_begins_) end_block();
  shot_begins_ = false;
}

std::vector<FaceTrack> FaceTracker::take_tracks() {
  begin_shot();
  return std::move(ended_);
}

std::optional<FaceBox> FaceTracker::find_near(const GreyPicture& picture, const FaceBox& box) {
  // Never enlarged: faces smaller than the smallest window are not looked for elsewhere either. The
  // detector's cells lie where they would in the whole picture, so that it sees the same.
  constexpr double kCell = 8;
  const auto side = std::round(kNearSide * width_of(box));
  const auto size = static_cast<std::int64_t>(std::lround(std::min(side, kNearSide * kNearFace)));
  const auto cell = kCell * side / static_cast<double>(size);
  const auto left = cell * std::round((box.left + box.right + 1 - side) / 2 / cell);
  const auto top = cell * std::round((box.top + box.bottom + 1 - side) / 2 / cell);
  const auto cut = cut_out(picture.view(), {.left = left, .top = top, .side = side}, size);
  for (const auto& [found, score] : detector_.find_small(cut.view(), kLeastNearScore)) {
    const auto there = scaled(found, side / static_cast<double>(size), left, top);
    if (is_same(there, box)) return there;  // the best comes first
  }
  return std::nullopt;
}

/// Of a large picture a smaller one first, which shows all but the smallest faces.
std::vector<Detection> FaceTracker::search_whole(const GreyPicture& picture) {
  const auto divisor = divisor_for(picture.height, picture.width, kSearchedPicture);
  if (divisor > 1) {
    const auto small = shrunk(picture.view(), divisor);
    auto found = detector_.find(small.view());
    for (auto& detection : found)
      detection.box = scaled(detection.box, static_cast<double>(divisor), 0, 0);
    if (!found.empty()) return found;
  }
  return detector_.find(picture.view());
}

void FaceTracker::put(Track& track, std::size_t picture, const FaceBox& box) {
  const auto working = model_.points(block_[picture].view(), box);
  const auto scale = doubled_ ? 0.5 : static_cast<double>(divisor_);
  corpus::FacePoints points;
  for (std::size_t i = 0; i < points.size(); ++i) {  // as a file of them will have it
    points[i] = {static_cast<float>((working[i].x + 0.5) * scale - 0.5),
                 static_cast<float>((working[i].y + 0.5) * scale - 0.5)};
  }
  if (!corpus::is_face(points, size_)) return;
  auto& face = track.face;
  const auto frame = first_of_block_ + static_cast<std::int64_t>(picture);
  if (face.points.empty()) face.first_frame = frame;
  if (frame < face.first_frame) {
    face.points.insert(face.points.begin(), static_cast<std::size_t>(face.first_frame - frame),
                       no_face());
    face.first_frame = frame;
  }
  const auto at = static_cast<std::size_t>(frame - face.first_frame);
  if (face.points.size() <= at) face.points.resize(at + 1, no_face());
  face.points[at] = points;
}

/// It was seen in the last block, and is in this one's last picture.
void FaceTracker::continue_track(Track& track, const FaceBox& box) {
  const auto steps = static_cast<double>(block_.size());
  for (std::size_t i = 0; i < block_.size(); ++i)
    put(track, i, between(track.box, box, static_cast<double>(i + 1) / steps));
  track.box = box;
  track.last_seen = num_frames_;
}

/// It is in the last picture, and was not before the block.
void FaceTracker::begin_track(Track& track, const FaceBox& box) {
  put(track, block_.size() - 1, box);
  auto last = box;
  for (auto i = block_.size() - 1; i > 0; --i) {
    const auto near = find_near(block_[i - 1], last);
    if (!near) continue;
    put(track, i - 1, *near);
    last = *near;
  }
  track.box = box;
  track.is_seen = true;
  track.last_seen = num_frames_;
}

/// It was there before the block, and is not in its last picture.
void FaceTracker::end_track(Track& track) {
  for (std::size_t i = 0; i + 1 < block_.size(); ++i) {
    const auto near = find_near(block_[i], track.box);
    if (!near) continue;
    put(track, i, *near);
    track.box = *near;
  }
  track.is_seen = false;
}

bool FaceTracker::is_among(const std::vector<Sighting>& sightings, const FaceBox& box) {
  return std::ranges::any_of(sightings,
                             [&](const Sighting& sighting) { return is_same(sighting.box, box); });
}

/// The known faces of the block's last picture.
std::vector<FaceTracker::Sighting> FaceTracker::follow() {
  std::vector<Sighting> sightings;
  for (auto& track : tracks_) {
    if (!track.is_seen) continue;
    const auto box = find_near(block_.back(), track.box);
    if (box && !is_among(sightings, *box)) sightings.push_back({.box = *box, .track = &track});
  }
  return sightings;
}

/// One of those that are not in `sightings`; null: none was last seen there in this shot.
FaceTracker::Track* FaceTracker::track_at(const FaceBox& box,
                                          const std::vector<Sighting>& sightings) {
  const auto found = std::ranges::find_if(tracks_, [&](const Track& track) {
    return is_same(track.box, box) &&
           std::ranges::none_of(sightings, [&](const auto& s) { return s.track == &track; });
  });
  return found == tracks_.end() ? nullptr : &*found;
}

/// A face that was seen a moment ago is not where it was.
bool FaceTracker::misses_one(const std::vector<Sighting>& sightings) const {
  return std::ranges::any_of(tracks_, [&](const Track& track) {
    return num_frames_ - track.last_seen <= kSearchEvery &&
           std::ranges::none_of(sightings, [&](const auto& s) { return s.track == &track; });
  });
}

void FaceTracker::search(std::vector<Sighting>& sightings) {
  next_search_ = num_frames_ + kSearchEvery;
  auto found = search_whole(block_.back());
  std::ranges::stable_sort(
      found, [](const auto& a, const auto& b) { return width_of(a.box) > width_of(b.box); });
  for (const auto& [box, score] : found) {
    if (sightings.size() >= kMostFaces) return;
    if (!is_among(sightings, box))
      sightings.push_back({.box = box, .track = track_at(box, sightings)});
  }
}

void FaceTracker::end_block() {
  if (block_.empty()) return;
  auto sightings = follow();
  if (sightings.empty() || num_frames_ >= next_search_ || misses_one(sightings)) search(sightings);
  const auto num_known = tracks_.size();
  std::vector<FaceBox> new_boxes;
  std::vector<bool> is_seen(num_known, false);
  for (const auto& [box, track] : sightings) {
    if (track == nullptr) {
      new_boxes.push_back(box);
      continue;
    }
    is_seen[static_cast<std::size_t>(track - tracks_.data())] = true;
    track->is_seen ? continue_track(*track, box) : begin_track(*track, box);
  }
  for (std::size_t i = 0; i < num_known; ++i) {
    if (tracks_[i].is_seen && !is_seen[i]) end_track(tracks_[i]);
  }
  for (const auto& box : new_boxes) begin_track(tracks_.emplace_back(), box);
  first_of_block_ = num_frames_;
  block_.clear();
}

}  // namespace raven::faces

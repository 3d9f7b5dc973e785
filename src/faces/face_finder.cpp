#include "raven/faces/face_finder.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "faces/face_choice.h"
#include "faces/face_tracker.h"
#include "raven/core/error.h"
#include "raven/corpus/mouth_crop.h"
#include "raven/media/audio_reader.h"
#include "raven/media/video_reader.h"

namespace raven::faces {
namespace {

constexpr std::int64_t kReportEvery = 250;  // frames

/// What was seen, before a choice is made.
struct Seen {
  std::vector<FaceTrack> tracks;
  std::vector<std::int64_t> cuts;
  std::int64_t num_frames = 0;
  corpus::PictureSize picture;    // as it is displayed
  std::optional<double> start_s;  // of the first picture
};

Seen look_at(const media::Source& film, const LandmarkModel& model, const media::Limits& limits,
             const SearchWatch& watch, bool turn_pictures) {
  media::VideoReader reader(film, {.limits = limits});
  FaceTracker tracker(model);
  while (const auto frame = reader.next()) {
    const corpus::ImageView stored{frame->pixels, frame->height, frame->width, frame->channels,
                                   frame->stride};
    if (watch.stop.stop_requested()) throw SearchStopped("the search for faces was stopped");
    tracker.add(turn_pictures ? corpus::shown(stored, reader.turn()) : stored);
    if (watch.report && tracker.num_frames() % kReportEvery == 0)
      watch.report(tracker.num_frames());
  }
  tracker.finish();
  return {.tracks = tracker.take_tracks(),
          .cuts = std::move(tracker.cuts()),
          .num_frames = tracker.num_frames(),
          .picture = tracker.picture_size(),
          .start_s = reader.start_s()};
}

/// Some files ask for a turn that they do not need: then faces are upright in the stored picture.
void show(Seen& seen, const media::Turn& turn) {
  for (auto& track : seen.tracks) {
    for (auto& face : track.points) {
      for (auto& point : face) point = corpus::shown_at(point, seen.picture, turn);
    }
  }
  if (turn.swaps_sides()) std::swap(seen.picture.width, seen.picture.height);
}

/// Empty for a film without sound, or with one that cannot be read.
std::vector<double> read_loudness(const media::Source& film,
                                  const std::optional<media::Source>& sound, const Seen& seen,
                                  const media::Limits& limits) {
  try {
    const auto audio = media::read_audio(
        sound.value_or(film), {.limits = limits, .origin_s = sound ? std::nullopt : seen.start_s});
    return loudness_of(audio.samples, seen.num_frames);
  } catch (const DataError&) {
    return {};
  }
}

}  // namespace

struct FaceFinder::State {
  std::shared_ptr<const LandmarkModel> model;
  FaceOptions options;
};

FaceFinder::FaceFinder(std::shared_ptr<const LandmarkModel> model, const FaceOptions& options)
    : state_(std::make_unique<State>(State{std::move(model), options})) {
  RAVEN_CHECK(state_->model != nullptr, "a finder of faces needs a landmark model");
}

FaceFinder::~FaceFinder() = default;
FaceFinder::FaceFinder(FaceFinder&&) noexcept = default;
FaceFinder& FaceFinder::operator=(FaceFinder&&) noexcept = default;

const LandmarkModel& FaceFinder::model() const { return *state_->model; }

FoundFaces FaceFinder::find(const media::Source& film, const std::optional<media::Source>& sound,
                            const SearchWatch& watch) const {
  const auto& [model, options] = *state_;
  auto seen = look_at(film, *model, options.limits, watch, true);
  if (seen.tracks.empty()) {
    const auto turn = media::VideoReader(film, {.limits = options.limits}).turn();
    if (!turn.is_none()) {
      seen = look_at(film, *model, options.limits, watch, false);
      show(seen, turn);
    }
  }
  std::vector<double> loudness;
  if (options.choice == FaceChoice::kSpeaking && seen.tracks.size() > 1)
    loudness = read_loudness(film, sound, seen, options.limits);
  FoundFaces found{.cuts = std::move(seen.cuts), .tracks = std::move(seen.tracks)};
  found.points =
      choose_faces({.tracks = found.tracks, .num_frames = seen.num_frames, .picture = seen.picture},
                   options.choice, loudness);
  found.frames_with_face = std::ranges::count_if(
      found.points, [](const corpus::FacePoints& face) { return !corpus::is_missing(face); });
  return found;
}

}  // namespace raven::faces

#include "corpus/film_crops.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <span>

#include "corpus/crop_plan.h"
#include "corpus/landmark_table.h"
#include "raven/core/error.h"
#include "raven/corpus/landmarks.h"

namespace raven::corpus {
namespace {

/// How much the middle of a crop changes from frame to frame, in grey levels.
double motion_of(const std::vector<std::uint8_t>& crops) {
  double sum = 0, count = 0;
  for (std::size_t begin = kCropBytes; begin < crops.size(); begin += kCropBytes) {
    for (std::size_t y = kCropSize / 4; y < kCropSize * 3 / 4; ++y) {
      for (std::size_t x = kCropSize / 4; x < kCropSize * 3 / 4; ++x, ++count) {
        const auto at = begin + y * kCropSize + x;
        sum += std::abs(crops[at] - crops[at - kCropBytes]);
      }
    }
  }
  return count > 0 ? sum / count : 0;
}

/// What a reader knows at the end.
void finish(Crops& crops, const media::VideoReader& reader) {
  crops.times.starts_s = reader.picture_starts_s();
  crops.times.start_s = reader.start_s();
  crops.num_frames = static_cast<std::int64_t>(crops.pixels.size() / kCropBytes);
  crops.track = reader.track();
  crops.damage = reader.damage();
}

/// As many crops as are planned; further frames are counted. Pictures are turned before they are
/// cropped.
Crops crop_pictures(media::VideoReader& reader, const std::vector<MouthCrop>& plan,
                    const media::Turn& turn) {
  Crops crops;
  crops.turn = turn;
  while (const auto frame = reader.next()) {
    const auto k = crops.times.shown.size();
    crops.times.shown.push_back(reader.picture());
    if (k >= plan.size()) continue;
    const ImageView stored{frame->pixels, frame->height, frame->width, frame->channels,
                           frame->stride};
    crops.pixels.resize(crops.pixels.size() + kCropBytes);
    crop_grey(turn.is_none() ? stored : shown(stored, turn), plan[k],
              std::span(crops.pixels).last(kCropBytes));
  }
  finish(crops, reader);
  return crops;
}

/// The points of the mouth change their places to each other: someone speaks in the picture that
/// they were made from.
bool mouth_moves(const FittedFaces& fitted) {
  constexpr double kMoving = 0.0025;  // of the face's height, from frame to frame
  double sum = 0, count = 0;
  for (std::size_t i = 1; i < fitted.detected.size(); ++i) {
    if (fitted.detected[i] != fitted.detected[i - 1] + 1) continue;
    const auto before = fitted.faces.at(fitted.detected[i - 1]);
    const auto face = fitted.faces.at(fitted.detected[i]);
    Point shift{0, 0};  // of the whole mouth
    for (auto k = kFirstMouthPoint; k < kNumFacePoints; ++k) {
      shift.x += (face[k].x - before[k].x) / static_cast<double>(kNumFacePoints - kFirstMouthPoint);
      shift.y += (face[k].y - before[k].y) / static_cast<double>(kNumFacePoints - kFirstMouthPoint);
    }
    const auto [top, bottom] = std::ranges::minmax(face, {}, &Point::y);
    for (auto k = kFirstMouthPoint; k < kNumFacePoints; ++k, ++count) {
      sum += std::hypot(face[k].x - before[k].x - shift.x, face[k].y - before[k].y - shift.y) /
             (bottom.y - top.y);
    }
  }
  return sum > kMoving * count;
}

/// The same points in every picture: they were made once, and say nothing about what moves.
bool are_made_once(const FittedFaces& fitted) {
  const auto first = fitted.faces.at(fitted.detected.front());
  return std::ranges::all_of(fitted.detected, [&](std::int64_t k) {
    return std::ranges::equal(fitted.faces.at(k), first, [](const Point& a, const Point& b) {
      return a.x == b.x && a.y == b.y;
    });
  });
}

/// Points cannot tell a rotation from the opposite one, which some files ask for by mistake
/// (`ffmpeg -metadata:s:v rotate=90`): where nothing ever moves in `asked`, and much does the
/// opposite way, that is right if the points of the mouth move or were made once for all pictures.
/// Where they were found in each picture and keep still, either may be: the mouth of a still face
/// beside a running clock. `crop` crops the pictures once more after a turn. Throws DataError
/// ("rotation").
template <class Crop>
Crops right_way_round(Crops asked, const FittedFaces& fitted, const std::string& name, Crop crop) {
  constexpr double kStill = 0.5, kMoving = 2;
  if (motion_of(asked.pixels) >= kStill) return asked;
  const auto& turn = asked.turn;
  const media::Turn opposite{-turn.xx, -turn.xy, -turn.yx, -turn.yy};
  auto crops = crop(opposite);
  if (motion_of(crops.pixels) <= kMoving) return asked;
  if (mouth_moves(fitted) || are_made_once(fitted)) return crops;
  throw DataError(
      fmt::format("{}: the video asks for a {}, after which nothing moves at the mouth, while much "
                  "does after the opposite one, and the points, which are still, do not say which "
                  "is right; give --rotation displayed if the mouth is still, or mend the rotation "
                  "of the file",
                  name, turn.text()),
      "rotation");
}

void remark_on_rate(const media::PictureTimes& times, Remarks& remarks) {
  if (is_one_after_another(times.shown)) return;
  remarks.conversions.frame_rate_hz = static_cast<double>(media::kFrameRateHz) *
                                      static_cast<double>(times.starts_s.size()) /
                                      static_cast<double>(times.shown.size());
}

void remark_on_pictures(const Crops& crops, const FittedFaces& fitted, const media::Turn& asked,
                        Remarks& remarks) {
  remark_on_rate(crops.times, remarks);
  if (!asked.is_none())
    remarks.add(
        fmt::format("{}, landmarks of the {} picture", asked.text(), name_of(fitted.picture)));
  if (fitted.turned && !(crops.turn == asked)) {
    remarks.add(fmt::format("taken for a {}, after which alone something moves at the mouth",
                            crops.turn.text()));
  }
}

void remark_on_gaps(const FittedFaces& fitted, Remarks& remarks) {
  const auto all = fitted.faces.count, filled = all - std::ssize(fitted.detected);
  if (filled > 0) {
    remarks.add(fmt::format("{} of {} frames ({:.0f} %) without a face, filled in", filled, all,
                            100.0 * static_cast<double>(filled) / static_cast<double>(all)));
  }
}

PictureSize size_of(const media::VideoReader& reader) {
  return {.width = reader.width(), .height = reader.height()};
}

Crops crop_by_landmarks(const Faces& faces, media::VideoReader& reader, const SourceClip& clip,
                        const ClipOptions& options, Remarks& remarks) {
  const auto turn = reader.turn();
  const auto fitted = fit_to_picture(faces, size_of(reader), turn, options.landmark_picture,
                                     clip.landmarks.string());
  const bool is_at_25 = std::fabs(reader.source_frame_rate_hz() - media::kFrameRateHz) < 0.01;
  auto packets = is_at_25 ? std::nullopt : pictures_of_packets(clip.video, options.limits);
  const auto guess = packets ? face_order(*packets, faces.count) : std::nullopt;
  auto plan = plan_crops(fitted, guess, packets ? packets->starts_s : std::vector<double>{});
  auto crops = crop_pictures(reader, plan, fitted.turned ? turn : media::Turn{});
  const auto crop_again = [&](const media::Turn& how_turned) {
    media::VideoReader again(clip.video, read_as(options.grey, options.limits));
    return crop_pictures(again, plan, how_turned);
  };
  const auto times = times_for_faces(crops.times, faces.count, clip.video, options.limits);
  const auto order = face_order(times, faces.count);
  const auto remark = check_lengths(times, faces.count, clip.landmarks.string());
  if (!remark.empty()) remarks.add(remark);
  if (order != guess) {  // Note [Faces of pictures]
    plan = plan_crops(fitted, order, times.starts_s);
    crops = crop_again(crops.turn);
  }
  const bool sure = options.landmark_picture != LandmarkPicture::kAuto || !fitted.turned ||
                    fitted.picture == LandmarkPicture::kStored;
  if (!sure) crops = right_way_round(std::move(crops), fitted, clip.landmarks.string(), crop_again);
  remark_on_pictures(crops, fitted, turn, remarks);
  remark_on_gaps(fitted, remarks);
  return crops;
}

/// Faces are found in the frames that the reader gives, so nothing has to be fitted together.
Crops crop_by_detection(media::VideoReader& reader, const SourceClip& clip,
                        const ClipOptions& options, Remarks& remarks) {
  const auto turn = reader.turn();
  const auto fitted = fit_to_picture(options.find_faces(clip), size_of(reader), turn,
                                     LandmarkPicture::kDisplayed, clip.video.string());
  auto crops = crop_pictures(reader, plan_crops(fitted, std::nullopt, {}),
                             fitted.turned ? turn : media::Turn{});
  if (crops.num_frames != fitted.faces.count) {
    throw DataError(
        fmt::format("{}: faces of {} frames, but the video has {}; remove what was found of it",
                    clip.video.string(), fitted.faces.count, crops.num_frames),
        "landmarks");
  }
  const auto num_found = std::ssize(fitted.detected);
  remarks.add(
      fmt::format("a face found in {} of {} frames ({:.0f} %){}", num_found, crops.num_frames,
                  100.0 * static_cast<double>(num_found) / static_cast<double>(crops.num_frames),
                  num_found < crops.num_frames ? ", the others filled in" : ""));
  remark_on_pictures(crops, fitted, turn, remarks);
  return crops;
}

/// A film of what a crop is: nothing is left to be done.
Crops take_crops(media::VideoReader& reader, Remarks& remarks) {
  Crops crops;
  crops.turn = reader.turn();
  while (const auto frame = reader.next()) {
    crops.times.shown.push_back(reader.picture());
    const ImageView picture = shown(
        {frame->pixels, frame->height, frame->width, frame->channels, frame->stride}, crops.turn);
    crops.pixels.resize(crops.pixels.size() + kCropBytes);
    copy_grey(picture, std::span(crops.pixels).last(kCropBytes));
  }
  finish(crops, reader);
  remarks.add(
      fmt::format("{} x {} pixels: taken for a crop of the mouth, as it is", kCropSize, kCropSize));
  remark_on_rate(crops.times, remarks);
  return crops;
}

}  // namespace

Crops crop_film(SourceClip clip, const ClipOptions& options, Remarks& remarks) {
  std::optional<Faces> given;
  if (auto file = find_landmark_file(clip.landmarks)) {
    clip.landmarks = *std::move(file);
    given = read_landmark_file(clip.landmarks);
  }
  media::VideoReader reader(clip.video, read_as(options.grey, options.limits));
  if (reader.picture_starts_s().empty()) {
    throw MediaError(fmt::format("{}: the video stream holds no frame", clip.video.string()),
                     "empty");
  }
  const auto crop = [&] {
    if (given) return crop_by_landmarks(*given, reader, clip, options, remarks);
    if (reader.width() == kCropSize && reader.height() == kCropSize)
      return take_crops(reader, remarks);
    if (options.find_faces) return crop_by_detection(reader, clip, options, remarks);
    throw DataError(
        fmt::format("{}: no such file; expected an array (frames, 68, 2)", clip.landmarks.string()),
        "missing-landmarks");
  };
  auto crops = crop();
  remark_on_track(crops.track, crops.damage, "video", "pictures", remarks);
  return crops;
}

}  // namespace raven::corpus

#include "raven/corpus/clip_preparation.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <span>

#include "corpus/clip_text.h"
#include "corpus/remarks.h"
#include "corpus/sound_preparation.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/utf8.h"
#include "raven/corpus/landmarks.h"
#include "raven/corpus/mouth_crop.h"
#include "raven/corpus/npy.h"
#include "raven/media/audio_reader.h"
#include "raven/media/video_reader.h"

namespace raven::corpus {
namespace {

constexpr std::uint64_t kMaxLandmarkBytes = 256ULL << 20;
constexpr std::size_t kCropBytes = std::size_t{kCropSize} * kCropSize;

Faces read_clip_landmarks(const SourceClip& clip) {
  std::error_code ignored;
  if (!std::filesystem::exists(clip.landmarks, ignored)) {
    throw DataError(
        fmt::format("{}: no such file; expected an array (frames, 68, 2)", clip.landmarks.string()),
        "missing-landmarks");
  }
  return read_landmarks(read_file(clip.landmarks, kMaxLandmarkBytes), clip.landmarks.string());
}

// Note [Faces of pictures]
// A face belongs to a picture of the file, and a frame at 25 per second takes the face of the
// picture that it shows, at whatever times the pictures come. Only a decoder knows for certain
// which picture that is, but smoothing looks ahead, and holding pictures back or decoding them
// twice costs too much. So the order is guessed first (one after another where the header says 25
// per second, else from the times of the packets), used, and compared with what was decoded. Where
// the guess was wrong, which is rare, the clip is decoded once more.
//
// Landmarks may also have been made after a conversion to 25 frames a second. Their number tells.
//
// A picture that cannot be decoded is left out of what a decoder counts. Where the number of
// landmarks is that of the packets, they count it, and pictures are numbered by their packets.

/// Which face each frame at 25 per second takes; empty: frame k takes face k.
using FaceOrder = std::optional<std::vector<std::int64_t>>;

bool is_one_for_each_picture(std::int64_t num_faces, const media::PictureTimes& times) {
  return std::abs(num_faces - std::ssize(times.starts_s)) <=
         std::abs(num_faces - std::ssize(times.shown));
}

bool is_one_after_another(const std::vector<std::int64_t>& order) {
  for (std::size_t k = 0; k < order.size(); ++k) {
    if (order[k] != static_cast<std::int64_t>(k)) return false;
  }
  return true;
}

FaceOrder face_order(const media::PictureTimes& times, std::int64_t num_faces) {
  if (!is_one_for_each_picture(num_faces, times)) return std::nullopt;
  const auto end =
      std::ranges::find_if(times.shown, [&](std::int64_t picture) { return picture >= num_faces; });
  std::vector<std::int64_t> order(times.shown.begin(), end);
  if (is_one_after_another(order)) return std::nullopt;
  return order;
}

/// Empty where the packets cannot be read.
std::optional<media::PictureTimes> pictures_of_packets(const SourceClip& clip,
                                                       const media::Limits& limits) {
  try {
    return media::expect_pictures(clip.video, limits);
  } catch (const MediaError&) {
    return std::nullopt;  // the reader says what is wrong, unless it can do without
  }
}

/// What was decoded, in the numbers of the packets; empty where their times do not tell them.
std::optional<media::PictureTimes> numbered_by_packets(const media::PictureTimes& decoded,
                                                       const media::PictureTimes& packets) {
  if (!decoded.start_s || !packets.start_s) return std::nullopt;
  const auto apart_s = [&](std::size_t packet, double time_s) {
    return std::fabs(*packets.start_s + packets.starts_s[packet] - time_s);
  };
  std::vector<std::int64_t> numbers;
  std::size_t packet = 0;
  for (const auto start_s : decoded.starts_s) {
    const auto time_s = *decoded.start_s + start_s;
    while (packet + 1 < packets.starts_s.size() &&
           apart_s(packet + 1, time_s) <= apart_s(packet, time_s))
      ++packet;
    const auto number = static_cast<std::int64_t>(packet);
    if (!numbers.empty() && numbers.back() >= number) return std::nullopt;
    numbers.push_back(number);
  }
  auto times = packets;
  times.shown.clear();
  for (const auto picture : decoded.shown)
    times.shown.push_back(numbers[static_cast<std::size_t>(picture)]);
  return times;
}

std::vector<MouthCrop> plan_crops(const FittedFaces& fitted, const FaceOrder& order,
                                  const std::vector<double>& starts_s) {
  if (!order) {
    const auto faces = fill_gaps(fitted.faces, fitted.detected);
    return plan_mouth_crops(faces, faces.count);
  }
  const auto faces = fill_gaps(fitted.faces, fitted.detected, starts_s);
  const Faces of_frames{.count = std::ssize(*order), .at = [&](std::int64_t frame) {
                          return faces.at((*order)[static_cast<std::size_t>(frame)]);
                        }};
  return plan_mouth_crops(of_frames, of_frames.count);
}

/// Crops one after another, kCropBytes each, and the pictures that they were cut from.
struct Crops {
  std::vector<std::uint8_t> pixels;
  std::int64_t num_frames = 0;
  media::PictureTimes times;
  media::TrackChoice track;
  media::Damage damage;
  media::Turn turn;  // of the pictures before they were cropped
};

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

/// Of a colour picture the crop is grey as published.
void crop_grey(const ImageView& image, const MouthCrop& how, std::span<std::uint8_t> crop) {
  if (image.channels == 1) return crop_mouth(image, how, crop);
  std::array<std::uint8_t, 3 * kCropBytes> colour;
  crop_mouth(image, how, colour);
  published_grey(colour, crop);
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
  crops.times.starts_s = reader.picture_starts_s();
  crops.times.start_s = reader.start_s();
  crops.num_frames = static_cast<std::int64_t>(crops.pixels.size() / kCropBytes);
  crops.track = reader.track();
  crops.damage = reader.damage();
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

void check_lengths(const media::PictureTimes& times, std::int64_t num_faces, const SourceClip& clip,
                   Remarks& remarks) {
  const auto num_pictures = std::ssize(times.starts_s), num_frames = std::ssize(times.shown);
  const auto fitting = is_one_for_each_picture(num_faces, times) ? num_pictures : num_frames;
  const auto two_frames = 2 * fitting / std::max<std::int64_t>(num_frames, 1);
  const auto tolerated = std::max<std::int64_t>({two_frames, fitting / 50, 2});
  const auto difference = std::abs(fitting - num_faces);
  if (difference > tolerated) {
    const auto found = num_pictures == num_frames
                           ? fmt::format("{}", num_frames)
                           : fmt::format("{} pictures, {} frames at {} a second", num_pictures,
                                         num_frames, media::kFrameRateHz);
    throw DataError(
        fmt::format(
            "{}: landmarks of {} frames, but the video has {}; were they made from this file?",
            clip.landmarks.string(), num_faces, found),
        "landmarks");
  }
  if (difference > 0)
    remarks.add(fmt::format("landmarks of {} frames, video of {}", num_faces, fitting));
}

void remark_on_pictures(const Crops& crops, const FittedFaces& fitted, const media::Turn& asked,
                        Remarks& remarks) {
  const auto& times = crops.times;
  if (!is_one_after_another(times.shown)) {
    remarks.conversions.frame_rate_hz = static_cast<double>(media::kFrameRateHz) *
                                        static_cast<double>(times.starts_s.size()) /
                                        static_cast<double>(times.shown.size());
  }
  if (!asked.is_none())
    remarks.add(
        fmt::format("{}, landmarks of the {} picture", asked.text(), name_of(fitted.picture)));
  if (fitted.turned && !(crops.turn == asked)) {
    remarks.add(fmt::format("taken for a {}, after which alone something moves at the mouth",
                            crops.turn.text()));
  }
  const auto all = fitted.faces.count, filled = all - std::ssize(fitted.detected);
  if (filled > 0) {
    remarks.add(fmt::format("{} of {} frames ({:.0f} %) without a face, filled in", filled, all,
                            100.0 * static_cast<double>(filled) / static_cast<double>(all)));
  }
}

Crops crop_frames(const SourceClip& clip, const ClipOptions& options, Remarks& remarks) {
  const auto faces = read_clip_landmarks(clip);
  const bool in_colour = options.grey == Grey::kPublished;
  const media::VideoOptions how{
      .format = in_colour ? media::PixelFormat::kPlainRgb : media::PixelFormat::kGrey,
      .limits = options.limits};
  media::VideoReader reader(clip.video, how);
  if (reader.picture_starts_s().empty()) {
    throw MediaError(fmt::format("{}: the video stream holds no frame", clip.video.string()),
                     "empty");
  }
  const auto turn = reader.turn();
  const auto fitted = fit_to_picture(faces, {.width = reader.width(), .height = reader.height()},
                                     turn, options.landmark_picture, clip.landmarks.string());
  const bool is_at_25 = std::fabs(reader.source_frame_rate_hz() - media::kFrameRateHz) < 0.01;
  auto packets = is_at_25 ? std::nullopt : pictures_of_packets(clip, options.limits);
  const auto guess = packets ? face_order(*packets, faces.count) : std::nullopt;
  auto plan = plan_crops(fitted, guess, packets ? packets->starts_s : std::vector<double>{});
  auto crops = crop_pictures(reader, plan, fitted.turned ? turn : media::Turn{});
  const auto crop_again = [&](const media::Turn& how_turned) {
    media::VideoReader again(clip.video, how);
    return crop_pictures(again, plan, how_turned);
  };
  auto times = crops.times;
  if (std::ssize(times.starts_s) < faces.count) {
    if (!packets) packets = pictures_of_packets(clip, options.limits);
    if (packets && std::ssize(packets->starts_s) == faces.count)
      times = numbered_by_packets(times, *packets).value_or(times);
  }
  const auto order = face_order(times, faces.count);
  check_lengths(times, faces.count, clip, remarks);
  if (order != guess) {  // Note [Faces of pictures]
    plan = plan_crops(fitted, order, times.starts_s);
    crops = crop_again(crops.turn);
  }
  const bool sure = options.landmark_picture != LandmarkPicture::kAuto || !fitted.turned ||
                    fitted.picture == LandmarkPicture::kStored;
  if (!sure) crops = right_way_round(std::move(crops), fitted, clip.landmarks.string(), crop_again);
  remark_on_pictures(crops, fitted, turn, remarks);
  remark_on_track(crops.track, crops.damage, "video", "pictures", remarks);
  return crops;
}

/// How much of the first frames has sound of the file.
double heard_s(const media::AudioSamples& audio, std::int64_t num_frames) {
  std::int64_t sum = 0;
  for (const auto& [begin, end] : audio.heard) {
    sum += std::max<std::int64_t>(std::min(end, num_frames * media::kSamplesPerFrame) - begin, 0);
  }
  return static_cast<double>(sum) / media::kSampleRateHz;
}

/// Refuses a clip that is silent for most of its pictures, since its sound ends or never came.
void check_sound_length(double sound_s, std::int64_t num_frames, double least_share,
                        const std::string& name) {
  const auto wanted_s = media::seconds(num_frames);
  if (sound_s >= least_share * wanted_s) return;
  throw DataError(
      fmt::format(
          "{}: {:.2f} s of sound beside {:.2f} s of pictures, at least {:g} of their length "
          "is needed (--min-sound)",
          name, sound_s, wanted_s, least_share),
      "short-sound");
}

std::vector<float> read_sound(const SourceClip& clip, const Crops& crops,
                              const ClipOptions& options, Remarks& remarks) {
  constexpr std::int64_t kWorthSaying = 5 * media::kSamplesPerFrame;  // 0.2 s
  const auto num_frames = crops.num_frames;
  // Sound and pictures of one file share its clock; a file of sound starts where it starts.
  const bool same_file = clip.audio.empty() || clip.audio == clip.video;
  const auto& file = same_file ? clip.video : clip.audio;
  auto audio = media::read_audio(
      file, {.limits = options.limits, .origin_s = same_file ? crops.times.start_s : std::nullopt});
  remark_on_sound(audio, remarks);
  check_sound_length(heard_s(audio, num_frames), num_frames, options.min_sound, file.string());
  const auto excess =
      static_cast<std::int64_t>(audio.samples.size()) - num_frames * media::kSamplesPerFrame;
  if (std::abs(excess) > kWorthSaying) {
    remarks.add(fmt::format("sound {} by {:.2f} s", excess > 0 ? "cut" : "padded with silence",
                            static_cast<double>(std::abs(excess)) / media::kSampleRateHz));
  }
  media::fit_to_frames(audio.samples, num_frames);
  return std::move(audio.samples);
}

/// Empty for a film without sound: without a track, or with one that holds nothing.
std::vector<float> read_sound_if_any(SourceClip clip, const Crops& crops,
                                     const ClipOptions& options, Remarks& remarks) {
  const auto remarks_on_pictures = remarks;
  try {
    return read_sound(clip, crops, options, remarks);
  } catch (const DataError& error) {
    const bool has_none = error.reason() == "no-audio" || error.reason() == "empty";
    if (!has_none || !clip.audio.empty()) throw;
  }
  if (!clip.spare.empty()) {
    clip.audio = clip.spare;
    remarks.add("sound of the file beside it");
    try {
      return read_sound(clip, crops, options, remarks);
    } catch (const DataError& error) {
      remarks = remarks_on_pictures;
      remarks.add(fmt::format("the sound beside it is not used ({})", error.reason()));
    } catch (const SystemError&) {
      remarks = remarks_on_pictures;
      remarks.add("the sound beside it is not used (unreadable)");
    }
  }
  remarks.add("without sound");
  return {};
}

std::string encode(std::span<const std::uint8_t> pixels, const ClipOptions& options) {
  const auto num_frames = static_cast<std::int64_t>(pixels.size() / kCropBytes);
  if (options.format == StorageFormat::kRaw) {
    const std::int64_t shape[] = {num_frames, kCropSize, kCropSize};
    return npy_bytes("|u1", shape, std::as_bytes(pixels));
  }
  return media::encode_mp4(
      {.pixels = pixels, .num_frames = num_frames, .height = kCropSize, .width = kCropSize},
      options.h264);
}

PreparedClip prepare_usable_clip(const SourceClip& clip, const ClipOptions& options) {
  Remarks remarks;
  const auto transcript = read_transcript(clip);
  const auto crops = crop_frames(clip, options, remarks);
  if (crops.num_frames < options.segments.min_frames) {
    throw DataError(fmt::format("{}: {} frames, at least {} are needed", clip.video.string(),
                                crops.num_frames, options.segments.min_frames),
                    "short");
  }
  const auto samples = read_sound_if_any(clip, crops, options, remarks);
  const auto segments = cut_into_segments(crops.num_frames, transcript, options.segments);
  PreparedClip prepared;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const auto& segment = segments[i];
    const auto first = static_cast<std::size_t>(segment.first_frame);
    const auto count = static_cast<std::size_t>(segment.num_frames);
    const auto per_frame = static_cast<std::size_t>(media::kSamplesPerFrame);
    prepared.utterances.push_back(
        {.id = piece_id(clip, i, segments.size()),
         .frames = segment.num_frames,
         .text = segment.text,
         .video = encode(std::span(crops.pixels).subspan(first * kCropBytes, count * kCropBytes),
                         options),
         .audio = samples.empty() ? std::string()
                                  : media::encode_wav(std::span(samples).subspan(
                                        first * per_frame, count * per_frame))});
  }
  if (segments.size() > 1) remarks.add(pieces_remark(segments, transcript));
  prepared.message = remarks.text();
  prepared.conversions = remarks.conversions;
  return prepared;
}

}  // namespace

std::string_view ending_of(StorageFormat format) {
  return format == StorageFormat::kRaw ? ".npy" : ".mp4";
}

PreparedClip prepare_clip(const SourceClip& clip, const ClipOptions& options) {
  try {
    return clip.video.empty() ? prepare_sound(clip, options) : prepare_usable_clip(clip, options);
  } catch (const DataError& error) {
    return {.verdict = error.reason(), .message = printable(full_message(error))};
  } catch (const SystemError& error) {
    return {.verdict = "unreadable", .message = printable(full_message(error))};
  }
}

}  // namespace raven::corpus

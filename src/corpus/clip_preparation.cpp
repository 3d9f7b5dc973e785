#include "raven/corpus/clip_preparation.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <span>

#include "corpus/clip_text.h"
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

/// Remarks on a clip that can be used, in words of our own: no names or texts of others.
class Remarks {
 public:
  void add(const std::string& remark) { text_ += (text_.empty() ? "" : "; ") + remark; }
  [[nodiscard]] const std::string& text() const { return text_; }

  Conversions conversions;

 private:
  std::string text_;
};

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

/// Empty where the header says 25 per second, and where the packets cannot be read.
std::optional<media::PictureTimes> expected_pictures(const SourceClip& clip,
                                                     const media::VideoReader& reader,
                                                     const media::Limits& limits) {
  if (std::fabs(reader.source_frame_rate_hz() - media::kFrameRateHz) < 0.01) return std::nullopt;
  try {
    return media::expect_pictures(clip.video, limits);
  } catch (const MediaError&) {
    return std::nullopt;  // the reader says what is wrong, unless it can do without
  }
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
  std::optional<double> start_s;  // when the first is shown, in the clock of the video's file
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

/// Points cannot tell a rotation from the opposite one, which some files ask for by mistake
/// (`ffmpeg -metadata:s:v rotate=90`): a mouth that never moves in `asked` and does in `opposite`
/// tells.
bool moves_in_opposite_alone(const std::vector<std::uint8_t>& asked,
                             const std::vector<std::uint8_t>& opposite) {
  constexpr double kStill = 0.5, kMoving = 2;
  return motion_of(asked) < kStill && motion_of(opposite) > kMoving;
}

/// As many crops as are planned; further frames are counted. Pictures are turned before they are
/// cropped, or the opposite way where only that can be right, unless the user is `sure`.
Crops crop_pictures(media::VideoReader& reader, const std::vector<MouthCrop>& plan,
                    const media::Turn& turn, bool sure) {
  const media::Turn opposite{-turn.xx, -turn.xy, -turn.yx, -turn.yy};
  Crops crops;
  crops.turn = turn;
  std::vector<std::uint8_t> opposite_pixels;
  const auto crop = [](const ImageView& view, const MouthCrop& how,
                       std::vector<std::uint8_t>& pixels) {
    pixels.resize(pixels.size() + kCropBytes);
    crop_mouth(view, how, std::span(pixels).last(kCropBytes));
  };
  while (const auto frame = reader.next()) {
    const auto k = crops.times.shown.size();
    crops.times.shown.push_back(reader.picture());
    if (k >= plan.size()) continue;
    const ImageView stored{frame->pixels, frame->height, frame->width, frame->channels,
                           frame->stride};
    crop(turn.is_none() ? stored : shown(stored, turn), plan[k], crops.pixels);
    if (!sure) crop(shown(stored, opposite), plan[k], opposite_pixels);
  }
  if (!sure && moves_in_opposite_alone(crops.pixels, opposite_pixels)) {
    crops.pixels = std::move(opposite_pixels);
    crops.turn = opposite;
  }
  crops.times.starts_s = reader.picture_starts_s();
  crops.num_frames = static_cast<std::int64_t>(crops.pixels.size() / kCropBytes);
  crops.start_s = reader.start_s();
  crops.track = reader.track();
  crops.damage = reader.damage();
  return crops;
}

void check_lengths(const media::PictureTimes& times, std::int64_t num_faces, const SourceClip& clip,
                   Remarks& remarks) {
  const auto num_pictures = std::ssize(times.starts_s), num_frames = std::ssize(times.shown);
  const auto fitting = is_one_for_each_picture(num_faces, times) ? num_pictures : num_frames;
  const auto tolerated =
      std::max(2 * fitting / std::max<std::int64_t>(num_frames, 1), fitting / 50);
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
    remarks.add(
        fmt::format("taken for a {}, which alone has a mouth that moves", crops.turn.text()));
  }
  const auto all = fitted.faces.count, filled = all - std::ssize(fitted.detected);
  if (filled > 0) {
    remarks.add(fmt::format("{} of {} frames ({:.0f} %) without a face, filled in", filled, all,
                            100.0 * static_cast<double>(filled) / static_cast<double>(all)));
  }
}

/// `kind` is "video" or "sound", `parts` what its damage is counted in.
void remark_on_track(const media::TrackChoice& track, const media::Damage& damage,
                     std::string_view kind, std::string_view parts, Remarks& remarks) {
  if (track.of > 1)
    remarks.add(fmt::format("{} {} tracks, number {} taken", track.of, kind, track.number));
  if (damage.damaged > 0)
    remarks.add(fmt::format("{} of {} {} damaged", damage.damaged, damage.of, parts));
}

Crops crop_frames(const SourceClip& clip, const ClipOptions& options, Remarks& remarks) {
  const auto faces = read_clip_landmarks(clip);
  const media::VideoOptions how{.format = media::PixelFormat::kGrey, .limits = options.limits};
  media::VideoReader reader(clip.video, how);
  if (reader.picture_starts_s().empty()) {
    throw MediaError(fmt::format("{}: the video stream holds no frame", clip.video.string()),
                     "empty");
  }
  const auto turn = reader.turn();
  const auto fitted = fit_to_picture(faces, {.width = reader.width(), .height = reader.height()},
                                     turn, options.landmark_picture, clip.landmarks.string());
  const auto expected = expected_pictures(clip, reader, options.limits);
  const auto guess = expected ? face_order(*expected, faces.count) : std::nullopt;
  const auto turn_of_view = fitted.turned ? turn : media::Turn{};
  const bool sure = options.landmark_picture != LandmarkPicture::kAuto || turn.is_none() ||
                    fitted.picture == LandmarkPicture::kStored;
  auto crops = crop_pictures(
      reader, plan_crops(fitted, guess, expected ? expected->starts_s : std::vector<double>{}),
      turn_of_view, sure);
  const auto order = face_order(crops.times, faces.count);
  check_lengths(crops.times, faces.count, clip, remarks);
  if (order != guess) {  // Note [Faces of pictures]
    media::VideoReader again(clip.video, how);
    crops =
        crop_pictures(again, plan_crops(fitted, order, crops.times.starts_s), turn_of_view, sure);
  }
  remark_on_pictures(crops, fitted, turn, remarks);
  remark_on_track(crops.track, crops.damage, "video", "pictures", remarks);
  return crops;
}

/// What the clock of the file did to its sound, where it is more than a frame.
void remark_on_times(const media::AudioSamples& audio, Remarks& remarks) {
  const auto say = [&](double amount_s, const char* what) {
    if (amount_s > media::seconds(1)) remarks.add(fmt::format(fmt::runtime(what), amount_s));
  };
  say(audio.silence_before_s, "sound begins {:.2f} s after the pictures, silence before it");
  say(audio.cut_before_s, "sound begins {:.2f} s before the pictures, cut");
  say(audio.filled_s, "{:.2f} s of holes in the sound filled with silence");
  say(audio.overlapping_s, "{:.2f} s of overlapping sound left out");
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
      file, {.limits = options.limits, .origin_s = same_file ? crops.start_s : std::nullopt});
  remark_on_track(audio.track, audio.damage, "sound", "blocks of sound", remarks);
  remark_on_times(audio, remarks);
  if (audio.channels_cancel)
    remarks.add("the channels of the sound cancel out, their mean is silent");
  const auto within = std::min(std::ssize(audio.samples), num_frames * media::kSamplesPerFrame);
  check_sound_length(
      static_cast<double>(within) / media::kSampleRateHz - audio.silence_before_s - audio.filled_s,
      num_frames, options.min_sound, file.string());
  if (audio.source_sample_rate_hz != media::kSampleRateHz)
    remarks.conversions.sample_rate_hz = audio.source_sample_rate_hz;
  const auto excess =
      static_cast<std::int64_t>(audio.samples.size()) - num_frames * media::kSamplesPerFrame;
  if (std::abs(excess) > kWorthSaying) {
    remarks.add(fmt::format("sound {} by {:.2f} s", excess > 0 ? "cut" : "padded with silence",
                            static_cast<double>(std::abs(excess)) / media::kSampleRateHz));
  }
  media::fit_to_frames(audio.samples, num_frames);
  return std::move(audio.samples);
}

/// Empty for a film without sound.
std::vector<float> read_sound_if_any(SourceClip clip, const Crops& crops,
                                     const ClipOptions& options, Remarks& remarks) {
  try {
    return read_sound(clip, crops, options, remarks);
  } catch (const DataError& error) {
    if (error.reason() != "no-audio" || !clip.audio.empty()) throw;
  }
  if (clip.spare.empty()) {
    remarks.add("without sound");
    return {};
  }
  clip.audio = clip.spare;
  remarks.add("sound of the file beside it");
  return read_sound(clip, crops, options, remarks);
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

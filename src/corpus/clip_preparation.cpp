#include "raven/corpus/clip_preparation.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <span>

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
constexpr std::uint64_t kMaxTextBytes = 1ULL << 20;
constexpr std::size_t kCropBytes = std::size_t{kCropSize} * kCropSize;

/// Crops one after another, kCropBytes each.
struct Crops {
  std::vector<std::uint8_t> pixels;
  std::int64_t num_frames = 0;
};

/// Remarks on a clip that can be used.
class Remarks {
 public:
  void add(const std::string& remark) { text_ += (text_.empty() ? "" : "; ") + remark; }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

Transcript read_transcript(const SourceClip& clip) {
  if (clip.text.empty()) return {};
  return parse_transcript(read_file(clip.text, kMaxTextBytes), clip.text.string());
}

Landmarks read_clip_landmarks(const SourceClip& clip) {
  std::error_code ignored;
  if (!std::filesystem::exists(clip.landmarks, ignored)) {
    throw DataError(
        fmt::format("{}: no such file; expected an array (frames, 68, 2)", clip.landmarks.string()),
        "missing-landmarks");
  }
  const auto content = read_file(clip.landmarks, kMaxLandmarkBytes);
  return read_landmarks(std::as_bytes(std::span(content)), clip.landmarks.string());
}

/// Landmarks of the frames that the reader shows at 25 per second, when the file has one face for
/// each frame of another rate. Landmarks made after such a conversion fit the duration as they are.
void match_frame_rate(std::vector<FacePoints>& faces, const media::VideoReader& reader,
                      Remarks& remarks) {
  constexpr double kRate = media::kFrameRateHz;
  const auto source_rate = reader.source_frame_rate_hz();
  if (!(source_rate > 0) || std::fabs(source_rate - kRate) < 0.01) return;
  remarks.add(
      fmt::format("{:.5g} frames per second converted to {}", source_rate, media::kFrameRateHz));
  const auto count = static_cast<double>(faces.size());
  const auto duration_s = reader.duration_s();
  if (std::fabs(count - duration_s * kRate) <= std::fabs(count - duration_s * source_rate)) return;
  std::vector<FacePoints> shown(
      static_cast<std::size_t>(std::llround(count * kRate / source_rate)));
  for (std::size_t k = 0; k < shown.size(); ++k) {
    const auto source =
        static_cast<std::size_t>((static_cast<double>(k) + 0.5) / kRate * source_rate);
    shown[k] = faces[std::min(source, faces.size() - 1)];
  }
  faces = std::move(shown);
}

void check_lengths(std::int64_t num_frames, std::int64_t num_faces, const SourceClip& clip,
                   Remarks& remarks) {
  const auto tolerated = std::max<std::int64_t>(2, num_frames / 50);
  const auto difference = std::abs(num_frames - num_faces);
  if (difference > tolerated) {
    throw DataError(
        fmt::format(
            "{}: landmarks of {} frames, but the video has {}; were they made from this file?",
            clip.landmarks.string(), num_faces, num_frames),
        "landmarks");
  }
  if (difference > 0)
    remarks.add(fmt::format("landmarks of {} frames, video of {}", num_faces, num_frames));
}

void check_faces(const std::vector<FacePoints>& faces, const media::FrameView& frame,
                 const SourceClip& clip) {
  const auto problem = problem_with_faces(faces, frame.width, frame.height);
  if (!problem.empty())
    throw DataError(fmt::format("{}: {}", clip.landmarks.string(), problem), "landmarks");
}

Crops crop_frames(const SourceClip& clip, const ClipOptions& options, Remarks& remarks) {
  auto landmarks = read_clip_landmarks(clip);
  media::VideoReader reader(clip.video,
                            {.format = media::PixelFormat::kGrey, .limits = options.limits});
  auto& faces = landmarks.frames;
  match_frame_rate(faces, reader, remarks);
  const auto num_faces = static_cast<std::int64_t>(faces.size());
  const auto plan = plan_mouth_crops(faces, num_faces);
  Crops crops;
  std::int64_t num_frames = 0;
  for (; const auto frame = reader.next(); ++num_frames) {
    if (num_frames == 0) check_faces(faces, *frame, clip);
    if (num_frames >= num_faces) continue;  // still counted
    crops.pixels.resize(static_cast<std::size_t>(num_frames + 1) * kCropBytes);
    crop_mouth({frame->pixels, frame->height, frame->width, frame->channels, frame->stride},
               plan[static_cast<std::size_t>(num_frames)],
               std::span(crops.pixels).last(kCropBytes));
  }
  check_lengths(num_frames, num_faces, clip, remarks);
  crops.num_frames = std::min(num_frames, num_faces);
  if (landmarks.num_interpolated > 0) {
    remarks.add(fmt::format("{} frames without a face filled", landmarks.num_interpolated));
  }
  return crops;
}

std::vector<float> read_sound(const SourceClip& clip, std::int64_t num_frames,
                              const media::Limits& limits, Remarks& remarks) {
  constexpr std::int64_t kWorthSaying = 5 * media::kSamplesPerFrame;  // 0.2 s
  auto audio = media::read_audio(clip.audio.empty() ? clip.video : clip.audio, limits);
  if (audio.source_sample_rate_hz != media::kSampleRateHz) {
    remarks.add(fmt::format("sound of {} Hz converted to {}", audio.source_sample_rate_hz,
                            media::kSampleRateHz));
  }
  const auto excess =
      static_cast<std::int64_t>(audio.samples.size()) - num_frames * media::kSamplesPerFrame;
  if (std::abs(excess) > kWorthSaying) {
    remarks.add(fmt::format("sound {} by {:.2f} s", excess > 0 ? "cut" : "padded with silence",
                            static_cast<double>(std::abs(excess)) / media::kSampleRateHz));
  }
  media::fit_to_frames(audio.samples, num_frames);
  return std::move(audio.samples);
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
  const auto samples = read_sound(clip, crops.num_frames, options.limits, remarks);
  const auto segments = cut_into_segments(crops.num_frames, transcript, options.segments);
  PreparedClip prepared;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const auto& segment = segments[i];
    const auto first = static_cast<std::size_t>(segment.first_frame);
    const auto count = static_cast<std::size_t>(segment.num_frames);
    const auto per_frame = static_cast<std::size_t>(media::kSamplesPerFrame);
    prepared.utterances.push_back(
        {.id = segments.size() == 1 ? clip.id : fmt::format("{}_{:02}", clip.id, i),
         .frames = segment.num_frames,
         .text = segment.text,
         .video = encode(std::span(crops.pixels).subspan(first * kCropBytes, count * kCropBytes),
                         options),
         .audio =
             media::encode_wav(std::span(samples).subspan(first * per_frame, count * per_frame))});
  }
  if (segments.size() > 1) {
    const bool lost = !transcript.text.empty() && segments.front().text.empty();
    remarks.add(fmt::format("cut into {} pieces{}", segments.size(),
                            lost ? " without text, because the words have no times" : ""));
  }
  prepared.message = printable(remarks.text());
  return prepared;
}

}  // namespace

std::string_view ending_of(StorageFormat format) {
  return format == StorageFormat::kRaw ? ".npy" : ".mp4";
}

PreparedClip prepare_clip(const SourceClip& clip, const ClipOptions& options) {
  try {
    return prepare_usable_clip(clip, options);
  } catch (const DataError& error) {
    return {.verdict = error.reason(), .message = printable(full_message(error)), .utterances = {}};
  } catch (const SystemError& error) {
    return {.verdict = "unreadable", .message = printable(full_message(error)), .utterances = {}};
  }
}

}  // namespace raven::corpus

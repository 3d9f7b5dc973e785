// One clip of a corpus -> mouth crops and sound as they are stored.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "raven/corpus/faces.h"
#include "raven/corpus/grey.h"
#include "raven/corpus/landmarks.h"
#include "raven/corpus/segments.h"
#include "raven/corpus/source_clip.h"
#include "raven/media/media.h"
#include "raven/media/media_writer.h"

namespace raven::corpus {

/// kH264: mp4, about a hundredth of the size; kRaw: .npy of uint8 (T, 96, 96).
enum class StorageFormat { kH264, kRaw };

/// ".mp4" or ".npy".
std::string_view ending_of(StorageFormat format);

struct ClipOptions {
  StorageFormat format = StorageFormat::kH264;
  Grey grey = Grey::kLuma;  // or kPublished
  media::H264Options h264{.crf = 18,
                          .preset = "superfast"};  // half the time of veryfast, a tenth more bytes
  SegmentLimits segments;
  media::Limits limits;
  LandmarkPicture landmark_picture = LandmarkPicture::kAuto;
  double min_sound = 0.25;  // share of the pictures' length that the sound must have
  /// The faces of a film without a file of landmarks: one for each frame of media::VideoReader, NaN
  /// where there is none, in pixels of the picture as it is displayed. Called by any thread that
  /// prepares a clip. Empty: such films are "missing-landmarks".
  std::function<Faces(const SourceClip&)> find_faces = {};
};

struct PreparedUtterance {
  std::string id;
  std::int64_t frames = 0;
  std::string text;
  std::string video, audio;  // bytes of the files, one of which may be empty for lack of pictures
                             // or sound; the sound is a WAV of 640 samples per frame
};

/// What a clip had instead of 25 frames and 16,000 samples a second; 0: it had those.
struct Conversions {
  double frame_rate_hz = 0;  // its pictures by its length
  std::int64_t sample_rate_hz = 0;
};

struct PreparedClip {
  std::string verdict = "ok";  // or the reason for which the clip cannot be used, a short word
  std::string message;         // one line: what is wrong, or what one should know
  std::vector<PreparedUtterance> utterances = {};  // empty unless ok
  Conversions conversions = {};
};

/// Crops, cuts and encodes one clip. What is wrong with its files becomes the verdict:
/// "missing-landmarks", "landmarks", "rotation", "no-face", "short-sound", "short", "text",
/// "no-audio" (of a file of its own: a film without sound is ok, and so is sound without pictures),
/// "no-video", "corrupt", "empty", "too-large", "unreadable", ... The same bytes on every call.
/// Throws for what is not the clip's fault (no encoder, out of memory).
PreparedClip prepare_clip(const SourceClip& clip, const ClipOptions& options);

}  // namespace raven::corpus

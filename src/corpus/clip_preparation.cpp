#include "raven/corpus/clip_preparation.h"

#include <algorithm>
#include <cstdlib>
#include <span>

#include "corpus/clip_text.h"
#include "corpus/film_crops.h"
#include "corpus/remarks.h"
#include "corpus/sound_preparation.h"
#include "raven/core/error.h"
#include "raven/core/utf8.h"
#include "raven/corpus/mouth_crop.h"
#include "raven/corpus/npy.h"
#include "raven/media/audio_reader.h"

namespace raven::corpus {
namespace {

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
  const auto crops = crop_film(clip, options, remarks);
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

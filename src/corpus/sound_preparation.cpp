#include "corpus/sound_preparation.h"

#include <span>

#include "corpus/clip_text.h"
#include "corpus/remarks.h"
#include "raven/core/error.h"
#include "raven/media/audio_reader.h"

namespace raven::corpus {

PreparedClip prepare_sound(const SourceClip& clip, const ClipOptions& options) {
  constexpr auto kPerFrame = static_cast<std::size_t>(media::kSamplesPerFrame);
  const auto transcript = read_transcript(clip);
  const auto audio = media::read_audio(clip.audio, {.limits = options.limits});
  const auto& samples = audio.samples;
  const auto num_frames = static_cast<std::int64_t>(samples.size() / kPerFrame);
  if (num_frames < options.segments.min_frames) {
    throw DataError(
        fmt::format("{}: sound of {} frames of 1/{} s, at least {} are needed", clip.audio.string(),
                    num_frames, media::kFrameRateHz, options.segments.min_frames),
        "short");
  }
  const auto segments = cut_into_segments(num_frames, transcript, options.segments);
  PreparedClip prepared;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const auto& segment = segments[i];
    const auto part =
        std::span(samples).subspan(static_cast<std::size_t>(segment.first_frame) * kPerFrame,
                                   static_cast<std::size_t>(segment.num_frames) * kPerFrame);
    prepared.utterances.push_back({.id = piece_id(clip, i, segments.size()),
                                   .frames = segment.num_frames,
                                   .text = segment.text,
                                   .video = {},
                                   .audio = media::encode_wav(part)});
  }
  Remarks remarks;
  remarks.add("without pictures");
  remark_on_sound(audio, remarks);
  if (segments.size() > 1) remarks.add(pieces_remark(segments, transcript));
  prepared.message = remarks.text();
  prepared.conversions = remarks.conversions;
  return prepared;
}

}  // namespace raven::corpus

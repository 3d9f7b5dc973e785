#include "raven/media/audio_stream.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "media/audio_decoding.h"
#include "media/sound_timeline.h"

namespace raven::media {
namespace {

constexpr std::int64_t kStretch = kSampleRateHz;  // of one call
constexpr std::int64_t kDropped = 8 * kStretch;   // decoded ones that are removed together

Limits streamed(Limits limits) {
  limits.max_duration_s = kMaxStreamed_s;
  limits.max_decoded_bytes = std::numeric_limits<std::uint64_t>::max();
  return limits;
}

std::optional<double> origin_of(const Source& source, const AudioOptions& options) {
  if (options.origin_s || !options.from_first_picture) return options.origin_s;
  return decoded_first_picture_s(source, options.limits);
}

}  // namespace

struct AudioStream::State {
  State(const Source& source, const AudioOptions& options)
      : decoding(source, streamed(options.limits), /*watch_pictures=*/false),
        layout(origin_of(source, options), streamed(options.limits), source.name()) {}

  /// Decodes until the next part is known; false at the end of all.
  bool find_part();
  void drop_before(std::int64_t sample);
  /// Of the silence before the part or of the part.
  std::vector<float> take_stretch();

  AudioDecoding decoding;
  SoundLayout layout;
  std::optional<SoundLayout::Part> part;  // what is left of it
  std::int64_t end = 0;                   // of what was handed out
  std::int64_t dropped = 0;               // samples that `decoding` holds no more
  bool finished = false;
};

bool AudioStream::State::find_part() {
  while (!part) {
    part = layout.next(decoding.timeline(), dropped + decoding.num_certain(), finished);
    if (part) break;
    drop_before(layout.taken());
    if (finished) return false;
    finished = !decoding.step();
  }
  return true;
}

/// Many at once, since those behind them move.
void AudioStream::State::drop_before(std::int64_t sample) {
  if (sample - dropped < kDropped) return;
  decoding.drop(sample - dropped);
  dropped = sample;
}

std::vector<float> AudioStream::State::take_stretch() {
  if (const auto silence = part->at - end; silence > 0) {
    const auto count = std::min(silence, kStretch);
    end += count;
    return std::vector<float>(static_cast<std::size_t>(count));
  }
  const auto count = std::min(part->to - part->from, kStretch);
  const auto first = decoding.samples().begin() + (part->from - dropped);
  std::vector<float> stretch(first, first + count);
  part->from += count;
  part->at += count;
  end = part->at;
  drop_before(part->from);
  if (part->from == part->to) part.reset();
  return stretch;
}

AudioStream::AudioStream(const Source& source, const AudioOptions& options)
    : state_(std::make_unique<State>(source, options)) {}
AudioStream::~AudioStream() = default;
AudioStream::AudioStream(AudioStream&&) noexcept = default;
AudioStream& AudioStream::operator=(AudioStream&&) noexcept = default;

std::optional<std::vector<float>> AudioStream::next() {
  if (!state_->find_part()) return std::nullopt;
  return state_->take_stretch();
}

TrackChoice AudioStream::track() const { return state_->decoding.track(); }
Damage AudioStream::damage() const { return state_->decoding.damage(); }
bool AudioStream::channels_cancel() const { return state_->decoding.channels_cancel(); }

}  // namespace raven::media

#include "corpus/remarks.h"

#include <spdlog/fmt/fmt.h>

namespace raven::corpus {
namespace {

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

}  // namespace

void remark_on_track(const media::TrackChoice& track, const media::Damage& damage,
                     std::string_view kind, std::string_view parts, Remarks& remarks) {
  if (track.of > 1)
    remarks.add(fmt::format("{} {} tracks, number {} taken", track.of, kind, track.number));
  if (damage.damaged > 0)
    remarks.add(fmt::format("{} of {} {} damaged", damage.damaged, damage.of, parts));
}

void remark_on_sound(const media::AudioSamples& audio, Remarks& remarks) {
  remark_on_track(audio.track, audio.damage, "sound", "blocks of sound", remarks);
  remark_on_times(audio, remarks);
  if (audio.channels_cancel)
    remarks.add("the channels of the sound cancel out, their mean is silent");
  if (audio.source_sample_rate_hz != media::kSampleRateHz)
    remarks.conversions.sample_rate_hz = audio.source_sample_rate_hz;
}

}  // namespace raven::corpus

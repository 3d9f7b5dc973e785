// Additive noise at a given signal-to-noise ratio, the same at every run.
//
// The ratio is that of mean powers over all N samples of an utterance, pauses included:
//   SNR = 10 log10(P_speech / P_noise),  P(x) = (1 / N) sum_n x[n]^2,
// so y = x + g n with g = sqrt(P_speech / P_noise * 10^(-SNR / 10)). Nothing is clipped. Noise
// comes before normalise_waveform().
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "raven/config/noise_config.h"
#include "raven/core/random.h"
#include "raven/data/manifest.h"
#include "raven/media/media.h"

namespace raven::data {

/// Below this mean power, -100 dB of full scale and less than a 16-bit step, a waveform is silent.
inline constexpr double kSilentPower = 1e-10;

/// A recording shorter than this second of samples does not serve as noise: it would be repeated so
/// often that it sounds like a tone.
inline constexpr std::int64_t kLeastRecording = media::kSampleRateHz;

/// (1 / N) sum of squares; 0 for none.
double mean_power(std::span<const float> samples);

/// samples += g noise, with g as above; both have the same length. False, and nothing is changed,
/// when the samples are silent or all noise is 0: no ratio is then defined.
bool mix_at_snr(std::span<float> samples, std::span<const float> noise, double snr_db);

/// Gaussian, mean power 1 on average.
std::vector<float> white_noise(std::int64_t num_samples, Random& random);

/// White noise through Kellet's filter, whose power falls by 3 dB each octave; mean power about 1.
std::vector<float> pink_noise(std::int64_t num_samples, Random& random);

/// Makes noise for utterances. What an utterance gets follows from the stream it is given alone:
/// Random(seed, epoch, item, Draw::kNoise). Thread-safe.
class NoiseSource {
 public:
  /// Reads an utterance's clean samples, 640 for each of its frames where they are known. Throws
  /// DataError.
  using ReadAudio = std::function<std::vector<float>(const Utterance&)>;

  /// `speech`: what babble is made from when `config.babble_manifest` is empty; otherwise not
  /// looked at; `roots`: of the files that such a list names. Reads the noise file, which stays in
  /// memory. Throws ConfigError (no second utterance for babble, a recording that is missing, too
  /// short or silent), DataError and MediaError (unreadable files).
  NoiseSource(const config::NoiseConfig& config, const Manifest& speech,
              const MediaRoots& roots = {});
  ~NoiseSource();
  NoiseSource(NoiseSource&&) noexcept;
  NoiseSource& operator=(NoiseSource&&) noexcept;

  /// The same noise at one level in every utterance; both share recording and list.
  [[nodiscard]] NoiseSource at(double snr_db) const;

  /// Adds noise to an utterance's samples; a silent utterance stays as it is. Babble is made from
  /// other utterances, of other speakers where there are any; voices that cannot be read or are
  /// silent are left out. Throws DataError ("noise") when none is left.
  void mix(const Utterance& utterance, std::span<float> samples, Random& random,
           const ReadAudio& read) const;

 private:
  struct State;
  explicit NoiseSource(std::unique_ptr<const State> state);

  std::unique_ptr<const State> state_;
};

}  // namespace raven::data

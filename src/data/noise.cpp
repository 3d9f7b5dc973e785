#include "raven/data/noise.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <string>
#include <utility>

#include "raven/core/error.h"
#include "raven/core/log.h"
#include "raven/data/modality.h"
#include "raven/media/audio_reader.h"

namespace raven::data {
namespace {

using config::NoiseKind;

constexpr std::int64_t kPinkSettling = 8192;  // samples; the slowest pole needs 900 for one e-fold

/// `count` samples of `from`, again from its start at its end.
std::vector<float> looped(std::span<const float> from, std::size_t start, std::size_t count) {
  std::vector<float> out(count);
  for (auto& x : out) {
    x = from[start];
    if (++start == from.size()) start = 0;
  }
  return out;
}

bool is_sound(float x) { return static_cast<double>(x) * x >= kSilentPower; }

/// Samples of a recording that can serve as noise.
std::vector<float> read_recording(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) {
    throw ConfigError(fmt::format("{}: no such file; noise.file names a recording", file.string()));
  }
  auto samples = media::read_audio(file).samples;
  const auto refuse = [&](const std::string& why) {
    throw ConfigError(fmt::format("{}: cannot serve as noise, it {}", file.string(), why));
  };
  if (std::ssize(samples) < kLeastRecording) {
    refuse(fmt::format("lasts {:.2f} s, expected at least {} s",
                       static_cast<double>(samples.size()) / media::kSampleRateHz,
                       kLeastRecording / media::kSampleRateHz));
  }
  if (std::ranges::none_of(samples, is_sound)) refuse("is silent");
  if (!std::isfinite(mean_power(samples))) refuse("holds samples that are not finite");
  return samples;
}

std::size_t draw_index(std::size_t size, Random& random) {
  return static_cast<std::size_t>(random.below(static_cast<std::int64_t>(size)));
}

/// Utterances as voices of a babble, by speaker.
class Voices {
 public:
  explicit Voices(Manifest manifest) : manifest_(std::move(manifest)) {
    std::map<std::string, std::vector<std::size_t>> by_speaker;
    for (std::size_t i = 0; i < manifest_.utterances.size(); ++i) {
      by_speaker[speaker_of(manifest_.utterances[i])].push_back(i);
    }
    for (auto& [speaker, utterances] : by_speaker) speakers_.emplace_back(speaker, utterances);
    if (manifest_.utterances.size() < 2) {
      throw ConfigError(fmt::format(
          "{}: babble needs two utterances at least, found {}; give noise.babble_manifest",
          manifest_.file.string(), manifest_.utterances.size()));
    }
    if (speakers_.size() == 1) {
      log::warn(
          "{}: all utterances are of one speaker ({}), so babble is of the same voice; give "
          "noise.babble_manifest with others",
          manifest_.file.string(), manifest_.utterances.front().speaker);
    }
  }

  /// `count` utterances other than `own`, each of another speaker as long as there are some, never
  /// of its own speaker unless there is no other.
  [[nodiscard]] std::vector<const Utterance*> draw(const Utterance& own, std::int64_t count,
                                                   Random& random) const {
    std::vector<std::size_t> others;
    for (std::size_t s = 0; s < speakers_.size(); ++s) {
      if (speakers_[s].first != speaker_of(own)) others.push_back(s);
    }
    if (others.empty()) {
      others.resize(speakers_.size());
      for (std::size_t s = 0; s < others.size(); ++s) others[s] = s;
    }
    std::vector<const Utterance*> drawn;
    while (std::ssize(drawn) < count) {
      random.shuffle(others);
      for (std::size_t k = 0; k < others.size() && std::ssize(drawn) < count; ++k) {
        drawn.push_back(&utterance_of(speakers_[others[k]].second, own, random));
      }
    }
    return drawn;
  }

 private:
  /// Of an unknown speaker: itself.
  static std::string speaker_of(const Utterance& utterance) {
    return utterance.speaker.empty() ? "utterance " + utterance.id : "speaker " + utterance.speaker;
  }

  const Utterance& utterance_of(const std::vector<std::size_t>& choices, const Utterance& own,
                                Random& random) const {
    auto k = draw_index(choices.size(), random);
    if (manifest_.utterances[choices[k]].id == own.id) k = (k + 1) % choices.size();
    return manifest_.utterances[choices[k]];
  }

  Manifest manifest_;
  std::vector<std::pair<std::string, std::vector<std::size_t>>> speakers_;
};

}  // namespace

struct NoiseSource::State {
  config::NoiseConfig config;
  std::shared_ptr<const std::vector<float>> recording;  // kind file
  std::size_t first_sound = 0;                          // of the recording
  std::shared_ptr<const Voices> voices;                 // kind babble

  [[nodiscard]] std::vector<float> stretch(std::size_t count, Random& random) const;
  [[nodiscard]] std::vector<float> babble(const Utterance& utterance, std::size_t count,
                                          Random& random, const ReadAudio& read) const;
};

double mean_power(std::span<const float> samples) {
  if (samples.empty()) return 0;
  double sum = 0;
  for (const double x : samples) sum += x * x;
  return sum / static_cast<double>(samples.size());
}

bool mix_at_snr(std::span<float> samples, std::span<const float> noise, double snr_db) {
  RAVEN_CHECK(samples.size() == noise.size(), "{} samples, {} of noise", samples.size(),
              noise.size());
  const double speech_power = mean_power(samples), noise_power = mean_power(noise);
  if (!(speech_power >= kSilentPower) || !(noise_power > 0)) return false;
  const double gain = std::sqrt(speech_power / noise_power * std::pow(10, -snr_db / 10));
  for (std::size_t n = 0; n < samples.size(); ++n) {
    samples[n] = static_cast<float>(samples[n] + gain * noise[n]);
  }
  return true;
}

std::vector<float> white_noise(std::int64_t num_samples, Random& random) {
  std::vector<float> noise(static_cast<std::size_t>(num_samples));
  for (auto& x : noise) x = static_cast<float>(random.normal());
  return noise;
}

// Paul Kellet's refined filter: a sum of one-pole low-passes within 0.05 dB of 1 / f from a
// five-thousandth of the sample rate to its half.
std::vector<float> pink_noise(std::int64_t num_samples, Random& random) {
  constexpr std::array<double, 6> kPole = {0.99886, 0.99332, 0.96900, 0.86650, 0.55000, -0.7616};
  constexpr std::array<double, 6> kGain = {0.0555179, 0.0750759, 0.1538520,
                                           0.3104856, 0.5329522, -0.0168980};
  constexpr double kDirect = 0.5362, kDelayed = 0.115926;
  constexpr double kDeviation = 3.1;  // of what the filter makes of white noise, measured
  std::array<double, 6> low{};
  double delayed = 0;
  std::vector<float> noise(static_cast<std::size_t>(num_samples));
  for (std::int64_t n = -kPinkSettling; n < num_samples; ++n) {
    const double white = random.normal();
    double pink = delayed + kDirect * white;
    for (std::size_t k = 0; k < low.size(); ++k) {
      low[k] = kPole[k] * low[k] + kGain[k] * white;
      pink += low[k];
    }
    delayed = kDelayed * white;
    if (n >= 0) noise[static_cast<std::size_t>(n)] = static_cast<float>(pink / kDeviation);
  }
  return noise;
}

NoiseSource::NoiseSource(const config::NoiseConfig& config, const Manifest& speech,
                         const MediaRoots& roots) {
  auto state = std::make_unique<State>();
  state->config = config;
  if (config.kind == NoiseKind::kFile) {
    state->recording = std::make_shared<const std::vector<float>>(read_recording(config.file));
    state->first_sound = static_cast<std::size_t>(
        std::ranges::find_if(*state->recording, is_sound) - state->recording->begin());
  } else if (config.kind == NoiseKind::kBabble) {
    auto voices =
        config.babble_manifest.empty() ? speech : read_manifest(config.babble_manifest, roots);
    if (!config.babble_manifest.empty())
      require_modalities(voices, {.audio = true}, "noise.babble_manifest");
    state->voices = std::make_shared<const Voices>(std::move(voices));
  }
  state_ = std::move(state);
}

NoiseSource::NoiseSource(std::unique_ptr<const State> state) : state_(std::move(state)) {}

NoiseSource NoiseSource::at(double snr_db) const {
  auto state = std::make_unique<State>(*state_);
  state->config.snr_db = snr_db;
  state->config.max_snr_db = {};
  state->config.prob = 1;
  return NoiseSource(std::move(state));
}

NoiseSource::~NoiseSource() = default;
NoiseSource::NoiseSource(NoiseSource&&) noexcept = default;
NoiseSource& NoiseSource::operator=(NoiseSource&&) noexcept = default;

/// A stretch of the recording with sound in it, from a drawn place on.
std::vector<float> NoiseSource::State::stretch(std::size_t count, Random& random) const {
  constexpr int kDraws = 8;
  for (int draw = 0; draw < kDraws; ++draw) {
    auto noise = looped(*recording, draw_index(recording->size(), random), count);
    if (mean_power(noise) >= kSilentPower) return noise;
  }
  return looped(*recording, first_sound, count);
}

std::vector<float> NoiseSource::State::babble(const Utterance& utterance, std::size_t count,
                                              Random& random, const ReadAudio& read) const {
  std::vector<float> sum(count);
  std::string problem = "all of them are silent";
  for (const auto* voice : voices->draw(utterance, config.babble_speakers, random)) {
    const double place = random.uniform();  // drawn whether or not the voice can be read
    std::vector<float> samples;
    try {
      samples = read(*voice);
    } catch (const DataError& error) {
      problem = full_message(error);
      continue;
    }
    if (samples.empty()) continue;
    const auto start = static_cast<std::size_t>(place * static_cast<double>(samples.size()));
    const auto part = looped(samples, std::min(start, samples.size() - 1), count);
    const double power = mean_power(part);
    if (!(power >= kSilentPower)) continue;
    const auto scale = static_cast<float>(1 / std::sqrt(power));
    for (std::size_t n = 0; n < count; ++n) sum[n] += scale * part[n];
  }
  if (!(mean_power(sum) >= kSilentPower)) {
    throw DataError(
        fmt::format("'{}': none of the {} utterances drawn for its babble is usable: {}",
                    utterance.id, config.babble_speakers, problem),
        "noise");
  }
  return sum;
}

void NoiseSource::mix(const Utterance& utterance, std::span<float> samples, Random& random,
                      const ReadAudio& read) const {
  const auto& config = state_->config;
  if (config.kind == NoiseKind::kNone || samples.empty()) return;
  const bool wanted = random.chance(config.prob);
  const double snr_db = random.uniform(
      config.snr_db, std::max(config.max_snr_db.value_or(config.snr_db), config.snr_db));
  if (!wanted || !(mean_power(samples) >= kSilentPower)) return;
  const auto count = std::ssize(samples);
  switch (config.kind) {
    case NoiseKind::kNone:
      break;
    case NoiseKind::kWhite:
      mix_at_snr(samples, white_noise(count, random), snr_db);
      break;
    case NoiseKind::kPink:
      mix_at_snr(samples, pink_noise(count, random), snr_db);
      break;
    case NoiseKind::kBabble:
      mix_at_snr(samples, state_->babble(utterance, samples.size(), random, read), snr_db);
      break;
    case NoiseKind::kFile:
      mix_at_snr(samples, state_->stretch(samples.size(), random), snr_db);
      break;
  }
}

}  // namespace raven::data

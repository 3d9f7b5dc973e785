#include "synth/clip.h"

#include <algorithm>
#include <cmath>

namespace raven::synth {
namespace {

/// 1-based positions of the tokens in the spoken text, as espeak-ng counts them.
std::vector<int> token_positions(const std::string& spoken) {
  std::vector<int> positions;
  for (std::size_t i = 0; i < spoken.size(); ++i) {
    if (spoken[i] != ' ' && (i == 0 || spoken[i - 1] == ' '))
      positions.push_back(static_cast<int>(i) + 1);
  }
  return positions;
}

/// For each word of the sentence, its entry in speech.words, or -1 where it is spoken with the word
/// before.
std::vector<int> match_words(const Sentence& sentence, const Speech& speech) {
  const auto positions = token_positions(sentence.spoken);
  std::vector<int> entries(sentence.words.size(), -1);
  for (std::size_t k = 0; k < speech.words.size(); ++k) {
    const auto after =
        std::upper_bound(positions.begin(), positions.end(), speech.words[k].text_position);
    const auto word =
        static_cast<std::size_t>(std::max<std::ptrdiff_t>(0, after - positions.begin() - 1));
    if (entries[word] < 0) entries[word] = static_cast<int>(k);
  }
  return entries;
}

/// Speech between silences, over noise: whole frames.
std::vector<std::int16_t> place_in_noise(const std::vector<std::int16_t>& speech, std::size_t lead,
                                         std::size_t tail, Random& random) {
  const std::size_t total = lead + speech.size() + tail;
  std::vector<std::int16_t> samples((total + kSamplesPerFrame - 1) / kSamplesPerFrame *
                                    kSamplesPerFrame);
  const double gain = 0.35 + 0.6 * random.uniform();
  const double noise = 8 * std::pow(10, random.uniform());  // peak, of 32767
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const bool spoken = i >= lead && i - lead < speech.size();
    const double value =
        (spoken ? gain * speech[i - lead] : 0) + noise * (random.uniform() + random.uniform() - 1);
    samples[i] = static_cast<std::int16_t>(std::clamp(value, -32768.0, 32767.0));
  }
  return samples;
}

}  // namespace

std::vector<WordTime> align_words(const Sentence& sentence, const Speech& speech) {
  const auto entries = match_words(sentence, speech);
  const auto start_of = [&](std::size_t word) {
    return speech.words[static_cast<std::size_t>(entries[word])].start_s;
  };
  const double end_s = speech.words.empty() ? 0 : speech.words.back().end_s;
  std::vector<WordTime> times;
  for (std::size_t first = 0; first < entries.size();) {
    std::size_t next = first + 1;
    while (next < entries.size() && entries[next] < 0) ++next;
    const double start = entries[first] >= 0 ? start_of(first)
                         : times.empty()     ? 0
                                             : times.back().end_s;
    const double end = next < entries.size() ? start_of(next) : end_s;
    const double share = (end - start) / static_cast<double>(next - first);
    for (std::size_t i = first; i < next; ++i) {
      const auto place = static_cast<double>(i - first);
      times.push_back({sentence.words[i], start + share * place, start + share * (place + 1)});
    }
    first = next;
  }
  return times;
}

Clip make_clip(const Sentence& sentence, const Voice& voice, SpeechServer& server, Random& random) {
  const auto speech = server.say(sentence.spoken, voice);
  const auto pause = [&](double base_s) {
    return static_cast<std::size_t>((base_s + 0.24 * random.uniform()) * kSampleRate);
  };
  const std::size_t lead = pause(0.12), tail = pause(0.16);
  Clip clip;
  clip.lead_s = static_cast<double>(lead) / kSampleRate;
  clip.samples = place_in_noise(speech.samples, lead, tail, random);
  clip.phones = speech.phones;
  clip.words = align_words(sentence, speech);
  for (auto& word : clip.words) {
    word.start_s += clip.lead_s;
    word.end_s += clip.lead_s;
  }
  return clip;
}

}  // namespace raven::synth

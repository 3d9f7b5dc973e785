#include "raven/evaluation/probe_run.h"

#include <algorithm>
#include <cmath>

#include "evaluation/utterance_groups.h"
#include "raven/core/error.h"
#include "raven/core/processors.h"
#include "raven/evaluation/feature_run.h"
#include "raven/evaluation/frame_labels.h"
#include "raven/models/batch_input.h"
#include "raven/train/held_out.h"

namespace raven::evaluation {
namespace {

/// By utterance id, true: fitted on it.
using Halves = std::map<std::string, bool>;

Halves halves_of(data::Manifest manifest, config::ProbeSplit split) {
  if (split == config::ProbeSplit::kUtterance) {
    for (auto& utterance : manifest.utterances) utterance.speaker.clear();
  }
  return train::split_by_speaker(manifest);
}

/// What an encoder makes of the clips.
struct EncodedClips {
  std::string modality;
  std::vector<std::string> layers;                // their names
  std::map<std::string, torch::Tensor> features;  // by utterance id, (layers, T, D) float32
};

EncodedClips layers_of(const LoadedEncoder& encoder, const std::vector<std::int64_t>& layers) {
  EncodedClips clips{
      .modality = config::modality_name(encoder.settings.modality), .layers = {}, .features = {}};
  for (const auto layer : layers) {
    const bool final = layer > encoder.settings.encoder.blocks;
    clips.layers.push_back(final ? config::kFinalLayer : std::to_string(layer));
  }
  return clips;
}

/// Features and labels of one half.
class Half {
 public:
  void add(const torch::Tensor& features, std::int64_t label) {
    features_.push_back(features);
    labels_.push_back(label);
  }
  [[nodiscard]] const std::vector<std::int64_t>& labels() const { return labels_; }

  /// Those whose label has a number in `number_of` (-1: it has none), `most` of them at most.
  [[nodiscard]] LabelledFeatures chosen(const std::vector<std::int64_t>& number_of,
                                        std::int64_t most) const {
    std::vector<std::size_t> usable;
    for (std::size_t i = 0; i < labels_.size(); ++i) {
      if (number_of[static_cast<std::size_t>(labels_[i])] >= 0) usable.push_back(i);
    }
    const auto count = std::min(usable.size(), static_cast<std::size_t>(most));
    std::vector<torch::Tensor> features;
    std::vector<std::int64_t> labels;
    for (std::size_t k = 0; k < count; ++k) {
      const auto i = usable[k * usable.size() / count];
      features.push_back(features_[i]);
      labels.push_back(number_of[static_cast<std::size_t>(labels_[i])]);
    }
    return {.features = torch::stack(features), .labels = torch::tensor(labels, torch::kInt64)};
  }

 private:
  std::vector<torch::Tensor> features_;  // (D) each
  std::vector<std::int64_t> labels_;
};

class Probes {
 public:
  Probes(const data::Manifest& manifest, const config::ProbeConfig& config)
      : manifest_(manifest), config_(config) {
    for (const auto& name : config.labels) {
      labels_.push_back(name == config::kSpeakerLabels ? speaker_labels(manifest)
                                                       : read_labels(name, manifest));
    }
    for (const auto split : {config::ProbeSplit::kSpeaker, config::ProbeSplit::kUtterance})
      halves_[split] = halves_of(manifest, split);
  }

  /// Probes of every label on every layer.
  void read(const EncodedClips& clips, std::vector<ProbeResult>& results) const {
    for (const auto& labels : labels_) {
      for (std::size_t layer = 0; layer < clips.layers.size(); ++layer)
        results.push_back(probe(clips, layer, labels));
    }
  }

  /// Of both modalities, in each layer that both have.
  void search(const EncodedClips& video, const EncodedClips& audio,
              std::vector<RetrievalResult>& results) const {
    for (std::size_t i = 0; i < video.layers.size(); ++i) {
      const auto found = std::ranges::find(audio.layers, video.layers[i]);
      if (found == audio.layers.end()) continue;
      const auto j = static_cast<std::size_t>(found - audio.layers.begin());
      results.push_back(search(audio, j, video, i));
      results.push_back(search(video, i, audio, j));
    }
  }

 private:
  /// Speakers can only be read from other utterances of theirs.
  [[nodiscard]] config::ProbeSplit split_for(const LabelSet& labels) const {
    return labels.name == config::kSpeakerLabels ? config::ProbeSplit::kUtterance : config_.split;
  }

  [[noreturn]] void refuse_half(config::ProbeSplit split, const std::string& what) const {
    throw ConfigError(
        fmt::format("{}: no {} in one of the halves (split={}); {}", manifest_.names(), what,
                    config::enum_name(split),
                    split == config::ProbeSplit::kSpeaker
                        ? "split=utterance lets both halves have clips of the same speakers"
                        : "give more utterances"));
  }

  [[nodiscard]] ProbeResult probe(const EncodedClips& clips, std::size_t layer,
                                  const LabelSet& labels) const {
    const auto split = split_for(labels);
    Half fit, score;
    for (const auto& utterance : manifest_.utterances) {
      const auto found = clips.features.find(utterance.id);
      if (found == clips.features.end()) continue;
      auto& half = halves_.at(split).at(utterance.id) ? fit : score;
      const auto frames = found->second[static_cast<std::int64_t>(layer)];  // (T, D)
      if (labels.of_utterances) {
        if (const auto label = labels.at(utterance.id, 0)) half.add(frames.mean(0), *label);
        continue;
      }
      for (std::int64_t t = 0; t < frames.size(0); ++t) {
        if (const auto label = labels.at(utterance.id, t)) half.add(frames[t], *label);
      }
    }
    // Labels that one half alone has cannot be read, or need not.
    const auto number_of = shared_labels(fit, score, labels.classes.size());
    ProbeResult result{.modality = clips.modality,
                       .layer = clips.layers[layer],
                       .labels = labels.name,
                       .split = std::string(config::enum_name(split))};
    result.classes = std::ranges::count_if(number_of, [](auto number) { return number >= 0; });
    if (result.classes == 0) refuse_half(split, "label of " + labels.name);
    for (const auto* half : {&fit, &score}) {
      result.left_out += std::ranges::count_if(half->labels(), [&](auto label) {
        return number_of[static_cast<std::size_t>(label)] < 0;
      });
    }
    const auto fitted = fit.chosen(number_of, config_.samples);
    const auto scored = score.chosen(number_of, config_.samples);
    result.fitted = fitted.labels.size(0), result.scored = scored.labels.size(0);
    result.linear = linear_accuracy(fitted, scored, result.classes);
    result.nearest = nearest_accuracy(fitted, scored, result.classes, config_.neighbours);
    result.majority = majority_accuracy(fitted, scored, result.classes);
    return result;
  }

  static std::vector<std::int64_t> shared_labels(const Half& fit, const Half& score,
                                                 std::size_t count) {
    std::vector<int> halves(count, 0);  // 1: fitted, 2: scored, 3: both
    for (const auto label : fit.labels()) halves[static_cast<std::size_t>(label)] |= 1;
    for (const auto label : score.labels()) halves[static_cast<std::size_t>(label)] |= 2;
    std::vector<std::int64_t> number_of(count, -1);
    std::int64_t next = 0;
    for (std::size_t label = 0; label < count; ++label) {
      if (halves[label] == 3) number_of[label] = next++;
    }
    return number_of;
  }

  /// Clips of `from` find those of `to`, by a linear map from frames to frames.
  [[nodiscard]] RetrievalResult search(const EncodedClips& from, std::size_t from_layer,
                                       const EncodedClips& to, std::size_t to_layer) const {
    RetrievalResult result{.query = from.modality, .layer = from.layers[from_layer]};
    std::vector<torch::Tensor> fit_x, fit_y, queries, candidates;
    for (const auto& utterance : manifest_.utterances) {
      const auto x = from.features.find(utterance.id), y = to.features.find(utterance.id);
      if (x == from.features.end() || y == to.features.end()) continue;
      const auto frames = std::min(x->second.size(1), y->second.size(1));
      const auto window = config_.retrieval.window;
      if (frames < window) {
        ++result.too_short;
        continue;
      }
      const auto middle = [&](const torch::Tensor& features, std::size_t layer) {
        return features[static_cast<std::int64_t>(layer)].narrow(0, (frames - window) / 2, window);
      };
      const bool fits = halves_.at(config_.split).at(utterance.id);
      (fits ? fit_x : queries).push_back(middle(x->second, from_layer));
      (fits ? fit_y : candidates).push_back(middle(y->second, to_layer));
    }
    result.clips = std::ssize(queries), result.fitted = std::ssize(fit_x);
    if (result.clips < 2 || result.fitted < 1) {
      refuse_half(config_.split, fmt::format("clips of retrieval.window {} frames or more",
                                             config_.retrieval.window));
    }
    const auto map =
        train::fit_ridge({.features = torch::cat(fit_x), .targets = torch::cat(fit_y)});
    const auto asked = torch::stack(queries);  // (N, W, D)
    const auto guesses =
        (map(asked.flatten(0, 1)) - map.y_mean).unflatten(0, {asked.size(0), asked.size(1)});
    result.scores = retrieve(guesses, torch::stack(candidates).to(torch::kFloat64) - map.y_mean);
    return result;
  }

  const data::Manifest& manifest_;
  const config::ProbeConfig& config_;
  std::vector<LabelSet> labels_;
  std::map<config::ProbeSplit, Halves> halves_;
};

}  // namespace

std::optional<ProbeResults> run_probes(std::vector<LoadedEncoder>& encoders,
                                       const data::Manifest& manifest,
                                       const config::ProbeConfig& config,
                                       const torch::Device& device, const std::stop_token& stop,
                                       const ProbeProgress& progress) {
  const torch::NoGradGuard no_grad;
  const Probes probes(manifest, config);
  const auto skips = std::make_shared<data::SkipRecord>();
  const auto total = std::ssize(manifest.utterances) * std::ssize(encoders);
  std::int64_t done = 0;
  std::vector<EncodedClips> encoded;
  for (auto& loaded : encoders) {
    const auto layers = layer_numbers(config.layers, loaded);
    auto clips = layers_of(loaded, layers);
    loaded.encoder->to(device);
    loaded.encoder->eval();
    auto options = input_options(loaded.settings, manifest, /*seed=*/0);
    options.workers = num_readers(config.data.workers, /*most=*/2);
    options.max_skipped = config.data.max_skipped;
    options.skips = skips;
    const bool whole = read_each(manifest, options, device, stop, [&](const data::Batch& one) {
      const auto x = models::encoder_input(one, loaded.settings.modality);
      auto features =
          encode_together(loaded.encoder, {loaded.encoder->frontend(x)}, layers, /*mean=*/false)
              .front();
      if (features.dim() == 2) features = features.unsqueeze(0);
      clips.features.emplace(one.ids.front(), features);
      progress(++done, total);
    });
    if (!whole) return std::nullopt;
    encoded.push_back(std::move(clips));
  }
  ProbeResults results;
  for (const auto& clips : encoded) probes.read(clips, results.probes);
  if (config.retrieval.enabled && encoded.size() == 2)
    probes.search(encoded.front(), encoded.back(), results.retrieval);
  results.skipped = skips->by_reason;
  return results;
}

}  // namespace raven::evaluation

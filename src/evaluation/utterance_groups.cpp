#include "evaluation/utterance_groups.h"

#include <algorithm>

#include "raven/data/batching.h"

namespace raven::evaluation {

UtteranceGroups unfinished_groups(const data::Manifest& manifest, std::int64_t max_frames,
                                  const std::function<bool(const std::string& id)>& done) {
  std::vector<std::int64_t> sizes;
  for (const auto& utterance : manifest.utterances)
    sizes.push_back(std::min(utterance.frames, max_frames));
  const auto groups = data::pack_by_length(sizes, max_frames);
  const auto utterance = [&](std::int64_t i) -> const data::Utterance& {
    return manifest.utterances[static_cast<std::size_t>(i)];
  };
  UtteranceGroups unfinished;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    if (std::ranges::all_of(groups[g], [&](auto i) { return done(utterance(i).id); })) continue;
    for (const auto i : groups[g]) {
      unfinished.utterances.push_back(utterance(i));
      unfinished.group_of[utterance(i).id] = g;
    }
  }
  return unfinished;
}

data::LoaderOptions input_options(const weights::ModelSettings& model, const data::Manifest& all,
                                  std::uint64_t seed) {
  config::DataConfig data;
  data.video = model.video;
  data.waveform = model.waveform;
  auto options = data::held_out_options(data, static_cast<std::int64_t>(seed), all);
  options.read_video = model.modality == config::Modality::kVideo;
  options.read_audio = !options.read_video;
  options.whole_sound = model.whole_sound;
  return options;
}

bool read_each(const data::Manifest& manifest, const data::LoaderOptions& options,
               const torch::Device& device, const std::stop_token& stop,
               const std::function<void(const data::Batch& one)>& see) {
  if (manifest.utterances.empty()) return true;
  data::Loader loader(manifest, options);
  while (const auto batch = loader.next()) {
    for (std::int64_t b = 0; b < std::ssize(batch->ids); ++b) {
      if (stop.stop_requested()) return false;
      see(batch->row(b).to(device));
    }
  }
  return true;
}

PaddedFrames pad_frames(const std::vector<torch::Tensor>& utterances) {
  const auto& first = utterances.front();
  if (utterances.size() == 1) return {.frames = first, .valid = {}};
  std::int64_t longest = 0;
  for (const auto& one : utterances) longest = std::max(longest, one.size(1));
  const auto count = std::ssize(utterances);
  auto frames = torch::zeros({count, longest, first.size(2)}, first.options());
  auto valid = torch::zeros({count, longest}, first.options().dtype(torch::kBool));
  for (std::int64_t b = 0; b < count; ++b) {
    const auto& one = utterances[static_cast<std::size_t>(b)];
    frames[b].narrow(0, 0, one.size(1)).copy_(one[0]);
    valid[b].narrow(0, 0, one.size(1)).fill_(true);
  }
  return {.frames = frames, .valid = valid};
}

}  // namespace raven::evaluation

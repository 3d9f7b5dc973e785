#include "raven/train/frozen_features.h"

#include <algorithm>

#include "raven/core/error.h"
#include "raven/core/progress.h"
#include "raven/nn/batch_norm.h"

namespace raven::train {
namespace {

constexpr double kGiga = 1e9;

std::vector<nn::BatchNormImpl*> batch_norms(torch::nn::Module& part) {
  std::vector<nn::BatchNormImpl*> norms;
  for (const auto& module : part.modules()) {
    if (auto* norm = module->as<nn::BatchNormImpl>()) norms.push_back(norm);
  }
  return norms;
}

}  // namespace

bool estimate_statistics(torch::nn::Module& part, data::Loader& loader, std::int64_t max_batches,
                         const torch::Device& device, const FrozenForward& forward,
                         const std::stop_token& stop) {
  torch::NoGradGuard no_grad;
  const auto norms = batch_norms(part);
  std::vector<double> momenta;
  for (auto* norm : norms) momenta.push_back(norm->momentum);
  part.train();
  const auto batches = std::min(max_batches, loader.batches_per_epoch());
  for (std::int64_t i = 0; i < batches && !stop.stop_requested(); ++i) {
    for (auto* norm : norms) norm->momentum = 1.0 / static_cast<double>(i + 1);
    forward(loader.next()->to(device));
  }
  for (std::size_t i = 0; i < norms.size(); ++i) norms[i]->momentum = momenta[i];
  part.eval();
  return !stop.stop_requested();
}

FrozenFeatures::FrozenFeatures(const data::Manifest& manifest, const data::LoaderOptions& options,
                               std::int64_t versions, const torch::Device& device,
                               const FrozenForward& forward, std::uint64_t memory,
                               const std::stop_token& stop)
    : versions_(versions) {
  torch::NoGradGuard no_grad;
  auto in_parts = options;
  in_parts.split_long_batches = true;  // none is left out: each is computed alone
  data::Loader loader(manifest, in_parts);
  Progress progress("frozen part", manifest.total_frames() * versions, "frames");
  std::int64_t done = 0;
  while (true) {
    if (stop.stop_requested()) return;
    const auto batch = loader.next()->to(device);
    if (batch.epoch >= versions) break;
    for (std::int64_t b = 0; b < std::ssize(batch.ids); ++b) {
      const auto one = batch.row(b);
      const auto features = forward(one).squeeze(0).to(torch::kCPU, torch::kFloat32);  // (T, C)
      // Of published lists, more frames than are listed may come.
      const auto frames = std::max(manifest.total_frames() * versions, done + features.size(0));
      const double bytes = 4.0 * static_cast<double>(features.size(1) * frames);
      if (bytes > static_cast<double>(memory) / 2) {
        throw ConfigError(fmt::format(
            "model.cached_views={} would keep {:.1f} GB of features, more than half of the "
            "{:.1f} GB that there are; ask for fewer, or 0 to compute them at each step",
            versions, bytes / kGiga, static_cast<double>(memory) / kGiga));
      }
      auto& of_utterance = features_[one.ids.front()];
      of_utterance.resize(static_cast<std::size_t>(versions));
      of_utterance[static_cast<std::size_t>(batch.epoch)] = features.clone();
      done += one.num_frames_of.front();
    }
    progress.update(done);
  }
  complete_ = true;
}

bool FrozenFeatures::has(const std::string& id) const {
  const auto found = features_.find(id);
  return found != features_.end() &&
         std::all_of(found->second.begin(), found->second.end(),
                     [](const torch::Tensor& features) { return features.defined(); });
}

std::int64_t FrozenFeatures::frames_of(const std::string& id) const {
  RAVEN_CHECK(has(id), "no features of '{}'", id);
  return features_.at(id).front().size(0);
}

torch::Tensor FrozenFeatures::of(const data::Batch& batch) const {
  std::vector<torch::Tensor> rows;
  for (const auto& id : batch.ids) {
    RAVEN_CHECK(has(id), "no features of '{}'", id);
    const auto version = static_cast<std::size_t>(batch.epoch % versions_);
    rows.push_back(features_.at(id)[version]);
  }
  return torch::nn::utils::rnn::pad_sequence(rows, /*batch_first=*/true);
}

}  // namespace raven::train
